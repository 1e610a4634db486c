//! Owns what somebody who is there says on one connection: bytes in, bytes out. Refuses to know sockets.
//!
//! HTTP is spoken, and gRPC, each over TLS as well; to everybody else it listens. That is said where it matters: a
//! dependency that must say something else has to be left out, or its client will find it silent.
//!
//! - [`one`]: HTTP/1; [`two`]: HTTP/2, and gRPC over it; [`sealed`]: TLS around either

mod one;
mod sealed;
mod two;

use super::super::protocol::{NOT_HTTP, Page, TLS};
use one::One;
use scenarios::trial::Play;
use sealed::Sealed;
use two::Two;

pub(super) use sealed::Notary;

/// A request line is told up to here.
const LINE_MAX: usize = 120;
const METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"TRACE "];
/// What a client of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What TLS begins with: a handshake's record, of any version.
const HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// One connection.
#[derive(Default)]
pub(super) struct Talk {
    tongue: Tongue,
    told: bool,
}

/// What is spoken on it.
enum Tongue {
    /// Too little was heard.
    Unknown(Vec<u8>),
    One(One),
    Two(Box<Two>),
    Sealed(Box<Sealed>),
    Foreign(&'static str),
}

impl Default for Tongue {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

/// The part that is played on a connection.
pub(super) struct Part<'a> {
    /// How.
    pub(super) play: Play,
    /// What a request is answered with.
    pub(super) page: &'a Page,
    /// Whom the image means to reach.
    pub(super) who: &'a str,
    /// Who signs for them; nobody where TLS is not spoken.
    pub(super) notary: Option<&'a mut Notary>,
}

/// What is done about what was heard.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) bytes: Vec<u8>,
    pub(super) close: bool,
    /// The first request of the connection, or what was spoken instead.
    pub(super) request: Option<String>,
}

impl Talk {
    /// Hears more, and answers as the part has it.
    pub(super) fn hear(&mut self, bytes: &[u8], part: &mut Part<'_>) -> Said {
        let mut said = match &mut self.tongue {
            Tongue::Unknown(heard) => {
                heard.extend_from_slice(bytes);
                let Some(tongue) = recognised(heard, part.notary.is_some()) else { return Said::default() };
                let heard = std::mem::take(heard);
                self.tongue = tongue;
                return self.hear(&heard, part);
            }
            Tongue::One(one) => one.hear(bytes, part),
            Tongue::Two(two) => two.hear(bytes, part),
            Tongue::Sealed(sealed) => sealed.hear(bytes, part),
            Tongue::Foreign(what) => {
                Said { close: part.play == Play::Fail, request: Some((*what).to_owned()), ..Said::default() }
            }
        };
        said.request = said.request.filter(|_| !std::mem::replace(&mut self.told, true));
        said.request = said.request.map(|line| line.chars().take(LINE_MAX).collect());
        said
    }
}

/// What is spoken, as soon as that is seen.
fn recognised(heard: &[u8], seals: bool) -> Option<Tongue> {
    let begins = |whole: &[u8]| heard.len() >= whole.len() && heard.starts_with(whole);
    if begins(PREFACE) {
        return Some(Tongue::Two(Box::default()));
    }
    if begins(&HANDSHAKE) {
        return Some(if seals { Tongue::Sealed(Box::default()) } else { Tongue::Foreign(TLS) });
    }
    if METHODS.iter().any(|method| begins(method)) {
        return Some(Tongue::One(One::default()));
    }
    let may_be = |whole: &[u8]| whole.starts_with(heard);
    let undecided = may_be(PREFACE) || may_be(&HANDSHAKE) || METHODS.iter().any(|method| may_be(method));
    (!undecided).then_some(Tongue::Foreign(NOT_HTTP))
}

/// Status and body of the answer to a request for a path.
fn answer(play: Play, page: &Page, path: &str) -> (u16, String) {
    match (play, page) {
        (Play::Fail, _) => (503, "out of order\n".to_owned()),
        (_, Page::Fixed { status, body }) => (*status, body.clone()),
        (_, Page::Credentials) => {
            let (status, body) = credentials(path);
            (status, body.to_owned())
        }
    }
}

/// What a body says that it is.
fn kind(body: &str) -> &'static str {
    if body.trim_start().starts_with(['{', '[']) { "application/json" } else { "text/plain" }
}

/// As the metadata service of a virtual machine grants credentials (IMDSv2 of EC2), and as one of a container does.
fn credentials(path: &str) -> (u16, &'static str) {
    const GRANTED: &str = concat!(
        r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIATRIAL","SecretAccessKey":"trial","Token":"trial","#,
        r#""LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}"#
    );
    match path.strip_prefix("/latest/") {
        Some("api/token") => (200, "trial"),
        Some("meta-data/iam/security-credentials" | "meta-data/iam/security-credentials/") => (200, "trial"),
        Some(rest) if rest.starts_with("meta-data/iam/security-credentials/") => (200, GRANTED),
        Some("meta-data/placement/region") => (200, "us-test-1"),
        Some("meta-data/placement/availability-zone") => (200, "us-test-1a"),
        Some(_) => (404, "not found\n"),
        None => (200, GRANTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to bytes on a connection of its own.
    fn said(bytes: &[u8], play: Play, page: &Page) -> Said {
        Talk::default().hear(bytes, &mut Part { play, page, who: "db", notary: None })
    }

    #[test]
    fn what_is_spoken_is_seen_from_its_first_bytes_and_not_before() {
        let is = |heard: &[u8]| match recognised(heard, true) {
            None => "undecided",
            Some(Tongue::One(_)) => "one",
            Some(Tongue::Two(_)) => "two",
            Some(Tongue::Sealed(_)) => "sealed",
            Some(Tongue::Foreign(what)) => what,
            Some(Tongue::Unknown(_)) => "unknown",
        };
        for undecided in [&b""[..], b"P", b"PRI * HTTP", b"OPTIONS", &[0x16]] {
            assert_eq!(is(undecided), "undecided", "{undecided:?}");
        }
        assert_eq!((is(b"PUT /"), is(PREFACE), is(&[0x16, 0x03, 0x01])), ("one", "two", "sealed"));
        assert_eq!((is(b"\0\0"), is(b"PRINCE"), is(b"GETX")), (NOT_HTTP, NOT_HTTP, NOT_HTTP));
    }

    #[test]
    fn whoever_speaks_otherwise_is_listened_to() {
        let heard = said(&[0x16, 0x03, 0x01], Play::Answer, &Page::default());
        assert_eq!((heard.bytes.len(), heard.close, heard.request.as_deref()), (0, false, Some(TLS)));
        assert!(said(b"\0\0", Play::Fail, &Page::default()).close);
    }

    #[test]
    fn credentials_are_granted_as_a_machine_does() {
        let ask = |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\n\r\n");
            String::from_utf8(said(request.as_bytes(), Play::Answer, &Page::Credentials).bytes).expect("text")
        };
        assert!(ask("/latest/meta-data/iam/security-credentials/").ends_with("trial"));
        assert!(ask("/latest/meta-data/iam/security-credentials/trial").contains("AccessKeyId"));
        assert!(ask("/latest/nothing").starts_with("HTTP/1.1 404"));
    }
}
