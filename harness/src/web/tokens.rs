//! Owns the tokens by which people and programs are known: a file that nobody else may read. Refuses to say a token in an
//! error, a log or a debugging text.

use super::sessions::fresh;
use anyhow::{Context, Result, bail};
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Shorter ones can be guessed, in characters.
const LENGTH_MIN: usize = 24;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    View,
    /// Look, begin runs, and stop them.
    Run,
}

impl Role {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Run => "run",
        }
    }
}

/// Somebody who is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// All who are known.
#[derive(Clone, Default)]
pub struct Tokens {
    /// Each with the digest of its token.
    known: Vec<(Known, [u8; 32])>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(known, _)| known)).finish()
    }
}

fn digest(token: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

impl Tokens {
    /// Reads lines of `NAME ROLE TOKEN`; what follows a `#` at a line's beginning is not read.
    ///
    /// # Errors
    /// Every line that is none, without its token.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Self::default();
        let mut wrong = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let role = |word: &str| [Role::View, Role::Run].into_iter().find(|role| role.word() == word);
            match words.as_slice() {
                [name, word, token] => match role(word) {
                    None => wrong.push(format!("line {number}: `{word}` is no role: `view` or `run`")),
                    Some(_) if token.len() < LENGTH_MIN => {
                        wrong.push(format!(
                            "line {number}: the token of `{name}` is shorter than {LENGTH_MIN} characters"
                        ));
                    }
                    Some(role) => {
                        tokens.known.push((Known { name: (*name).to_owned(), role }, digest(token)));
                    }
                },
                _ => wrong.push(format!("line {number}: no `NAME ROLE TOKEN`")),
            }
        }
        if tokens.known.is_empty() && wrong.is_empty() {
            wrong.push("there is no token in it".to_owned());
        }
        if wrong.is_empty() { Ok(tokens) } else { Err(wrong.join("\n")) }
    }

    /// Reads a file of tokens, which nobody but its owner may read.
    ///
    /// # Errors
    /// Where it cannot be read, others can read it too, or a line of it is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let told = || format!("the tokens in {} cannot be read", path.display());
        let mode = std::fs::metadata(path).with_context(told)?.mode();
        if mode & 0o077 != 0 {
            bail!("others can read the tokens in {0}: `chmod 600 {0}`", path.display());
        }
        let text = std::fs::read_to_string(path).with_context(told)?;
        Self::parse(&text).map_err(|wrong| anyhow::anyhow!("{}:\n{wrong}", path.display()))
    }

    /// The same; where there is no file, one is made, with a token for each role.
    ///
    /// # Errors
    /// As [`Tokens::read`].
    pub fn read_or_make(path: &Path) -> Result<Self> {
        let told = || format!("no tokens can be written to {}", path.display());
        match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let (run, view) = (fresh()?, fresh()?);
                let text = format!(
                    "# NAME ROLE TOKEN, one a line; roles: view, run.\noperator run {run}\nviewer view {view}\n"
                );
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(told)?;
                Self::read(path)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(error).with_context(told),
        }
    }

    /// Who has this token. All are compared by their digests, so that no answer comes sooner for one that begins well.
    pub fn who(&self, token: &str) -> Option<&Known> {
        let wanted = digest(token);
        self.known.iter().find(|(_, digest)| *digest == wanted).map(|(known, _)| known)
    }
}

/// The first token of a file that may begin runs: what `blackstart halt` shows.
///
/// # Errors
/// Where the file cannot be read or has none.
pub fn first_of_role(path: &Path, role: Role) -> Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("the tokens in {} cannot be read", path.display()))?;
    let found = text.lines().filter(|line| !line.trim_start().starts_with('#')).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words.as_slice(), [_, word, _] if *word == role.word()).then(|| words[2].to_owned())
    });
    found.with_context(|| format!("{} has no token of the role `{}`", path.display(), role.word()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_whole_and_never_told() {
        let token = "0123456789abcdef01234567";
        let tokens = Tokens::parse(&format!("# people\nann run {token}\n\nben view {token}x\n")).expect("tokens");
        assert_eq!(tokens.who(token).map(|known| (known.name.as_str(), known.role)), Some(("ann", Role::Run)));
        assert_eq!(tokens.who(&format!("{token}x")).map(|known| known.role), Some(Role::View));
        assert_eq!(tokens.who(&token[..23]), None);
        assert_eq!(tokens.who(""), None);
        assert!(!format!("{tokens:?}").contains(token));
        let wrong = Tokens::parse(&format!("ann boss {token}\nben run short\ncarl\n")).expect_err("all wrong");
        assert_eq!(wrong.lines().count(), 3, "{wrong}");
        assert!(!wrong.contains(token) && !wrong.contains("short "), "{wrong}");
        assert!(Tokens::parse("\n# nobody\n").is_err());
    }
}
