//! Owns a run's folder while the run lasts: numbers events, writes them line by line, and syncs what must be on the
//! disk before an act. Refuses to know what the events mean.

use crate::clock::Clock;
use crate::controller::Nanos;
use anyhow::{Context, Result};
use scenarios::event::{By, Detail, Event, EventId, Place};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The events of one run, in memory and in `events.jsonl`.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    file: BufWriter<File>,
    /// Lines may wait in memory: nothing is at stake when the process is killed.
    buffered: bool,
    clock: Arc<Clock>,
    events: Vec<Event>,
}

impl Journal {
    /// Makes the run's folder below `out`.
    ///
    /// # Errors
    /// Where it cannot be written: no permission, a full disk.
    pub fn create(out: &Path, run: &str, clock: Arc<Clock>) -> Result<Self> {
        let folder = out.join(run);
        let told = || format!("the run's folder {} cannot be written; name another with --out", folder.display());
        std::fs::create_dir_all(&folder).with_context(told)?;
        let path = folder.join("events.jsonl");
        let file = OpenOptions::new().create_new(true).append(true).open(&path).with_context(told)?;
        Ok(Self { folder, file: BufWriter::new(file), buffered: false, clock, events: Vec::new() })
    }

    /// As [`Journal::create`]; lines are on the disk only after [`Journal::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn create_buffered(out: &Path, run: &str, clock: Arc<Clock>) -> Result<Self> {
        Ok(Self { buffered: true, ..Self::create(out, run, clock)? })
    }

    /// Opens the journal that a killed process left, to write its end; half a last line is taken off. Returns when the run
    /// began (RFC 3339), as far as its first event tells.
    ///
    /// # Errors
    /// Where it cannot be read or written, or is damaged elsewhere than at its end.
    pub fn reopen(out: &Path, run: &str) -> Result<(Self, Option<(String, Nanos)>)> {
        let folder = out.join(run);
        let path = folder.join("events.jsonl");
        let told = || format!("{} cannot be taken up", path.display());
        let text = std::fs::read_to_string(&path).with_context(told)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let events = reports::journal::read(&text[..whole]).with_context(told)?.events;
        let file = OpenOptions::new().append(true).open(&path).with_context(told)?;
        file.set_len(whole as u64).with_context(told)?;
        let began = events.first().map(|event| (event.utc.clone(), event.t_ns));
        let clock = Arc::new(Clock::began(began.as_ref()));
        Ok((Self { folder, file: BufWriter::new(file), buffered: false, clock, events }, began))
    }

    /// The same by another clock.
    #[must_use]
    pub fn by(self, clock: Arc<Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Writes lines that wait in memory.
    ///
    /// # Errors
    /// Where the disk does not take them.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().context("events.jsonl cannot be written")
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything seen so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Writes one event.
    ///
    /// # Errors
    /// Where the disk does not take it: the run cannot go on without its record.
    pub fn write(&mut self, t_ns: Nanos, by: By, place: Place, detail: Detail, synced: bool) -> Result<&Event> {
        let id = EventId(self.events.len() as u64 + 1);
        let event = Event { id, t_ns, utc: self.clock.utc(t_ns), by, place, detail };
        let mut line = reports::journal::to_line(&event);
        if !line.ends_with('\n') {
            line.push('\n');
        }
        self.file.write_all(line.as_bytes()).context("events.jsonl cannot be written")?;
        if !self.buffered {
            self.flush()?;
        }
        if synced {
            self.file.get_ref().sync_data().context("events.jsonl cannot be synced")?;
        }
        self.events.push(event);
        // Just pushed.
        Ok(&self.events[self.events.len() - 1])
    }

    /// Writes another file of the run.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn add_file(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        let mut file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}
