//! Owns what speaks for real software on its host: it takes what customers, callers and the witness ask of an instance, asks
//! the software the same in its own protocol, and answers what came of it. Refuses to answer for the software: what it does
//! not say is not said, and what is not there gets no answer.
//!
//! - [`http`], [`command`], [`postgres`], [`redis`], [`etcd`]: one file for each protocol
//!
//! It keeps no connection and remembers nothing. An acknowledged write is one that the software has acknowledged.

mod command;
mod etcd;
mod http;
mod postgres;
mod redis;
#[cfg(test)]
mod tests;

use agents::config::{AdapterConfig, HostConfig};
use agents::machine::Nanos;
use agents::runtime::front::{self, Software};
use agents::runtime::reporter::Reporter;
use agents::wire::{Ask, Failure, Note, Reply, Write};
use fixtures::graph::image::{ClientReach, Protocol, Request};
use fixtures::name::InstanceName;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How often the software is asked whether it answers, for what it tells of its own life.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why the software did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// Nobody is there: no connection, or one that ended before the answer.
    Silent,
    /// No answer in time.
    Late,
    /// It said no, in these words.
    Refused(String),
}

impl Trouble {
    /// What a connection's error says.
    fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => Self::Late,
            _ => Self::Silent,
        }
    }
}

/// Runs what speaks for an instance, for ever.
///
/// # Errors
/// Where its address cannot be listened on: the supervisor starts it again.
pub(crate) fn run(host: &HostConfig, config: &AdapterConfig) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let reporter = Reporter::start(host.witness, config.from.clone())?;
    let adapter = Adapter(Rc::new(config.clone()));
    let looking = adapter.clone();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            ended = front::serve(config.listen, adapter) => ended,
            () = looking.tell(&reporter) => Ok(()),
        }
    })
}

#[derive(Debug, Clone)]
struct Adapter(Rc<AdapterConfig>);

impl Software for Adapter {
    async fn answer(&self, ask: Ask, remaining: Option<Nanos>) -> Option<Reply> {
        let by = &self.0.name;
        let bound = self.bound(remaining);
        let stores = self.0.stores;
        let done = match ask {
            Ask::Work { operation, .. } if !self.0.operations.iter().any(|known| **known == *operation) => {
                return Some(Reply::fail(by, Failure::Unknown));
            }
            Ask::Work { write: Some(write), .. } if stores => {
                let done = within(bound, self.write(&write)).await;
                done.map(|at| Reply { stored_at: [self.member(at)].into_iter().collect(), ..Reply::ok(by) })
            }
            Ask::Work { operation, .. } => within(bound, self.perform(&operation)).await.map(|()| Reply::ok(by)),
            Ask::Ready | Ask::Need { .. } => within(bound, self.probe()).await.map(|()| Reply::ok(by)),
            Ask::Read { key } => match within(bound, self.read(&key)).await {
                Ok(None) => Ok(Reply::fail(by, Failure::NotFound)),
                Ok(value) => Ok(Reply { value, ..Reply::ok(by) }),
                Err(trouble) => Err(trouble),
            },
            // Nobody pushes versions of real software, or sets its host's clock wrong, by asking it.
            Ask::Live | Ask::Version => Ok(Reply { value: Some(String::new()), ..Reply::ok(by) }),
            _ => Ok(Reply::fail(by, Failure::Unknown)),
        };
        match done {
            Ok(reply) => Some(reply),
            Err(Trouble::Silent) => None,
            Err(Trouble::Late) => Some(Reply::fail(by, Failure::Deadline)),
            Err(Trouble::Refused(why)) => {
                tracing::debug!("{by}: {why}");
                Some(Reply::fail(by, Failure::Internal))
            }
        }
    }
}

/// What the software does within a time.
async fn within<T>(bound: Duration, doing: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::time::timeout(bound, doing).await.unwrap_or(Err(Trouble::Late))
}

impl Adapter {
    /// How long the software may take: a tenth of what a caller waits is for the way back.
    fn bound(&self, remaining: Option<Nanos>) -> Duration {
        let most = self.0.client.timeout;
        remaining.map_or(most, |ns| most.min(Duration::from_nanos(ns / 10 * 9)))
    }

