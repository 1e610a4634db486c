//! Owns a lookup on its way: over UDP, and over TCP where the answer does not fit. Refuses to decide whom to ask, for how
//! long to wait and whether to ask again.

use super::dns::{self, Heard};
use crate::machine::Outcome;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Asks one server once.
pub(super) async fn lookup(to: SocketAddr, name: &str, id: u16) -> Outcome {
    let Some(question) = dns::question(id, name) else { return Outcome::Broken };
    match over_udp(to, name, id, &question).await {
        Ok(Heard::Reply(reply)) => Outcome::Reply(reply),
        Ok(_) => match over_tcp(to, name, id, &question).await {
            Ok(Heard::Reply(reply)) => Outcome::Reply(reply),
            Ok(_) => Outcome::Broken,
            Err(error) => outcome_of(error.kind()),
        },
        Err(error) => outcome_of(error.kind()),
    }
}

fn outcome_of(kind: ErrorKind) -> Outcome {
    match kind {
        ErrorKind::ConnectionRefused => Outcome::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Outcome::Unreachable,
        _ => Outcome::Broken,
    }
}

async fn over_udp(to: SocketAddr, name: &str, id: u16, question: &[u8]) -> std::io::Result<Heard> {
    // A port of its own for each question: with the id it is what an answer must know.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(to).await?;
    socket.send(question).await?;
    let mut buffer = [0; 2_048];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match dns::heard(id, name, &buffer[..length]) {
            Heard::Nothing => {}
            heard => return Ok(heard),
        }
    }
}

async fn over_tcp(to: SocketAddr, name: &str, id: u16, question: &[u8]) -> std::io::Result<Heard> {
    let mut stream = TcpStream::connect(to).await?;
    let length = u16::try_from(question.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(dns::heard(id, name, &answer))
}
