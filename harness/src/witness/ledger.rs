//! Owns the ledger of acknowledged writes, outside every zone: writes through the region's API at a steady pace,
//! remembers what was acknowledged and by whom, and reads it back at the end. Refuses to judge what is lost.

use super::protocol::{Entry, Seen, Watch};
use super::{Lines, ask};
use agents::config::Target;
use agents::machine::Nanos;
use agents::machine::target::Picker;
use agents::runtime::client::Client;
use agents::runtime::clock::mono_ns;
use agents::wire::Ask;
use fixtures::graph::{Breaker, Routing};
use fixtures::name::ZoneName;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long one read back may take, and how often it is tried: the region is quiet by then.
const READ_TIMEOUT: Duration = Duration::from_millis(800);
const READ_TRIES: u32 = 3;
/// The witness's own breaker, as a customer's.
const BREAKER: Breaker = Breaker { failures: 2, open_for: Duration::from_secs(1) };

/// Writes that were acknowledged.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: RefCell<Vec<Acknowledged>>,
    stopped: Cell<bool>,
    under_way: Cell<usize>,
}

#[derive(Debug, Clone)]
struct Acknowledged {
    key: String,
    value: String,
    stored_at: Vec<String>,
}

/// Writes to every zone until [`read_back`].
pub(super) fn start(ledger: &Rc<Ledger>, watch: &Rc<Watch>, lines: &Lines) {
    if watch.write_interval_ns == 0 {
        return;
    }
    for index in 0..watch.entries.len() {
        let (ledger, watch, lines) = (Rc::clone(ledger), Rc::clone(watch), lines.clone());
        tokio::task::spawn_local(async move { write_for_ever(index, &ledger, &watch, &lines).await });
    }
}

async fn write_for_ever(index: usize, ledger: &Rc<Ledger>, watch: &Rc<Watch>, lines: &Lines) {
    let Some(entry) = watch.entries.get(index) else { return };
    let Ok(zone) = ZoneName::new(entry.zone.clone()) else { return };
    let mut picker = Picker::new(&entry.targets, Some(BREAKER), Routing::ZoneFirst, &zone, 0);
    let mut due: Nanos = mono_ns();
    for number in 0_u64.. {
        // One at a time: the ledger wants acknowledged writes, not load. What a slow write missed is not made up for.
        due = mono_ns().max(due + watch.write_interval_ns);
        tokio::time::sleep(Duration::from_nanos(due.saturating_sub(mono_ns()))).await;
        if ledger.stopped.get() {
            return;
        }
        let Some(target) = picker.pick(mono_ns(), &[]) else { return };
        let address = picker.target(target).address;
        let one = write_one(entry, number, address, Rc::clone(ledger), Rc::clone(watch), lines.clone());
        match one.await {
            true => picker.succeeded(target),
            false => picker.failed(target, mono_ns()),
        }
    }
}

async fn write_one(
    entry: &Entry,
    number: u64,
    address: SocketAddr,
    ledger: Rc<Ledger>,
    watch: Rc<Watch>,
    lines: Lines,
) -> bool {
    let (key, value) = (format!("{}-{number}", entry.zone), format!("v{number}-{}", mono_ns()));
    let write = Some((key.clone(), value.clone()));
    let operation = Ask::Work { operation: watch.operation.clone(), write };
    ledger.under_way.set(ledger.under_way.get() + 1);
    let reply = ask(&Client::default(), address, &operation, watch.timeout).await;
    ledger.under_way.set(ledger.under_way.get() - 1);
    let Ok(reply) = reply else { return false };
    let stored_at: Vec<String> = reply.stored_at.iter().map(ToString::to_string).collect();
    if reply.error.is_none() && !stored_at.is_empty() {
        lines.send(Seen::Acknowledged { key: key.clone(), stored_at: stored_at.clone(), mono_ns: mono_ns() });
        ledger.entries.borrow_mut().push(Acknowledged { key, value, stored_at });
    }
    true
}

/// Stops writing, waits for what is under way, and reads every acknowledged write from everyone who stored it.
pub(super) async fn read_back(ledger: &Ledger, watch: &Watch, lines: &Lines) {
    ledger.stopped.set(true);
    while ledger.under_way.get() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let client = Client::default();
    let entries = ledger.entries.borrow().clone();
    for entry in entries {
        for from in &entry.stored_at {
            let target = watch.probes.iter().map(|probed| &probed.target).find(|target| target.name.as_str() == from);
            let there = match target {
                Some(target) => read(&client, target, &entry).await,
                None => None,
            };
            lines.send(Seen::ReadBack { key: entry.key.clone(), from: from.clone(), there, mono_ns: mono_ns() });
        }
    }
    lines.send(Seen::ReadBackDone);
}

async fn read(client: &Client, target: &Target, entry: &Acknowledged) -> Option<bool> {
    let key = Ask::Read { key: entry.key.clone() };
    for _ in 0..READ_TRIES {
        if let Ok(reply) = ask(client, target.address, &key, READ_TIMEOUT).await {
            return Some(reply.value.as_ref() == Some(&entry.value));
        }
    }
    None
}
