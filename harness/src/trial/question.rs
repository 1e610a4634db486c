//! Owns what the image is asked: `http://:8080/health`, `tcp://:5432`, `exec:COMMAND ARGUMENT ...`. Refuses to ask.

use serde::{Deserialize, Serialize};

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// A request by HTTP; well is a status from 200 to 399.
    Http {
        /// Port.
        port: u16,
        /// Path and query.
        path: String,
    },
    /// A connection; well is one that is accepted.
    Tcp {
        /// Port.
        port: u16,
    },
    /// A command inside the image's container; well is exit status 0.
    Command {
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// What a question looks like.
pub const FORMS: &str = "a question is `http://:8080/path`, `tcp://:5432` or `exec:COMMAND ARGUMENT ...`";

impl std::str::FromStr for Question {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| {
            text.parse::<u16>().ok().filter(|&port| port > 0).ok_or(format!("`{text}` is no port; {FORMS}"))
        };
        if let Some(rest) = text.strip_prefix("http://") {
            let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
            let (name, digits) = host.split_once(':').unwrap_or((host, "80"));
            if !["", "localhost", "127.0.0.1"].contains(&name) {
                return Err(format!("`{text}` names a host: the image is asked itself; {FORMS}"));
            }
            if path.contains([' ', '\r', '\n']) {
                return Err(format!("`{text}` has a space in its path; {FORMS}"));
            }
            return Ok(Self::Http { port: port(digits)?, path: format!("/{path}") });
        }
        if let Some(rest) = text.strip_prefix("tcp://") {
            let (name, digits) = rest.split_once(':').unwrap_or(("", rest));
            if !["", "localhost", "127.0.0.1"].contains(&name) {
                return Err(format!("`{text}` names a host: the image is asked itself; {FORMS}"));
            }
            return Ok(Self::Tcp { port: port(digits)? });
        }
        if let Some(rest) = text.strip_prefix("exec:") {
            let command: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
            return if command.is_empty() {
                Err(format!("`{text}` has no command; {FORMS}"))
            } else {
                Ok(Self::Command { command })
            };
        }
        Err(format!("`{text}` is none: {FORMS}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_and_nonsense_is_told() {
        assert_eq!("http://:8080/a/b?c".parse(), Ok(Question::Http { port: 8080, path: "/a/b?c".to_owned() }));
        assert_eq!("http://localhost".parse(), Ok(Question::Http { port: 80, path: "/".to_owned() }));
        assert_eq!("tcp://:5432".parse(), Ok(Question::Tcp { port: 5432 }));
        let command = vec!["pg_isready".to_owned(), "-q".to_owned()];
        assert_eq!("exec:pg_isready -q".parse(), Ok(Question::Command { command }));
        for wrong in ["", "8080", "https://:1/", "http://:0/", "http://db:80/", "tcp://:x", "exec:", "http://:1/a b"] {
            assert!(wrong.parse::<Question>().is_err(), "{wrong}");
        }
    }
}
