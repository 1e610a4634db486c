//! Owns which runs can be looked at live: the one that goes on, followed from its folder, and those that are over, read when
//! somebody looks. Refuses to write anything.

use crate::live::follow::{Over, Source};
use crate::live::route::Runs;
use crate::live::tail::{Tail, Turn};
use crate::live::{Hub, Limits, follow};
use crate::load::{self, Loaded};
use crate::metrics::Metrics;
use crate::schedule::ledger::Choice;
use crate::serve::Folders;
use crate::serve::keep::Door;
use reports::live::Picture;
use reports::live::page::Offer;
use reports::live::region::{About, Region};
use scenarios::event::Event;
use scenarios::judge::Case;
use scenarios::turn;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Pictures that are kept: the one that goes on, and those that people look at just now.
const KEPT: usize = 8;
/// How often viewers are counted, where nothing else happens.
const VIEWERS_EVERY: Duration = Duration::from_secs(5);
/// How often metrics take in what a run has written.
const COUNTED_EVERY: Duration = Duration::from_millis(500);

/// What there is to look at.
pub struct Shown {
    folders: Folders,
    hubs: Mutex<VecDeque<Kept>>,
}

/// A picture that people look at.
struct Kept {
    run: String,
    hub: Arc<Hub>,
    /// Frames that were taken and missed when it was counted last.
    counted: (u64, u64),
}

impl Shown {
    /// Nothing yet.
    pub fn new(folders: Folders) -> Self {
        Self { folders, hubs: Mutex::default() }
    }

    /// Counts who looks just now, and the frames that were taken and missed since it was counted last.
    fn count(&self, metrics: &Metrics) {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut viewers, mut handed, mut missed) = (0, 0, 0);
        for Kept { hub, counted, .. } in hubs.iter_mut() {
            let now = (hub.handed(), hub.missed());
            viewers += hub.viewers();
            handed += now.0 - counted.0;
            missed += now.1 - counted.1;
            *counted = now;
        }
        metrics.set_viewers(viewers);
        metrics.frames(handed, missed);
    }

    fn keep(&self, run: &str, hub: &Arc<Hub>) {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.push_back(Kept { run: run.to_owned(), hub: Arc::clone(hub), counted: (0, 0) });
        // Never the one that goes on; nobody's who looks, where there is another.
        while hubs.len() > KEPT {
            let unseen = hubs.iter().position(|kept| kept.hub.has_ended() && kept.hub.viewers() == 0);
            let ended = || hubs.iter().position(|kept| kept.hub.has_ended());
            let Some(place) = unseen.or_else(ended) else { return };
            hubs.remove(place);
        }
    }

    /// A run that is over, as it was.
    fn past(&self, run: &str) -> Option<Arc<Hub>> {
        let is_id = run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let folder = self.folders.runs.join(run);
        let record = is_id.then(|| std::fs::read_to_string(folder.join("record.json")).ok()).flatten()?;
        let record = reports::record::from_json(&record).ok()?;
        let hub = Hub::new(Picture::new(Arc::new(Region::of_record(&record))), Limits::default());
        hub.feed(|picture| Source::new(&folder).turn(picture, true));
        hub.end();
        self.keep(run, &hub);
        Some(hub)
    }
}

impl Runs for Shown {
    fn hub(&self, run: &str) -> Option<Arc<Hub>> {
        let kept = {
            let hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
            hubs.iter().find(|kept| kept.run == run).map(|kept| Arc::clone(&kept.hub))
        };
        kept.or_else(|| self.past(run))
    }

    fn offer(&self) -> Offer {
        Offer { halt: true, home: true }
    }
}

/// Shows each run that the loop begins, for as long as it is polled.
pub async fn show_all(shown: Arc<Shown>, mut door: Door, metrics: Arc<Metrics>) {
    let mut going: Option<(String, Over)> = None;
    loop {
        let (run, choice) = {
            let view = door.view.borrow_and_update();
            let run = view.status.run.clone();
            let choice = run.as_ref().and_then(|run| view.ledger.run(run)).map(|held| held.choice.clone());
            (run, choice)
        };
        if going.as_ref().map(|(run, _)| run) != run.as_ref() {
            if let Some((_, over)) = going.take() {
                over.say();
            }
            if let (Some(run), Some(choice)) = (run, choice) {
                going = show(&shown, &run, &choice, &metrics).map(|over| (run, over));
            }
        }
        shown.count(&metrics);
        // Viewers come and go also while nothing else happens.
        if let Ok(Err(_)) = tokio::time::timeout(VIEWERS_EVERY, door.view.changed()).await {
            return;
        }
    }
}

fn show(shown: &Arc<Shown>, run: &str, choice: &Choice, metrics: &Arc<Metrics>) -> Option<Over> {
    let mut loaded = load::scenario(&choice.scenario, false).ok()?;
    loaded.scenario = turn::turned(&loaded.scenario, &loaded.topology, choice.turn);
    loaded.plan = scenarios::plan::plan(&loaded.scenario, &loaded.placement, choice.seed);
    let Loaded { scenario, topology, graph, placement, plan, .. } = &loaded;
    let case = Case { scenario, plan, topology, graph, placement };
    let about = About { run: run.to_owned(), world: choice.world.word().to_owned(), seed: choice.seed };
    let hub = Hub::new(Picture::new(Arc::new(Region::of_case(about, &case))), Limits::default());
    let (over, folder) = (Over::default(), shown.folders.runs.join(run));
    shown.keep(run, &hub);
    tokio::spawn(follow(hub, folder.clone(), over.clone()));
    tokio::spawn(count(folder, over.clone(), Arc::clone(metrics)));
    Some(over)
}

/// Metrics know which faults are in force, and in which phase a run is.
async fn count(folder: PathBuf, over: Over, metrics: Arc<Metrics>) {
    let mut tail = Tail::new(folder.join("events.jsonl"));
    loop {
        let is_last = over.is_said();
        let read = tail.turn(|line| {
            if let Ok(event) = serde_json::from_str::<Event>(line) {
                metrics.event(&event);
            }
        });
        match read {
            Ok(Turn::More) => continue,
            Ok(_) if !is_last => {}
            _ => return,
        }
        tokio::time::sleep(COUNTED_EVERY).await;
    }
}
