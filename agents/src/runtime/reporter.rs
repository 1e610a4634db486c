//! Owns the stream of notes to the witness: best effort, numbered, and never able to hold a service up. Refuses to
//! know what the notes say.
//!
//! A full queue drops, and counts what it dropped: the next line that gets through says so.

use super::clock::mono_ns;
use crate::wire::{From, Line, Note};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait at most.
const QUEUE_LINES_MAX: usize = 512;
/// How long one connect or write may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// Pause before a further connect; doubles up to sixteen times this.
const PAUSE: Duration = Duration::from_millis(50);
/// Stack of the sending thread: it does little.
const STACK_BYTES: usize = 64 * 1024;

/// What waits in the queue.
#[derive(Debug)]
enum Item {
    Line(Box<Line>),
    /// Everything before this has left: say so.
    Flush(SyncSender<()>),
}

/// A handle that can be cloned; lines of all clones leave over one connection.
#[derive(Debug, Clone)]
pub struct Reporter {
    from: From,
    queue: SyncSender<Item>,
    seq: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Reporter {
    /// Starts the sending thread.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn start(witness: SocketAddr, from: From) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE_LINES_MAX);
        let builder = std::thread::Builder::new().name("reporter".to_owned()).stack_size(STACK_BYTES);
        builder.spawn(move || send_all(witness, &waiting))?;
        Ok(Self { from, queue, seq: Arc::default(), dropped: Arc::default() })
    }

    /// Hands a note over; never waits.
    pub fn note(&self, note: Note) {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let line = Line { mono_ns: mono_ns(), seq, dropped, from: self.from.clone(), note };
        if self.queue.try_send(Item::Line(Box::new(line))).is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }

    /// Waits until the notes so far have left, but no longer than `patience`; for a process that is about to exit.
    /// Returns whether they have.
    pub fn flush(&self, patience: Duration) -> bool {
        let (reached, told) = sync_channel(1);
        self.queue.try_send(Item::Flush(reached)).is_ok() && told.recv_timeout(patience).is_ok()
    }
}

fn send_all(witness: SocketAddr, waiting: &Receiver<Item>) {
    let mut connection = None;
    let mut pause = PAUSE;
    while let Ok(item) = waiting.recv() {
        let line = match item {
            Item::Line(line) => line,
            Item::Flush(reached) => {
                // Whoever asked may have lost patience.
                let _told = reached.try_send(());
                continue;
            }
        };
        // A line is a plain tree of strings and numbers: it always serialises.
        let Ok(mut bytes) = serde_json::to_vec(&line) else { continue };
        bytes.push(b'\n');
        loop {
            if connection.is_none() {
                connection = connect(witness);
            }
            let sent = connection.as_mut().is_some_and(|stream: &mut TcpStream| stream.write_all(&bytes).is_ok());
            if sent {
                pause = PAUSE;
                break;
            }
            connection = None;
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE * 16);
        }
    }
}

fn connect(witness: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&witness, PATIENCE).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}
