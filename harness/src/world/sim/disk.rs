//! Owns a simulated state file: what is on the disk, what is only in the memory of the host, and what a loss of power
//! takes away. Refuses to know what the entries mean.

use agents::machine::{Nanos, RequestId};
use fixtures::graph::store::TornEnd;
use scenarios::seed::Seeds;

type Entry = (String, String);

/// One instance's state file.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// On the disk.
    durable: Vec<Entry>,
    /// Written, and not yet synced.
    cached: Vec<Entry>,
    /// Under way: they share one write, and one sync where one of them asks for it.
    batch: Vec<(RequestId, Entry)>,
    batch_syncs: bool,
    /// Wait for the batch under way.
    waiting: Vec<(RequestId, Entry, bool)>,
    /// The half of an entry is at its end.
    torn: bool,
}

impl Disk {
    /// Takes an append. Returns how long the batch that it begins takes; `None` where it waits for another.
    pub(super) fn append(&mut self, id: RequestId, entry: Entry, sync: bool, sync_ns: Nanos) -> Option<Nanos> {
        if !self.batch.is_empty() {
            self.waiting.push((id, entry, sync));
            return None;
        }
        self.batch.push((id, entry));
        self.batch_syncs = sync;
        Some(self.takes(sync_ns))
    }

    fn takes(&self, sync_ns: Nanos) -> Nanos {
        // A write into the host's memory alone costs next to nothing.
        if self.batch_syncs { sync_ns } else { sync_ns / 100 }
    }

    /// The batch under way is done: who is to be told, and how long the next one takes.
    pub(super) fn batch_done(&mut self, sync_ns: Nanos) -> (Vec<RequestId>, Option<Nanos>) {
        let mut told = Vec::new();
        for (id, entry) in self.batch.drain(..) {
            told.push(id);
            self.cached.push(entry);
        }
        if self.batch_syncs {
            self.durable.append(&mut self.cached);
        }
        self.batch_syncs = self.waiting.iter().any(|(_, _, sync)| *sync);
        self.batch.extend(self.waiting.drain(..).map(|(id, entry, _)| (id, entry)));
        let next = if self.batch.is_empty() { None } else { Some(self.takes(sync_ns)) };
        (told, next)
    }

    /// The process ended; its host lives on, and so does what it wrote.
    pub(super) fn process_ended(&mut self) {
        self.cached.extend(self.batch.drain(..).map(|(_, entry)| entry));
        self.waiting.clear();
    }

    /// The host lost power, and with it what was not synced. Torn: a part of the batch under way has reached the disk, and
    /// the half of an entry is at its end; where nothing was under way, the half of one more like the last, as an engine's
    /// hand leaves it.
    pub(super) fn power_lost(&mut self, torn: Option<&mut Seeds>) {
        self.cached.clear();
        self.waiting.clear();
        let tears = torn.is_some();
        let reached = torn.map_or(0, |seeds| seeds.up_to(self.batch.len() as u64) as usize);
        let under_way = !self.batch.is_empty();
        self.durable.extend(self.batch.drain(..).take(reached).map(|(_, entry)| entry));
        self.torn |= tears && (under_way || !self.durable.is_empty());
    }

    /// A process reads its file and cuts a torn end off, or does not: says whether it can start.
    pub(super) fn opened(&mut self, torn_end: TornEnd) -> bool {
        if self.torn && torn_end == TornEnd::Refuse {
            return false;
        }
        self.torn = false;
        true
    }

    /// What the next start finds.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.durable.iter().chain(&self.cached).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str) -> Entry {
        (key.to_owned(), "v".to_owned())
    }

    #[test]
    fn a_loss_of_power_takes_what_was_not_synced_and_a_process_end_does_not() {
        let mut disk = Disk::default();
        assert_eq!(disk.append(RequestId(1), entry("synced"), true, 1_000), Some(1_000));
        assert_eq!(disk.append(RequestId(2), entry("cached"), false, 1_000), None, "it waits for the one under way");
        assert_eq!(disk.batch_done(1_000), (vec![RequestId(1)], Some(10)));
        assert_eq!(disk.batch_done(1_000), (vec![RequestId(2)], None));
        disk.process_ended();
        assert_eq!(disk.entries(), [entry("synced"), entry("cached")]);
        disk.power_lost(Some(&mut Seeds::new(1)));
        assert_eq!(disk.entries(), [entry("synced")]);
    }

    #[test]
    fn a_torn_end_stays_until_somebody_cuts_it_off() {
        let mut disk = Disk::default();
        disk.power_lost(Some(&mut Seeds::new(1)));
        assert!(disk.opened(TornEnd::Refuse), "an empty file has no end to be torn");
        disk.append(RequestId(1), entry("one"), true, 1_000);
        disk.batch_done(1_000);
        disk.power_lost(Some(&mut Seeds::new(1)));
        assert!(!disk.opened(TornEnd::Refuse) && !disk.opened(TornEnd::Refuse));
        assert!(disk.opened(TornEnd::Cut) && disk.opened(TornEnd::Refuse));
        assert_eq!(disk.entries(), [entry("one")]);
        disk.power_lost(None);
        assert!(disk.opened(TornEnd::Refuse), "what is merely lost tears nothing");
    }

    #[test]
    fn a_sync_takes_what_was_written_before_it_along() {
        let mut disk = Disk::default();
        disk.append(RequestId(1), entry("early"), false, 1_000);
        disk.batch_done(1_000);
        disk.append(RequestId(2), entry("late"), true, 1_000);
        disk.batch_done(1_000);
        disk.power_lost(Some(&mut Seeds::new(1)));
        assert_eq!(disk.entries(), [entry("early"), entry("late")]);
    }
}
