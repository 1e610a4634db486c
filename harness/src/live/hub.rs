//! Owns how one picture reaches many viewers: each turn of its feeder becomes at most one frame, encoded once and shared;
//! the last frames are kept, and every viewer takes them at its own pace. Who is further behind than that is told
//! everything anew, and what it missed is counted. Nobody has a queue of its own, so nobody can fill one. Refuses to know
//! where events come from, and to write to anybody.

use axum::body::Bytes;
use reports::live::Picture;
use reports::live::region::Region;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// What a hub allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Viewers at once.
    pub viewers: usize,
    /// Frames that are kept for those who are behind, or come back.
    pub frames: usize,
    /// After so long without a frame, viewers are told that the line is alive.
    pub heartbeat: Duration,
}

impl Default for Limits {
    /// Frames of some five seconds at ten a second.
    fn default() -> Self {
        Self { viewers: 256, frames: 48, heartbeat: Duration::from_secs(10) }
    }
}

/// The picture of one run with those who look at it.
#[derive(Debug)]
pub struct Hub {
    region: Arc<Region>,
    /// Tells frames of this hub from those of another one of the same run, before the server was started again.
    boot: u64,
    /// What is told once, encoded.
    begin: Bytes,
    limits: Limits,
    state: Mutex<State>,
    latest: watch::Sender<Latest>,
    viewers: AtomicUsize,
    missed: AtomicU64,
    handed: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug)]