    /// Tells the witness when the software begins to answer, and when it ceases.
    async fn tell(&self, reporter: &Reporter) {
        reporter.note(Note::Starting);
        let mut answers = false;
        loop {
            let now = within(self.0.probe.timeout, self.probe()).await.is_ok();
            if now != answers {
                reporter.note(if now { Note::Serving } else { Note::Starting });
                answers = now;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the instance itself answers.
    async fn probe(&self) -> Result<(), Trouble> {
        let probe = &self.0.probe;
        let to = SocketAddr::new(self.0.own, probe.port);
        match probe.protocol {
            Protocol::Tcp => connect(to).await.map(drop),
            Protocol::Http => http::ask(to, &probe.request, None).await.map(drop),
            Protocol::Command => command::run(&self.0, &probe.request, None).await.map(drop),
            Protocol::Etcd => etcd::read(to, "").await.map(drop),
            Protocol::Redis => redis::ping(to, &self.0.client).await,
            Protocol::Postgres => postgres::query(&[self.0.own], probe.port, &self.0.client, &probe.request).await,
        }
    }

    /// What an operation asks for, or what the probe asks for.
    async fn perform(&self, operation: &str) -> Result<(), Trouble> {
        let client = &self.0.client;
        let Some(request) = client.operations.get(operation) else { return self.probe().await };
        let to = SocketAddr::new(self.0.own, client.port);
        match client.protocol {
            Protocol::Http => http::ask(to, request, None).await.map(drop),
            Protocol::Command => command::run(&self.0, request, None).await.map(drop),
            Protocol::Postgres => postgres::query(&self.asked().await?, client.port, client, request).await,
            Protocol::Tcp | Protocol::Etcd | Protocol::Redis => self.probe().await,
        }
    }

    /// The member at an address.
    fn member(&self, at: IpAddr) -> InstanceName {
        let known = self.0.members.iter().find(|(_, address)| *address == at);
        known.map_or_else(|| self.0.name.clone(), |(name, _)| name.clone())
    }

    /// Writes a key; returns where the member is that took it.
    async fn write(&self, write: &Write) -> Result<IpAddr, Trouble> {
        let Write { key, value } = write;
        let client = &self.0.client;
        let to = SocketAddr::new(self.0.own, client.port);
        if let Some(request) = &client.write {
            return self.templated(request, key, value).await.map(|_| self.0.own);
        }
        match client.protocol {
            Protocol::Etcd => etcd::write(to, key, value).await.map(|()| self.0.own),
            Protocol::Redis => {
                let master = self.master(to).await?;
                redis::write(master, client, key, value).await.map(|()| master.ip())
            }
            Protocol::Postgres => postgres::write(&self.asked().await?, client, key, value).await,
            Protocol::Http | Protocol::Tcp | Protocol::Command => {
                Err(Trouble::Refused("nothing says how a key is written".to_owned()))
            }
        }
    }

    async fn read(&self, key: &str) -> Result<Option<String>, Trouble> {
        let client = &self.0.client;
        let to = SocketAddr::new(self.0.own, client.port);
        if let Some(request) = &client.read {
            return self.templated(request, key, "").await;
        }
        match client.protocol {
            Protocol::Etcd => etcd::read(to, key).await,
            Protocol::Redis => redis::read(self.master(to).await?, client, key).await,
            Protocol::Postgres => postgres::read(&self.asked().await?, client, key).await,
            Protocol::Http | Protocol::Tcp | Protocol::Command => {
                Err(Trouble::Refused("nothing says how a key is read".to_owned()))
            }
        }
    }

    /// A read or a write that the graph spells out; the text is that of the answer, `None` where there is no such key.
    async fn templated(&self, request: &Request, key: &str, value: &str) -> Result<Option<String>, Trouble> {
        let to = SocketAddr::new(self.0.own, self.0.client.port);
        match self.0.client.protocol {
            Protocol::Http => http::ask(to, request, Some((key, value))).await,
            Protocol::Command => command::run(&self.0, request, Some((key, value))).await,
            Protocol::Postgres | Protocol::Tcp | Protocol::Etcd | Protocol::Redis => {
                Err(Trouble::Refused("this protocol has its own reads and writes".to_owned()))
            }
        }
    }

    /// The members that a client is given. Who speaks for software that is not there is not there either, whoever else is.
    async fn asked(&self) -> Result<Vec<IpAddr>, Trouble> {
        if self.0.client.reach == ClientReach::Own {
            return Ok(vec![self.0.own]);
        }
        connect(SocketAddr::new(self.0.own, self.0.client.port)).await?;
        Ok(self.0.members.iter().map(|(_, address)| *address).collect())
    }

    /// Where the master is.
    async fn master(&self, own: SocketAddr) -> Result<SocketAddr, Trouble> {
        let ClientReach::Sentinel(sentinel) = &self.0.client.reach else { return Ok(own) };
        connect(own).await?;
        redis::master(&self.0.sentinels, &sentinel.master, &self.0.client).await
    }
}

async fn connect(to: SocketAddr) -> Result<TcpStream, Trouble> {
    TcpStream::connect(to).await.map_err(|error| Trouble::of(&error))
}
