//! Owns putting a question to the image from inside its network, each on a thread of its own. Refuses to judge the answer.
//!
//! Over TLS it believes whoever answers ([`anybody`]): it asks whether the image answers, not whose certificate it has.

mod anybody;

use super::super::protocol::{IMAGE, Seen};
use super::super::question::Question;
use super::Teller;
use agents::runtime::clock::mono_ns;
use scenarios::trial::Reply;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio_rustls::rustls::StreamOwned;

/// Of an answer so much is read, in bytes.
const ANSWER_MAX: usize = 4096;

/// Asks, and tells what became of it.
pub(super) fn begin(id: u64, question: Question, within_ms: u64, teller: Teller) {
    std::thread::spawn(move || {
        let began = mono_ns();
        let reply = ask(&question, began + within_ms * 1_000_000);
        teller.tell(&Seen::Reply { id, reply, took_ms: (mono_ns() - began) / 1_000_000 });
    });
}

fn ask(question: &Question, until_ns: u64) -> Reply {
    match question {
        Question::Tcp { port } => connect(*port, until_ns).map_or_else(|reply| reply, |_| Reply::Well),
        Question::Http { port, path, tls } => {
            let asked = connect(*port, until_ns).and_then(|stream| match tls {
                true => sealed(stream, path, until_ns),
                false => stream
                    .try_clone()
                    .map_err(|error| trouble(&error))
                    .and_then(|own| get(own, &stream, path, until_ns)),
            });
            asked.unwrap_or_else(|reply| reply)
        }
        Question::Command { .. } => Reply::Broken("a command is run by the engine".to_owned()),
    }
}

/// What is left of the time; never zero, which would mean for ever.
fn left(until_ns: u64) -> Duration {
    Duration::from_nanos(until_ns.saturating_sub(mono_ns()).max(1_000_000))
}

fn trouble(error: &std::io::Error) -> Reply {
    match error.kind() {
        ErrorKind::ConnectionRefused => Reply::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Reply::Silent,
        _ => Reply::Broken(error.to_string()),
    }
}

fn connect(port: u16, until_ns: u64) -> Result<TcpStream, Reply> {
    TcpStream::connect_timeout(&SocketAddr::new(IMAGE.into(), port), left(until_ns)).map_err(|error| trouble(&error))
}

fn sealed(socket: TcpStream, path: &str, until_ns: u64) -> Result<Reply, Reply> {
    let session = anybody::session().map_err(|error| Reply::Broken(error.to_string()))?;
    let own = socket.try_clone().map_err(|error| trouble(&error))?;
    get(StreamOwned::new(session, own), &socket, path, until_ns)
}

/// Asks over a stream, which is the socket or goes over it.
fn get(mut stream: impl Read + Write, socket: &TcpStream, path: &str, until_ns: u64) -> Result<Reply, Reply> {
    let told = |error: std::io::Error| trouble(&error);
    socket.set_read_timeout(Some(left(until_ns))).map_err(told)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: trial\r\nuser-agent: blackstart\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(told)?;
    let mut answer = Vec::new();
    loop {
        if mono_ns() > until_ns {
            return Err(Reply::Silent);
        }
        socket.set_read_timeout(Some(left(until_ns))).map_err(told)?;
        let mut piece = [0; 1024];
        let read = match stream.read(&mut piece) {
            // Many end a connection over TLS without a word.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => 0,
            read => read.map_err(told)?,
        };
        answer.extend_from_slice(&piece[..read]);
        if read == 0 || answer.len() > ANSWER_MAX {
            return Ok(judged(&answer));
        }
        if is_whole(&answer) {
            return Ok(judged(&answer));
        }
    }
}

/// Whether all that is judged is there: a status that is well needs no body, and of an error the body ends where the answer says so,
/// whether or not the connection does.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let (head, body) = (String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), &answer[end + 4..]);
    let header = |name: &str| {
        head.lines()
            .skip(1)
            .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))
            .map(|(_, value)| value.trim())
    };
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if judged(answer) == Reply::Well || matches!(status, "204" | "304") {
        return true;
    }
    if header("transfer-encoding").is_some_and(|how| how.ends_with("chunked")) {
        return last_chunk(body);
    }
    header("content-length").and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

/// Whether pieces, each with its length before it, have come to the one without any.
fn last_chunk(mut body: &[u8]) -> bool {
    loop {
        let Some(end) = body.windows(2).position(|two| two == b"\r\n") else { return false };
        let line = String::from_utf8_lossy(&body[..end]).into_owned();
        let Ok(length) = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16) else {
            return false;
        };
        if length == 0 {
            return true;
        }
        match body.get(end + 2..).and_then(|rest| rest.get(length.saturating_add(2)..)) {
            Some(rest) => body = rest,
            None => return false,
        }
    }
}

/// From the status line; of an error, the first line of its body is told.
fn judged(answer: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse::<u16>().ok());
    match status {
        Some(200..=399) => Reply::Well,
        Some(status) => {
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let line: String =
                body.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(120).collect();
            Reply::Error(if line.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {line}") })
        }
        None if text.is_empty() => Reply::Broken("the connection ended without an answer".to_owned()),
        None => Reply::Broken("the answer is not HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_ends_where_it_says_so_and_not_with_the_connection() {
        let sized = b"HTTP/1.1 503 x\r\nContent-Length: 5\r\n\r\nno db";
        assert!(is_whole(sized) && !is_whole(&sized[..sized.len() - 1]));
        let pieces = b"HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nno db\r\n0\r\n\r\n";
        assert!(is_whole(pieces) && !is_whole(&pieces[..pieces.len() - 6]));
        assert!(!is_whole(b"HTTP/1.1 503 x\r\n\r\nno"), "it says no length: the connection ends it");
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\n") && !is_whole(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n"));
        assert!(!is_whole(b"HTTP/1.1 503 x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n"));
    }

    #[test]
    fn an_open_connection_does_not_hide_an_error() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody");
            let _asked = stream.read(&mut [0; 512]);
            stream.write_all(b"HTTP/1.1 503 x\r\ncontent-length: 5\r\n\r\nno db").expect("it is taken");
            // Until the other side goes.
            let _ended = stream.read(&mut [0; 512]);
        });
        let stream = TcpStream::connect(at).expect("it listens");
        let own = stream.try_clone().expect("another one");
        let reply = get(own, &stream, "/", mono_ns() + 20_000_000_000);
        assert_eq!(reply, Ok(Reply::Error("HTTP 503: no db".to_owned())));
        drop(stream);
        server.join().expect("it ends");
    }

    #[test]
    fn an_answer_is_well_an_error_or_none() {
        assert_eq!(judged(b"HTTP/1.1 204 No Content\r\n\r\n"), Reply::Well);
        assert_eq!(judged(b"HTTP/1.0 503 x\r\n\r\n\nno db\n"), Reply::Error("HTTP 503: no db".to_owned()));
        assert!(matches!(judged(b""), Reply::Broken(_)) && matches!(judged(b"SSH-2.0"), Reply::Broken(_)));
    }
}