struct State {
    picture: Picture,
    /// The last frames; the newest has the number of [`Latest`].
    frames: VecDeque<Bytes>,
    /// Everything that stood after a frame, encoded, where somebody has asked for it since.
    whole: Option<(u64, Bytes)>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Latest {
    frame: u64,
    ended: bool,
}

/// All places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{viewers} viewers are looking already, and no more are let in")]
pub struct Full {
    /// How many there are.
    pub viewers: usize,
}

/// What a viewer is handed next.
enum Next {
    Frame(Bytes),
    /// It has everything there is.
    Nothing,
    /// What it needs is no longer kept.
    Behind,
    Ended,
}

impl Hub {
    /// Of a picture, with nobody looking yet.
    pub fn new(picture: Picture, limits: Limits) -> Arc<Self> {
        let region = Arc::clone(picture.region());
        let begin = format!("retry: 2000\nevent: region\ndata: {}\n\n", encoded(&*region));
        Arc::new(Self {
            region,
            boot: crate::clock::fresh_seed(),
            begin: begin.into(),
            limits,
            state: Mutex::new(State { picture, frames: VecDeque::new(), whole: None }),
            latest: watch::channel(Latest::default()).0,
            viewers: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
            handed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// The region that is shown.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// How many look.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Frames that viewers were not sent because they were too slow for them, over all viewers.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Frames that viewers took.
    pub fn handed(&self) -> u64 {
        self.handed.load(Ordering::Relaxed)
    }

    /// Viewers that were not let in.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether the run is over, and everything was told.
    pub fn has_ended(&self) -> bool {
        self.latest.borrow().ended
    }

    /// One turn of whoever feeds the picture; what it changed is one frame. Turns are the pace of frames.
    pub fn feed<T>(&self, turn: impl FnOnce(&mut Picture) -> T) -> T {
        let mut state = self.state();
        let result = turn(&mut state.picture);
        if let Some(delta) = state.picture.delta() {
            let frame = self.latest.borrow().frame + 1;
            let bytes = self.frame(frame, "delta", &encoded(&delta));
            state.frames.push_back(bytes);
            if state.frames.len() > self.limits.frames {
                state.frames.pop_front();
            }
            // While the lock is held: who asks for everything is told with which frame it goes on.
            self.latest.send_modify(|latest| latest.frame = frame);
        }
        result
    }

    /// Nothing more will come: viewers are told so when they have everything.
    pub fn end(&self) {
        self.latest.send_modify(|latest| latest.ended = true);
    }

    /// A viewer who begins, or comes back and had everything up to the frame of this id.
    ///
    /// # Errors
    /// Where all places are taken.
    pub fn watch(self: &Arc<Self>, after: Option<&str>) -> Result<Viewer, Full> {
        let max = self.limits.viewers;
        let more = |viewers: usize| (viewers < max).then_some(viewers + 1);
        if let Err(viewers) = self.viewers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Full { viewers });
        }
        let latest = self.latest.subscribe();
        let had = after.and_then(|id| self.number(id));
        let mut viewer =
            Viewer { hub: Arc::clone(self), latest, ready: VecDeque::new(), next: 0, missed: 0, told_end: false };
        match had {
            // It goes on where it was, also where that is no longer kept: then it is told everything but the region.
            Some(had) => {
                viewer.ready.push_back(Bytes::from_static(b": welcome back\n\n"));
                viewer.next = had + 1;
            }
            None => {
                viewer.ready.push_back(self.begin.clone());
                let (frame, whole) = self.whole();
                viewer.ready.push_back(whole);
                viewer.next = frame + 1;
            }
        }
        Ok(viewer)
    }

    /// The number of a frame of this hub by its id.
    fn number(&self, id: &str) -> Option<u64> {
        let (boot, frame) = id.split_once('-')?;
        let frame = frame.parse().ok().filter(|frame| *frame <= self.latest.borrow().frame);
        if boot.parse() == Ok(self.boot) { frame } else { None }
    }

    fn frame(&self, number: u64, kind: &str, data: &str) -> Bytes {
        format!("id: {}-{number}\nevent: {kind}\ndata: {data}\n\n", self.boot).into()
    }

    /// Everything that stands, and the frame after which it stood. Encoded once, however many ask.
    fn whole(&self) -> (u64, Bytes) {
        let mut state = self.state();
        let number = self.latest.borrow().frame;
        match &state.whole {
            Some((of, bytes)) if *of == number => (number, bytes.clone()),
            _ => {
                let bytes = self.frame(number, "now", &encoded(state.picture.now()));
                state.whole = Some((number, bytes.clone()));
                (number, bytes)
            }
        }
    }

    fn next(&self, wanted: u64) -> Next {
        let state = self.state();
        let Latest { frame, ended } = *self.latest.borrow();
        if wanted > frame {
            return if ended { Next::Ended } else { Next::Nothing };
        }
        let back = usize::try_from(frame - wanted).unwrap_or(usize::MAX);
        match state.frames.len().checked_sub(back.saturating_add(1)).and_then(|at| state.frames.get(at)) {
            Some(bytes) => Next::Frame(bytes.clone()),
            None => Next::Behind,
        }
    }

    /// A panic of another thread leaves a picture that is at worst incomplete; viewers are better off with it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encoded(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("a picture has text keys and no serialiser of its own")
}

/// One who looks.
#[derive(Debug)]
pub struct Viewer {
    hub: Arc<Hub>,
    latest: watch::Receiver<Latest>,
    /// What goes out before anything else: at most two.
    ready: VecDeque<Bytes>,
    /// The frame that it needs next.
    next: u64,
    missed: u64,
    told_end: bool,
}

impl Viewer {
    /// What goes over the wire next, as soon as there is something; `None` where everything was told. It is not asked for
    /// while the wire is full, and that is all that a slow viewer costs.
    pub async fn frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            // Before the look: what comes after it wakes.
            self.latest.mark_unchanged();
            match self.hub.next(self.next) {
                Next::Frame(bytes) => {
                    self.next += 1;
                    self.hub.handed.fetch_add(1, Ordering::Relaxed);
                    return Some(bytes);
                }
                Next::Behind => self.catch_up(),
                Next::Ended if self.told_end => return None,
                Next::Ended => {
                    self.told_end = true;
                    return Some(Bytes::from_static(b"event: end\ndata: true\n\n"));
                }
                Next::Nothing => {
                    let changed = tokio::time::timeout(self.hub.limits.heartbeat, self.latest.changed()).await;
                    if changed.is_err() {
                        // The comment keeps what is between us awake; a script hears events only.
                        return Some(Bytes::from_static(b": still here\nevent: beat\ndata: true\n\n"));
                    }
                }
            }
        }
    }

    fn catch_up(&mut self) {
        let (frame, whole) = self.hub.whole();
        let missed = (frame + 1).saturating_sub(self.next);
        self.missed += missed;
        self.hub.missed.fetch_add(missed, Ordering::Relaxed);
        self.next = frame + 1;
        self.ready.push_back(whole);
        self.ready.push_back(format!("event: behind\ndata: {}\n\n", self.missed).into());
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.hub.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
