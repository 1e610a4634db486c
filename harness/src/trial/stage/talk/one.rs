//! Owns HTTP/1 as somebody who is there speaks it. Refuses to decide what is answered.

use super::{Part, Said, answer, kind};

/// Of a request so much is kept, in bytes: nobody sends more to a mock.
const REQUEST_MAX: usize = 1 << 20;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct One {
    heard: Vec<u8>,
}

impl One {
    /// Hears more, and answers every request that is whole.
    pub(super) fn hear(&mut self, bytes: &[u8], part: &Part<'_>) -> Said {
        self.heard.extend_from_slice(bytes);
        let mut said = Said::default();
        while let Some(request) = next(&self.heard) {
            let (status, body) = answer(part.play, part.page, &request.path);
            said.bytes.extend(response(status, &body, &request));
            said.close |= request.is_last;
            self.heard.drain(..request.length);
            said.request = said.request.or(Some(format!("{} {}", request.method, request.path)));
        }
        if self.heard.len() > REQUEST_MAX {
            said.close = true;
        }
        said
    }
}

struct Request {
    method: String,
    path: String,
    /// Bytes of it, its body included.
    length: usize,
    is_last: bool,
}

/// The first whole request.
fn next(heard: &[u8]) -> Option<Request> {
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&heard[..end]);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut body, mut chunked, mut close) = (0, false, words.next().as_deref() == Some("HTTP/1.0"));
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
    (heard.len() >= length).then_some(Request { method, path, length, is_last: close })
}

fn response(status: u16, body: &str, request: &Request) -> Vec<u8> {
    let close = if request.is_last { "connection: close\r\n" } else { "" };
    let shown = if request.method == "HEAD" { "" } else { body };
    let (kind, length) = (kind(body), body.len());
    format!("HTTP/1.1 {status} trial\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{close}\r\n{shown}")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::super::super::protocol::Page;
    use super::super::Talk;
    use super::*;
    use scenarios::trial::Play;

    #[test]
    fn requests_are_answered_one_by_one_however_they_arrive() {
        let (mut talk, page) = (Talk::default(), Page::default());
        let mut hear =
            |bytes: &[u8], play: Play| talk.hear(bytes, &mut Part { play, page: &page, who: "db", notary: None });
        let text = |said: &Said| String::from_utf8_lossy(&said.bytes).into_owned();
        assert_eq!(hear(b"PO", Play::Answer), Said::default());
        assert_eq!(hear(b"ST /v1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", Play::Answer), Said::default());
        let both = hear(b"cGET /x HTTP/1.1\r\nConnection: close\r\n\r\n", Play::Answer);
        assert_eq!(text(&both).matches("HTTP/1.1 200").count(), 2);
        assert_eq!((both.close, both.request.as_deref()), (true, Some("POST /v1")));
        let failed = hear(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Play::Fail);
        assert!(text(&failed).starts_with("HTTP/1.1 503") && failed.request.is_none());
        let head = hear(b"HEAD / HTTP/1.1\r\n\r\n", Play::Answer);
        assert!(text(&head).ends_with("content-length: 3\r\n\r\n"), "{}", text(&head));
    }
}
