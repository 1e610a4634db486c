//! Owns the controller's side of the conversation with the hand: orders with their answers, and the heartbeat that
//! keeps the lease. Refuses to know what the orders mean.

use super::link::{Speaker, converse};
use crate::hand::protocol::{Answer, Order, Task, Word};
use anyhow::{Result, anyhow, bail};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How many milliseconds the hand bears silence before it acts alone: long enough for a laptop's engine to stall, short
/// enough that a hung controller leaves nothing for 15 s.
pub(super) const LEASE_MS: u64 = 8_000;
const BEAT: Duration = Duration::from_millis(1000);
/// Bound of one order; killing and opening gates wait for deaths and for hosts to be at their gates.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who waits for which answer; nothing when the hand is gone, so that nobody waits for it any more.
type Waiting = Arc<Mutex<Option<BTreeMap<u64, oneshot::Sender<Result<Answer, String>>>>>>;

/// The hand, from outside.
#[derive(Debug, Clone)]
pub(super) struct Hand {
    speaker: Speaker,
    waiting: Waiting,
    next: Arc<AtomicU64>,
}

impl Hand {
    /// Takes over an attached container; `gone` is called when it ends.
    pub(super) fn new(attached: super::engine::Attached, gone: impl FnOnce() + Send + 'static) -> Self {
        let (speaker, mut words) = converse::<Word>(attached);
        let waiting: Waiting = Arc::new(Mutex::new(Some(BTreeMap::new())));
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(word) = words.recv().await {
                let mut waiting = answered.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(asked) = waiting.as_mut().and_then(|waiting| waiting.remove(&word.id)) {
                    // Whoever asked may have given up meanwhile.
                    let _gave_up = asked.send(word.result);
                }
            }
            drop(answered.lock().unwrap_or_else(PoisonError::into_inner).take());
            gone();
        });
        Self { speaker, waiting, next: Arc::new(AtomicU64::new(1)) }
    }

    /// Keeps the lease until the hand is gone.
    pub(super) fn keep_lease(&self) {
        let hand = self.clone();
        tokio::spawn(async move {
            while hand.ask(Task::Beat).await.is_ok() {
                tokio::time::sleep(BEAT).await;
            }
        });
    }

    /// Gives an order and waits for its answer.
    ///
    /// # Errors
    /// Where the hand is gone, silent, or could not do it.
    pub(super) async fn ask(&self, task: Task) -> Result<Answer> {
        self.try_ask(task).await?.map_err(|why| anyhow!("the hand: {why}"))
    }

    /// Gives an order that may well be impossible, and waits for its answer, or why it cannot be carried out.
    ///
    /// # Errors
    /// Where the hand is gone or silent.
    pub(super) async fn try_ask(&self, task: Task) -> Result<Result<Answer, String>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(waiting) => waiting.insert(id, sender),
            None => bail!("the hand is gone"),
        };
        self.speaker.say(&Order { id, task }).await?;
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => bail!("the hand is gone"),
            Err(_) => bail!("the hand did not answer in {} s", ANSWER_TIMEOUT.as_secs()),
        }
    }
}
