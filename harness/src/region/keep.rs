//! Owns a keeper of a standing region: it has the region whenever nobody else has, brings it back when it is lost, and counts
//! what customers got while game days were held in it. Refuses to build a region and to remove one.
//!
//! It is a process of its own and not a part of a server: the region outlives the server, and a server that is started again
//! finds it kept. It knows nothing that is not in the region's folder, so that a keeper which is killed is replaced by another.

use super::availability::{Availability, Window};
use super::declared::{Declared, Region};
use super::folder::{Folder, Lock};
use super::ledger::{self, What};
use super::state::{Phase, State, zones};
use super::tenure::{self, Before, End, per_s};
use crate::clock::Keeping;
use crate::exit;
use crate::run::Stop;
use crate::schedule::moment::Moment;
use anyhow::{Context, Result, bail};
use scenarios::event::{By, Detail, Event};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks at whether the region is free again, or the engine is there again.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Between two attempts to take a region over that was lost.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The same reason is said again only after so many attempts.
const SAID_AGAIN: u32 = 60;

/// Who has, or wants, a region for a game day: what is in its lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The run.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// Where its files are.
    pub folder: PathBuf,
}

impl Guest {
    /// Of what is in a lock.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Keeps a region until somebody ends that.
///
/// # Errors
/// Where another keeper keeps it, or its files cannot be used.
pub fn keep(folder: &Folder) -> Result<u8> {
    let declared = Declared::read(folder)?;
    let region = declared.region()?;
    let who = format!("{{\"pid\":{}}}", std::process::id());
    let Some(_keeper) = folder.lock(Lock::Keeper, &who)? else {
        bail!("region `{}` is kept already, by another process", folder.name);
    };
    if declared.built.is_none() {
        bail!("region `{}` was never completed: `blackstart region up {}` begins anew", folder.name, folder.name);
    }
    let leave = told_to_leave()?;
    let mut keeper = Keeper {
        folder,
        declared: &declared,
        region: &region,
        clock: Keeping::start(),
        lost: None,
        said: (String::new(), 0),
    };
    // A keeper that comes anew does not know what was meanwhile: the region was last seen well when the last one said so.
    keeper.lost = State::read(folder).filter(|state| state.phase != Phase::Building).map(|state| state.at);
    while !*leave.borrow() {
        keeper.turn(&leave)?;
    }
    Ok(exit::OK)
}

/// Signals are heard in a thread of their own: tenures come and go with their runtimes.
fn told_to_leave() -> Result<watch::Receiver<bool>> {
    let (told, leave) = watch::channel(false);
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        runtime.block_on(async {
            match Stop::listen(false) {
                Err(error) => drop(ready.send(Err(error))),
                Ok(mut stop) => {
                    let _waits = ready.send(Ok(()));
                    stop.wanted().await;
                    let _ended = told.send(true);
                }
            }
        });
    })?;
    is_ready.recv().context("signals cannot be listened to")??;
    Ok(leave)
}

struct Keeper<'k> {
    folder: &'k Folder,
    declared: &'k Declared,
    region: &'k Region,
    clock: Keeping,
    /// Since when the region is lost.
    lost: Option<Moment>,
    /// Why, as it was said last, and how often it was not said since.
    said: (String, u32),
}

