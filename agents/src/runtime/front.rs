//! Owns the listening side of what speaks for real software: requests come in as they come to an agent, and whoever
//! implements [`Software`] finds the answers. Refuses to know how.

use super::server::{self, Serves};
use crate::machine::{Counters, Nanos};
use crate::wire::{Ask, Reply};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Real software, as what speaks for it sees it.
pub trait Software: 'static {
    /// Asks the software; `None` where nobody is there to answer. `remaining` is how long whoever asked still waits.
    fn answer(&self, ask: Ask, remaining: Option<Nanos>) -> impl Future<Output = Option<Reply>>;
}

struct Front<S> {
    software: S,
    counters: Cell<Counters>,
}

impl<S: Software> Serves for Front<S> {
    /// Real software keeps its certificates to itself; what speaks for it is asked in the clear.
    fn acceptor(&self) -> Option<TlsAcceptor> {
        None
    }

    async fn request(self: &Rc<Self>, ask: Ask, remaining: Option<Nanos>, _: bool) -> Option<Reply> {
        let reply = self.software.answer(ask, remaining).await;
        let mut counters = self.counters.get();
        match &reply {
            Some(reply) if reply.error.is_none() => counters.ok += 1,
            _ => counters.failed += 1,
        }
        self.counters.set(counters);
        reply
    }

    fn signed(&self, reply: Reply, _: &[u8], _: &[String]) -> Reply {
        reply
    }

    fn counters(&self) -> Counters {
        self.counters.get()
    }
}

/// Answers for ever; must be called on a thread's local set.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn serve(listen: SocketAddr, software: impl Software) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    server::accept(listener, Rc::new(Front { software, counters: Cell::default() })).await;
    Ok(())
}
