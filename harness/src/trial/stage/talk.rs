//! Owns what somebody who is there says on one connection: bytes in, bytes out. Refuses to know sockets.
//!
//! Only HTTP/1 is spoken; to everybody else it listens. That is said where it matters: a dependency that must say something
//! else has to be left out, or its client will find it silent.

use super::super::protocol::Page;
use scenarios::trial::Play;

/// Of a request so much is kept, in bytes: nobody sends more to a mock.
const REQUEST_MAX: usize = 1 << 20;
/// A request line is told up to here.
const LINE_MAX: usize = 120;
const METHODS: [&str; 9] = ["GET ", "POST ", "PUT ", "HEAD ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE "];

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Talk {
    heard: Vec<u8>,
    told: bool,
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
    /// Hears more, and answers as `play` has it.
    pub(super) fn hear(&mut self, bytes: &[u8], play: Play, page: &Page) -> Said {
        self.heard.extend_from_slice(bytes);
        let mut said = Said::default();
        if self.heard.is_empty() {
            return said;
        }
        if !is_http(&self.heard) {
            said.request = self.first(foreign(&self.heard));
            said.close = play == Play::Fail;
            self.heard.clear();
            return said;
        }
        while let Some(request) = next(&self.heard) {
            said.request = said.request.or(self.first(request.line.clone()));
            said.bytes.extend(match play {
                Play::Fail => response(503, "out of order\n", &request),
                _ => answered(page, &request),
            });
            said.close |= request.is_last;
            self.heard.drain(..request.length);
        }
        if self.heard.len() > REQUEST_MAX {
            said.close = true;
        }
        said
    }

    fn first(&mut self, line: String) -> Option<String> {
        (!std::mem::replace(&mut self.told, true)).then(|| line.chars().take(LINE_MAX).collect())
    }
}

/// Whether this is, or may yet be, a request by HTTP.
fn is_http(heard: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let method = method.as_bytes();
        let common = method.len().min(heard.len());
        heard[..common] == method[..common]
    })
}

/// What else is spoken, where that is seen from its first bytes.
fn foreign(heard: &[u8]) -> String {
    match heard {
        [0x16, 0x03, ..] => "TLS".to_owned(),
        [b'P', b'R', b'I', b' ', ..] => "HTTP/2 (gRPC)".to_owned(),
        _ => "not HTTP".to_owned(),
    }
}

struct Request {
    line: String,
    head: bool,
    /// Bytes of it, its body included.
    length: usize,
    is_last: bool,
}

/// The first whole request.
fn next(heard: &[u8]) -> Option<Request> {
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&heard[..end]);
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let mut words = line.split(' ');
    let (method, path, version) = (words.next(), words.next().unwrap_or_default(), words.next());
    let (mut body, mut chunked, mut close) = (0, false, version == Some("HTTP/1.0"));
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match (name.to_ascii_lowercase().as_str(), value.trim().to_ascii_lowercase()) {
            ("content-length", value) => body = value.parse::<usize>().unwrap_or_default().min(REQUEST_MAX),
            ("transfer-encoding", value) => chunked = value.contains("chunked"),
            ("connection", value) if value == "close" => close = true,
            _ => {}
        }
    }
    let length =
        if chunked { end + heard[end..].windows(5).position(|five| five == b"0\r\n\r\n")? + 5 } else { end + body };
    let line = format!("{} {path}", method.unwrap_or_default());
    (heard.len() >= length).then(|| Request { head: method == Some("HEAD"), line, length, is_last: close })
}

fn answered(page: &Page, request: &Request) -> Vec<u8> {
    match page {
        Page::Fixed { status, body } => response(*status, body, request),
        Page::Credentials => {
            let (status, body) = credentials(&request.line);
            response(status, body, request)
        }
    }
}

/// As the metadata service of a virtual machine grants credentials (IMDSv2 of EC2), and as one of a container does.
fn credentials(line: &str) -> (u16, &'static str) {
    const GRANTED: &str = concat!(
        r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIATRIAL","SecretAccessKey":"trial","Token":"trial","#,
        r#""LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}"#
    );
    let path = line.split(' ').nth(1).unwrap_or_default();
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

fn response(status: u16, body: &str, request: &Request) -> Vec<u8> {
    let kind = if body.trim_start().starts_with(['{', '[']) { "application/json" } else { "text/plain" };
    let close = if request.is_last { "connection: close\r\n" } else { "" };
    let shown = if request.head { "" } else { body };
    let length = body.len();
    format!("HTTP/1.1 {status} trial\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{close}\r\n{shown}")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(said: &Said) -> String {
        String::from_utf8_lossy(&said.bytes).into_owned()
    }

    #[test]
    fn requests_are_answered_one_by_one_however_they_arrive() {
        let mut talk = Talk::default();
        let page = Page::default();
        assert_eq!(talk.hear(b"PO", Play::Answer, &page), Said::default());
        let first = talk.hear(b"ST /v1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", Play::Answer, &page);
        assert_eq!(first, Said::default());
        let both = talk.hear(b"cGET /x HTTP/1.1\r\nConnection: close\r\n\r\n", Play::Answer, &page);
        assert_eq!(text(&both).matches("HTTP/1.1 200").count(), 2);
        assert_eq!((both.close, both.request.as_deref()), (true, Some("POST /v1")));
        let failed =
            talk.hear(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Play::Fail, &page);
        assert!(text(&failed).starts_with("HTTP/1.1 503") && failed.request.is_none());
    }

    #[test]
    fn whoever_speaks_otherwise_is_listened_to() {
        let mut talk = Talk::default();
        let said = talk.hear(&[0x16, 0x03, 0x01], Play::Answer, &Page::default());
        assert_eq!((said.bytes.len(), said.close, said.request.as_deref()), (0, false, Some("TLS")));
        assert!(Talk::default().hear(b"\0\0", Play::Fail, &Page::default()).close);
    }

    #[test]
    fn credentials_are_granted_as_a_machine_does() {
        let ask = |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\n\r\n");
            text(&Talk::default().hear(request.as_bytes(), Play::Answer, &Page::Credentials))
        };
        assert!(ask("/latest/meta-data/iam/security-credentials/").ends_with("trial"));
        assert!(ask("/latest/meta-data/iam/security-credentials/trial").contains("AccessKeyId"));
        assert!(ask("/latest/nothing").starts_with("HTTP/1.1 404"));
    }
}