impl Keeper<'_> {
    /// One move: wait for a guest, or have the region for as long as that lasts.
    fn turn(&mut self, leave: &watch::Receiver<bool>) -> Result<()> {
        if let Some(guest) = self.folder.holder(Lock::Day) {
            return self.wait_for(Guest::read(&guest), leave);
        }
        let Some(used) = self.folder.lock(Lock::Use, "{\"by\":\"keeper\"}")? else {
            std::thread::sleep(LOOK_EVERY);
            return Ok(());
        };
        let end = tenure::hold(self.folder, self.declared, self.region, Before { lost: self.lost }, leave);
        drop(used);
        match end {
            End::Told => {}
            End::Wanted => self.lost = None,
            End::Lost(why) => {
                self.lost.get_or_insert(self.clock.now().wall);
                self.say_lost(&why)?;
                std::thread::sleep(AGAIN_AFTER);
            }
        }
        Ok(())
    }

    fn say_lost(&mut self, why: &str) -> Result<()> {
        if self.said.0 != why || self.said.1 >= SAID_AGAIN {
            tracing::warn!("region {}: {why}", self.folder.name);
            self.said = (why.to_owned(), 0);
        }
        self.said.1 += 1;
        self.state(Phase::Lost, why)
    }

    fn state(&self, phase: Phase, why: &str) -> Result<()> {
        let now = self.clock.now().wall;
        let Some(mut state) = State::read(self.folder) else { return Ok(()) };
        if state.phase != phase {
            (state.phase, state.since) = (phase, now);
        }
        (state.at, state.active) = (now, if phase == Phase::Lost { 0 } else { state.active });
        why.clone_into(&mut state.why);
        self.folder.write("state.json", &state)
    }

    /// A game day has the region, or is about to. What customers got meanwhile is in its events.
    fn wait_for(&mut self, guest: Option<Guest>, leave: &watch::Receiver<bool>) -> Result<()> {
        let from = self.clock.now().wall;
        while self.folder.holder(Lock::Day).is_some() {
            if *leave.borrow() {
                return Ok(());
            }
            self.state(Phase::Lent, "")?;
            std::thread::sleep(LOOK_EVERY);
        }
        // A guest that died left hosts with other moments of their start than anybody has written down.
        let entries = ledger::read(self.folder);
        let Some(guest) = guest else { return Ok(()) };
        let is_its = |entry: &ledger::Entry| matches!(&entry.what, What::GivenBack { run, .. } if *run == guest.run);
        let was_lent = entries.iter().rev().find_map(|entry| match &entry.what {
            What::Lent { run, .. } if *run == guest.run => Some(entry.at),
            _ => None,
        });
        if was_lent.is_some() && !entries.iter().any(is_its) {
            let troubled = vec!["its process was killed; its hand healed everything".to_owned()];
            ledger::write(self.folder, self.clock.now().wall, What::GivenBack { run: guest.run.clone(), troubled })?;
            let _none = std::fs::remove_file(self.folder.file("known.json"));
        }
        self.count_day(&guest, from)
    }

    fn count_day(&self, guest: &Guest, from: Moment) -> Result<()> {
        let text = std::fs::read_to_string(guest.folder.join("events.jsonl")).unwrap_or_default();
        let mut availability: Availability = self.folder.read("availability.json")?.unwrap_or_default();
        let mut is_first = true;
        for event in text.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok()) {
            let Detail::Canary { control: false, window_ns, sent, ok, degraded, .. } = &event.detail else { continue };
            let (Some(zone), Some(end), By::Canary) = (&event.place.zone, Moment::parse(&event.utc), event.by) else {
                continue;
            };
            if end < from {
                continue;
            }
            let (length, answered) = (Duration::from_nanos(*window_ns), ok + degraded);
            if std::mem::take(&mut is_first) {
                availability.begin_at(end.minus(length));
            }
            let window = Window { zone: zone.as_str(), end, length, sent: *sent, answered, in_day: true };
            availability.add(window, per_s(self.region));
        }
        // The way from one hand and witness to the next is nobody's outage: customers went on, and nobody counted.
        availability.begin_at(self.clock.now().wall);
        self.folder.write("availability.json", &availability)
    }
}

/// How a region stands that has no keeper yet.
pub fn first_state(declared: &Declared, region: &Region, phase: Phase, now: Moment) -> State {
    State {
        name: declared.name.clone(),
        run: declared.run.clone(),
        phase,
        since: now,
        at: now,
        built: declared.built.as_ref().map(|built| built.at),
        why: String::new(),
        day: None,
        hosts: region.placement.hosts.len(),
        instances: region.placement.instances.len(),
        active: 0,
        zones: zones(&Availability::default(), now),
        black_starts: 0,
        last_black_start_ms: None,
        drift: Vec::new(),
    }
}
