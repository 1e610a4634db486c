//! Owns single questions from outside a region, with their answers: over DNS to a name server, over HTTP to an instance.
//! Refuses to know why it is asked.

use super::client::Client;
use super::tls::Tls;
use crate::machine::Outcome;
use crate::wire::{Ask, Text};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// Asks a name server once; `None` where nothing came in time.
pub async fn lookup(to: SocketAddr, name: &str, patience: Duration) -> Option<Outcome> {
    tokio::time::timeout(patience, super::resolve::lookup(to, name, fastrand::u16(..))).await.ok()
}

/// Asks an instance once, over a connection of its own; `None` where nothing came in time.
pub async fn ask(
    to: SocketAddr,
    secure: Option<Text>,
    root: Option<&str>,
    ask: &Ask,
    patience: Duration,
) -> Option<Outcome> {
    let tls = root.and_then(|root| Tls::new(root, false).ok()).map(Rc::new);
    let client = Client::with_tls(tls, Vec::new());
    let nanos = crate::config::nanos(patience);
    let asking = client.ask(to, secure, None, ask, nanos, |_| {});
    tokio::time::timeout(patience, asking).await.ok().map(|(outcome, _)| outcome)
}
