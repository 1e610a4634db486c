//! Owns who is told of what a server does: metrics, a webhook, a receiver of traces. Refuses to be waited for, and to know
//! why anything was decided.

use super::Folders;
use super::keep::Listener;
use crate::courier::QUEUE_MAX;
use crate::courier::attempt::Patience;
use crate::metrics::{Due, Metrics, Remembered};
use crate::notify::{self, Webhook};
use crate::region::state::State;
use crate::schedule::keeper::{Keeper, begins};
use crate::schedule::ledger::{Entry, Held, Slot};
use crate::schedule::moment::Moment;
use crate::schedule::{File, Outcome};
use crate::traces::{self, Traces};
use anyhow::Result;
use reports::notice::{Notice, Span};
use reports::record::Record;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

/// The disk is looked at so often.
const DISK_EVERY: Duration = Duration::from_secs(10);
/// Who waits to be told when the server ends is waited for so long.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// All who are told.
pub struct Tell {
    metrics: Arc<Metrics>,
    webhook: Option<Webhook>,
    traces: Option<Tracing>,
    folders: Folders,
    /// Where the server answers, for links.
    address: String,
    looked: Option<Moment>,
}

impl Tell {
    /// As a schedule file asks for them.
    ///
    /// # Errors
    /// A secret that cannot be read, an address that is none.
    pub fn new(file: &File, metrics: Arc<Metrics>, folders: Folders, address: String) -> Result<Self> {
        let hook = |hook: &crate::schedule::file::Webhook| {
            let (url, secret) = (hook.url.clone(), PathBuf::from(&hook.secret_file));
            Webhook::start(
                notify::Settings { url, secret, roots: None, patience: Patience::USUAL },
                Arc::clone(&metrics),
            )
        };
        let trace = |endpoint: &String| {
            let settings =
                traces::Settings { endpoint: endpoint.clone(), headers: None, roots: None, patience: Patience::USUAL };
            Tracing::start(Traces::start(settings, Arc::clone(&metrics))?)
        };
        let webhook = file.webhook.as_ref().map(hook).transpose()?;
        let traces = file.otlp.as_ref().map(trace).transpose()?;
        Ok(Self { metrics, webhook, traces, folders, address, looked: None })
    }

    /// What earlier servers left, of schedules that are kept still.
    pub fn remember(&self, keeper: &Keeper) {
        self.metrics.set_unfinished(keeper.ledger().open().count() as u64);
        for schedule in &keeper.plan().schedules {
            let known = keeper.ledger().accounted_until(&schedule.name).unwrap_or_default();
            let next = schedule.due.next_after(known);
            let after = next.and_then(|next| schedule.due.next_after(next));
            let period = next.zip(after).map_or(0.0, |(next, after)| after.since(next).as_secs_f64());
            self.metrics.set_schedule(&schedule.name, period, seconds(known));
        }
        let mut past: Vec<&Held> = keeper.ledger().runs().collect();
        past.reverse();
        for held in past {
            let schedule = held.slot.as_ref().map(|slot| slot.schedule.as_str());
            let is_kept = |name: &str| keeper.plan().schedules.iter().any(|schedule| schedule.name == name);
            let (outcome, Some(ended), Some(true)) = (held.outcome, held.ended, schedule.map(is_kept)) else {
                continue;
            };
            let (scenario, world, fails) =
                (held.choice.scenario.as_str(), held.choice.world.word(), held.outcome == Outcome::Violated);
            self.metrics.remember(Remembered { scenario, world, outcome, fails, schedule, ended_s: seconds(ended) });
        }
    }

    fn ended(&self, held: &Held, outcome: Outcome, why: &str, at: Moment) {
        let (scenario, world) = (held.choice.scenario.as_str(), held.choice.world.word());
        let schedule = held.slot.as_ref().map(|slot| slot.schedule.as_str());
        let (begun, ended) = (held.begun.to_string(), at.to_string());
        let folder = self.folders.runs.join(&held.run);
        let record = std::fs::read_to_string(folder.join("record.json")).ok();
        let record = record.and_then(|text| reports::record::from_json(&text).ok());
        match &record {
            Some(record) => self.metrics.ended(record, outcome, schedule, seconds(at)),
            None if outcome == Outcome::Refused => {
                self.metrics.refused(scenario, world, schedule, "not-begun");
                self.metrics.over();
            }
            None => self.metrics.over(),
        }
        if let Some(webhook) = &self.webhook {
            let notice = match &record {
                Some(record) => {
                    let span = Span { started_utc: &begun, ended_utc: &ended };
                    Notice::of(record, outcome.word(), span)
                        .with_report(format!("{}/runs/{}/report", self.address, held.run))
                }
                None => Notice::refused(scenario, world, why, &ended),
            };
            let notice = notice.of_schedule(schedule);
            webhook.notify(&if why.is_empty() { notice } else { notice.because(why) });
        }
        if let (Some(traces), Some(record)) = (&self.traces, record) {
            traces.send(folder.join("events.jsonl"), record);
        }
    }

