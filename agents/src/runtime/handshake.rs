//! Owns the measuring of what a handshake costs: two processes of one run, which show each other certificates over a real
//! connection, until the figure stands. Refuses to know what is done with it (the simulator charges it).

use super::clock;
use super::tls::{self, Tls, TlsError};
use crate::machine::Nanos;
use crate::wire::Grant;
use std::net::Ipv4Addr;
use tokio::net::{TcpListener, TcpStream};

/// The server's name.
const NAME: &str = "measured.internal";
/// Handshakes before those that count.
const WARM: u32 = 50;
/// Handshakes in one sample, and samples: the least counts, because whatever else the machine does can only add.
const EACH: u32 = 50;
const SAMPLES: u32 = 9;
/// How long the certificates are good, before and after now.
const GOOD_NS: i64 = 3_600_000_000_000;

/// Processor time, in nanoseconds, that opening a connection over TLS 1.3 costs each of its two ends, where both show a
/// certificate: the mean of both, because neither can be told from the other in one process.
///
/// # Errors
/// Where keys cannot be made, or this machine connects to itself in vain.
pub fn cost_ns() -> Result<Nanos, TlsError> {
    let keys = tls::new_root()?;
    let (server, client) = (Tls::new(&keys.root, true)?, Tls::new(&keys.root, false)?);
    let now = i64::try_from(clock::mono_ns()).unwrap_or(i64::MAX);
    let grant = Grant { from_ns: now - GOOD_NS, until_ns: now + GOOD_NS, ..Grant::default() };
    for (side, name) in [(&server, NAME), (&client, "asks.internal")] {
        side.install(&tls::sign(&keys, side.public_key(), &[name.to_owned()], grant)?)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        rounds(&listener, &server, &client, WARM).await?;
        let mut least = Nanos::MAX;
        for _ in 0..SAMPLES {
            let began = clock::processor_ns();
            rounds(&listener, &server, &client, EACH).await?;
            least = least.min(clock::processor_ns().saturating_sub(began));
        }
        Ok(least / Nanos::from(EACH) / 2)
    })
}

async fn rounds(listener: &TcpListener, server: &Tls, client: &Tls, count: u32) -> Result<(), TlsError> {
    let here = listener.local_addr()?;
    let (acceptor, name) = (server.acceptor(), tls::server_name(NAME));
    let (Some(acceptor), Some(name)) = (acceptor, name) else { return Err(TlsError::NoAuthority) };
    for _ in 0..count {
        let take = async {
            let (stream, _) = listener.accept().await?;
            acceptor.accept(stream).await
        };
        let open = async {
            let stream = TcpStream::connect(here).await?;
            client.connector(true).connect(name.clone(), stream).await
        };
        let (taken, opened) = tokio::join!(take, open);
        drop((taken?, opened?));
    }
    Ok(())
}
