//! Owns what an image on trial is allowed to need, and what is put into it for that: `certificate`, `credentials`, an endpoint
//! `NAME:PORT`. Refuses to play any of it.

use super::protocol::{Page, Role};
use agents::commons::Keys;
use agents::runtime::tls;
use anyhow::{Context, Result};

/// Where a certificate is put, where nobody says.
const CERTIFICATE_DIR: &str = "/etc/blackstart";
/// Where a machine's credentials come from: the metadata services of virtual machines and of containers.
const METADATA: [&str; 2] = ["169.254.169.254", "169.254.170.2"];
/// What a need looks like.
pub const FORMS: &str = "a need is `certificate`, `certificate=/FOLDER`, `credentials`, or an endpoint `NAME:PORT`";

/// What is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A root, a certificate of its own and its key, as files.
    Certificate {
        /// The folder in the image.
        folder: String,
    },
    /// Credentials from the metadata service of its machine.
    Credentials,
    /// Somebody.
    Endpoint {
        /// Name or address.
        name: String,
        /// Port.
        port: u16,
    },
}

impl std::str::FromStr for Need {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').unwrap_or((text, "")) {
            ("certificate", "") => return Ok(Self::Certificate { folder: CERTIFICATE_DIR.to_owned() }),
            ("certificate", folder) if folder.starts_with('/') => {
                return Ok(Self::Certificate { folder: folder.trim_end_matches('/').to_owned() });
            }
            ("credentials", "") => return Ok(Self::Credentials),
            _ => {}
        }
        let (name, port) = endpoint(text).map_err(|why| format!("{why}; {FORMS}"))?;
        match port {
            Some(port) => Ok(Self::Endpoint { name, port }),
            None => Err(format!("`{text}` has no port; {FORMS}")),
        }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate { folder } => write!(f, "certificate={folder}"),
            Self::Credentials => f.write_str("credentials"),
            Self::Endpoint { name, port } => write!(f, "{name}:{port}"),
        }
    }
}

/// A name or an address, and a port where one is told.
///
/// # Errors
/// What is wrong with it.
pub fn endpoint(text: &str) -> Result<(String, Option<u16>), String> {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("`{text}` is neither a name nor an address"));
    }
    let port = match port {
        None => None,
        Some(digits) => {
            Some(digits.parse::<u16>().ok().filter(|&port| port > 0).ok_or(format!("`{digits}` is no port"))?)
        }
    };
    Ok((name.trim_end_matches('.').to_ascii_lowercase(), port))
}

/// The roles of everybody who is always there.
pub fn roles(needs: &[Need]) -> Vec<Role> {
    let role =
        |name: &str, port: u16, page: Page| Role { name: name.to_owned(), port: Some(port), allowed: true, page };
    needs
        .iter()
        .flat_map(|need| match need {
            Need::Certificate { .. } => Vec::new(),
            Need::Credentials => METADATA.map(|address| role(address, 80, Page::Credentials)).to_vec(),
            Need::Endpoint { name, port } => vec![role(name, *port, Page::default())],
        })
        .collect()
}

/// A root that nobody else knows, made for this trial: it signs what the image is given, and what its mocks show.
///
/// # Errors
/// Where the machine gives no randomness.
pub fn authority() -> Result<Keys> {
    tls::new_root().context("a root cannot be made")
}

/// The files of certificates, with their paths. The root's key is in none of them.
///
/// # Errors
/// Where the machine gives no randomness, or the name is none.
pub fn files(needs: &[Need], hostname: &str, authority: &Keys) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for need in needs {
        let Need::Certificate { folder } = need else { continue };
        let names = [hostname.to_owned(), "localhost".to_owned()];
        let (certificate, key) = tls::issue(authority, &names).context("a certificate cannot be made")?;
        for (name, text) in [("ca.pem", authority.root.clone()), ("certificate.pem", certificate), ("key.pem", key)] {
            files.push((format!("{folder}/{name}"), text.into_bytes()));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_read_and_nonsense_is_told() {
        let read = |text: &str| text.parse::<Need>();
        assert_eq!(read("certificate"), Ok(Need::Certificate { folder: CERTIFICATE_DIR.to_owned() }));
        assert_eq!(read("certificate=/a/b/"), Ok(Need::Certificate { folder: "/a/b".to_owned() }));
        assert_eq!(read("credentials"), Ok(Need::Credentials));
        assert_eq!(read("Auth.Example:443"), Ok(Need::Endpoint { name: "auth.example".to_owned(), port: 443 }));
        for wrong in ["", "auth", "auth:0", "auth:x", ":80", "certificate=relative", "credentials=x", "a b:1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_certificate_is_three_files() {
        let authority = authority().expect("it is made");
        let files = files(&["certificate".parse().expect("a need")], "web", &authority).expect("they are made");
        let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/etc/blackstart/ca.pem", "/etc/blackstart/certificate.pem", "/etc/blackstart/key.pem"]);
        assert!(files.iter().all(|(_, bytes)| bytes.starts_with(b"-----BEGIN ")));
        let root_key = authority.root_key.expect("it signs").into_bytes();
        assert!(files.iter().all(|(_, bytes)| *bytes != root_key), "the image could sign for everybody");
    }
}