    fn begun(&self, keeper: &Keeper, held: (&str, &str), slot: Option<&Slot>, at: Moment) {
        let schedule = slot.and_then(|slot| keeper.plan().schedules.iter().find(|one| one.name == slot.schedule));
        let due = slot
            .zip(schedule)
            .map(|(slot, schedule)| Due { schedule: &slot.schedule, due_s: seconds(begins(schedule, slot)) });
        self.metrics.started(held.0, held.1, due, seconds(at));
    }
}

impl Listener for Tell {
    fn entry(&mut self, entry: &Entry, keeper: &Keeper) {
        match entry {
            Entry::Begun { slot, choice, at, .. } => {
                self.begun(keeper, (&choice.scenario, choice.world.word()), slot.as_ref(), *at);
            }
            Entry::Ended { run, outcome, why, at } => {
                if let Some(held) = keeper.ledger().run(run) {
                    self.ended(held, *outcome, why, *at);
                }
                self.metrics.set_unfinished(0);
                self.metrics.set_healed();
            }
            Entry::Refused { slot, reason, why, at, .. } => {
                self.metrics.refused("", "", Some(&slot.schedule), reason.word());
                if let Some(webhook) = &self.webhook {
                    webhook.notify(&Notice::refused("", "", why, &at.to_string()).of_schedule(Some(&slot.schedule)));
                }
            }
            Entry::Schema(_)
            | Entry::Accounted { .. }
            | Entry::Due { .. }
            | Entry::SetBack { .. }
            | Entry::Last { .. }
            | Entry::Halted { .. }
            | Entry::Resumed { .. } => {}
        }
    }

    fn look(&mut self, keeper: &Keeper, now: Moment) {
        self.metrics.set_halted(keeper.ledger().halt().is_some());
        for (name, last) in keeper.conditions() {
            if let Some(last) = last {
                self.metrics.set_condition(name, last.is_ok());
            }
        }
        for schedule in &keeper.plan().schedules {
            self.metrics.set_next_run(&schedule.name, keeper.next(schedule).map(|(_, at)| seconds(at)));
        }
        if self.looked.is_none_or(|looked| now.since(looked) >= DISK_EVERY) {
            self.looked = Some(now);
            self.metrics.look_at_disk(&self.folders.runs);
        }
    }

    fn regions(&mut self, regions: &[State]) {
        self.metrics.set_regions(regions);
    }

    fn finish(self: Box<Self>) {
        if let Some(webhook) = self.webhook {
            webhook.finish(FINISH_WITHIN);
        }
        if let Some(traces) = self.traces {
            traces.finish();
        }
    }
}

/// Reads what a run wrote and makes a trace of it, in a thread of its own: a journal of a hundred thousand events is no matter
/// of the loop's.
struct Tracing {
    runs: SyncSender<(PathBuf, Record)>,
    thread: JoinHandle<()>,
}

impl Tracing {
    fn start(traces: Traces) -> Result<Self> {
        let (runs, ended) = mpsc::sync_channel::<(PathBuf, Record)>(QUEUE_MAX);
        let work = move || {
            for (events, record) in ended {
                let events = std::fs::read_to_string(events).unwrap_or_default();
                if let Ok(journal) = reports::journal::read(&events) {
                    traces.send(&record, &journal.events);
                }
            }
            traces.finish(FINISH_WITHIN);
        };
        let thread = std::thread::Builder::new().name("traces-of-runs".to_owned()).spawn(work)?;
        Ok(Self { runs, thread })
    }

    fn send(&self, events: PathBuf, record: Record) {
        if self.runs.try_send((events, record)).is_err() {
            tracing::warn!("no trace is made of a run: too many wait");
        }
    }

    fn finish(self) {
        drop(self.runs);
        if self.thread.join().is_err() {
            tracing::warn!("making traces ended with a panic");
        }
    }
}

fn seconds(moment: Moment) -> f64 {
    moment.0 as f64 / 1000.0
}
