//! Owns the way from a run's folder into a hub: ten times a second what has been written meanwhile, and at the end the
//! verdict. Refuses to know who writes the folder, and asks nothing of it.

use super::hub::Hub;
use super::tail::{Tail, Turn};
use reports::live::Picture;
use reports::record::{Record, from_json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The pace of frames: at most ten a second.
pub const FRAME: Duration = Duration::from_millis(100);

/// Whether whoever wrote the run is gone: what is not in its folder by then will never be. Clones are the same word.
#[derive(Debug, Clone, Default)]
pub struct Over(Arc<AtomicBool>);

impl Over {
    /// Says so.
    pub fn say(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether that was said.
    pub fn is_said(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The folder of one run, as it grows.
#[derive(Debug)]
pub struct Source {
    tail: Tail,
    record: PathBuf,
    /// Length of the record when it was last looked at: one that still grows is not read.
    length: u64,
    complained: bool,
}

/// How far a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It goes on.
    Open,
    /// The verdict is told.
    Closed,
}

impl Source {
    /// Of a folder, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        let tail = Tail::new(folder.join("events.jsonl"));
        Self { tail, record: folder.join("record.json"), length: 0, complained: false }
    }

    /// Takes in what has come since the last turn. With `is_last`, what is not there yet never will be.
    pub fn turn(&mut self, picture: &mut Picture, is_last: bool) -> Stage {
        // Where there is more, the rest has its turn soon; the end comes after all of it.
        if self.read(picture, is_last) == Turn::More {
            return Stage::Open;
        }
        if let Some(record) = self.record(is_last) {
            picture.judged(&record);
            return Stage::Closed;
        }
        if is_last {
            if self.tail.torn() > 0 {
                picture.unread();
            }
            picture.lost("whoever held it is gone, and left no record");
            return Stage::Closed;
        }
        Stage::Open
    }

    /// Takes in what has been written: a turn's share of it, or all.
    pub fn read(&mut self, picture: &mut Picture, all: bool) -> Turn {
        loop {
            let turn = self.tail.turn(|line| picture.line(line));
            (0..self.tail.take_too_long()).for_each(|_| picture.unread());
            match turn {
                Ok(Turn::More) if all => {}
                Ok(turn) => return turn,
                Err(error) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        tracing::warn!("the run cannot be shown live: events.jsonl: {error}");
                    }
                    return Turn::UpToDate;
                }
            }
        }
    }

    /// The record, as soon as it is whole.
    fn record(&mut self, is_last: bool) -> Option<Record> {
        let length = std::fs::metadata(&self.record).ok()?.len();
        let is_steady = length > 0 && length == self.length;
        self.length = length;
        if !is_steady && !is_last {
            return None;
        }
        from_json(&std::fs::read_to_string(&self.record).ok()?).ok()
    }
}

/// Feeds a hub from a run's folder until the verdict is told, or it is known that there will be none.
pub async fn follow(hub: Arc<Hub>, folder: PathBuf, over: Over) {
    let mut source = Source::new(&folder);
    let mut every = tokio::time::interval(FRAME);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // Asked before the turn: what was written before that was said is read.
        let is_last = over.is_said();
        if hub.feed(|picture| source.turn(picture, is_last)) == Stage::Closed {
            hub.end();
            return;
        }
    }
}
