//! Owns what the image is asked: `http://:8080/health`, `https://:8443/health`, `tcp://:5432`, `exec:COMMAND ARGUMENT ...`. Refuses to ask.

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
        /// Over TLS; whoever answers is believed, as probes of orchestrators do.
        #[serde(default)]
        tls: bool,
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
pub const FORMS: &str =
    "a question is `http://:8080/path`, `https://:8443/path`, `tcp://:5432` or `exec:COMMAND ARGUMENT ...`";

impl std::str::FromStr for Question {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| {
            text.parse::<u16>().ok().filter(|&port| port > 0).ok_or(format!("`{text}` is no port; {FORMS}"))
        };
        let (plain, sealed) = (text.strip_prefix("http://"), text.strip_prefix("https://"));
        if let Some(rest) = plain.or(sealed) {
            let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
            let tls = sealed.is_some();
            let (name, digits) = host.split_once(':').unwrap_or((host, if tls { "443" } else { "80" }));
            if !["", "localhost", "127.0.0.1"].contains(&name) {
                return Err(format!("`{text}` names a host: the image is asked itself; {FORMS}"));
            }
            if path.contains([' ', '\r', '\n']) {
                return Err(format!("`{text}` has a space in its path; {FORMS}"));
            }
            return Ok(Self::Http { port: port(digits)?, path: format!("/{path}"), tls });
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
        let http = |port: u16, path: &str, tls: bool| Ok(Question::Http { port, path: path.to_owned(), tls });
        assert_eq!("http://:8080/a/b?c".parse(), http(8080, "/a/b?c", false));
        assert_eq!("http://localhost".parse(), http(80, "/", false));
        assert_eq!(
            ("https://:8443/x".parse(), "https://localhost".parse()),
            (http(8443, "/x", true), http(443, "/", true))
        );
        assert_eq!("tcp://:5432".parse(), Ok(Question::Tcp { port: 5432 }));
        let command = vec!["pg_isready".to_owned(), "-q".to_owned()];
        assert_eq!("exec:pg_isready -q".parse(), Ok(Question::Command { command }));
        for wrong in ["", "8080", "ftp://:1/", "http://:0/", "http://db:80/", "tcp://:x", "exec:", "http://:1/a b"] {
            assert!(wrong.parse::<Question>().is_err(), "{wrong}");
        }
    }
}
