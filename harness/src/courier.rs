//! Owns how messages leave for one receiver: a queue with an end, a thread that tries each for a while, counts of what
//! became of them. Refuses to hold anybody up: whoever sends goes on at once, and what finds the queue full is dropped and
//! counted. What is in a message is no matter of it.
//!
//! - [`attempt`]: whether and when to try again, without any socket or clock
//! - `client`: one attempt over HTTP
//! - [`secret`]: what signs a message, and what must never be shown

pub mod attempt;
mod client;
pub mod secret;

use crate::clock;
use crate::metrics::Metrics;
use anyhow::{Result, bail};
use attempt::{Next, Patience, next};
use client::Client;
pub(crate) use client::roots;
use secret::Secret;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::time::Duration;

/// Messages that wait at most. One that hangs for minutes must not fill memory in a week.
pub const QUEUE_MAX: usize = 64;

/// Bytes of one message at most: what collectors take by default.
pub const BODY_MAX: usize = 4 << 20;

/// Whom messages go to. It has no `Debug`: there are secrets in it.
pub struct Receiver {
    /// `webhook`, `traces`: in metrics and the log.
    pub name: &'static str,
    /// Where: http or https. It may itself be a secret, and is never shown but for its host.
    pub url: String,
    /// Headers of every request; their values are never shown.
    pub headers: Vec<(String, String)>,
    /// Signs every attempt.
    pub secret: Option<Secret>,
    /// How long to go on trying.
    pub patience: Patience,
    /// Roots of trust, instead of the machine's own.
    pub roots: Option<PathBuf>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The same in every attempt, so that a receiver knows what it has already.
    pub id: String,
    /// JSON.
    pub body: String,
}

/// Takes messages to one receiver, in their order.
#[derive(Debug)]
pub struct Courier {
    name: &'static str,
    letters: SyncSender<Letter>,
    /// Its end is heard by a thread that waits for its next attempt.
    stop: mpsc::Sender<()>,
    /// Its other end is gone when the thread is.
    ended: mpsc::Receiver<()>,
    metrics: Arc<Metrics>,
}

impl Courier {
    /// Starts the thread.
    ///
    /// # Errors
    /// An address that is none, roots that cannot be read, a thread that cannot be started.
    pub fn start(receiver: Receiver, metrics: Arc<Metrics>) -> Result<Self> {
        let name = receiver.name;
        let client = Client::new(receiver)?;
        metrics.set_receiver(name);
        let (letters, waiting) = mpsc::sync_channel::<Letter>(QUEUE_MAX);
        let (stop, stopped) = mpsc::channel();
        let (alive, ended) = mpsc::channel();
        let counts = metrics.clone();
        let work = move || {
            let _alive: mpsc::Sender<()> = alive;
            for letter in waiting {
                take(&client, &letter, &stopped, &counts);
            }
        };
        std::thread::Builder::new().name(format!("courier-{name}")).spawn(work)?;
        Ok(Self { name, letters, stop, ended, metrics })
    }

    /// Takes a message, and returns at once.
    pub fn send(&self, letter: Letter) {
        let why = if letter.body.len() > BODY_MAX {
            "it is too large"
        } else {
            match self.letters.try_send(letter) {
                Ok(()) => return,
                Err(TrySendError::Full(_)) => "too many wait",
                Err(TrySendError::Disconnected(_)) => "its thread is gone",
            }
        };
        self.metrics.delivery(self.name, "dropped", 0);
        tracing::warn!("a message to {} was dropped: {why}", self.name);
    }

    /// Takes no more messages, and waits so long for those that wait. The rest are given up.
    pub fn finish(self, within: Duration) {
        let Self { letters, stop, ended, .. } = self;
        drop(letters);
        if ended.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("messages to {} were still waiting at the end", self.name);
        }
        drop(stop);
    }
}

/// Tries one message until it is delivered or given up.
fn take(client: &Client, letter: &Letter, stopped: &mpsc::Receiver<()>, metrics: &Metrics) {
    let receiver = &client.receiver;
    let mut made = 0;
    loop {
        let answer = client.post(letter, clock::unix_s() as i64);
        made += 1;
        let why = match next(&receiver.patience, made, &answer) {
            Next::Delivered => {
                metrics.delivery(receiver.name, "delivered", made - 1);
                return;
            }
            Next::GiveUp(why) => why,
            Next::Again(after) => {
                tracing::info!("{} at {}: {answer}; trying again in {after:?}", receiver.name, client.host);
                if stopped.recv_timeout(after) == Err(RecvTimeoutError::Timeout) {
                    continue;
                }
                format!("{answer}, and blackstart ends")
            }
        };
        metrics.delivery(receiver.name, "failed", made - 1);
        let (name, host, id) = (receiver.name, &client.host, &letter.id);
        tracing::warn!("message {id} to {name} at {host} was given up after {made} attempt(s): {why}");
        return;
    }
}

/// The host of an address, for people. An address may have a token in it, so it is never shown whole.
fn host_of(what: &str, url: &str) -> Result<String> {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else { bail!("the address of {what} is none") };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        bail!("the address of {what} must begin with http:// or https://");
    }
    let Some(authority) = uri.authority() else { bail!("the address of {what} has no host") };
    if authority.as_str().contains('@') {
        bail!(
            "the address of {what} has a name or password before its host: others could read it; use a file of headers"
        );
    }
    Ok(authority.to_string())
}
