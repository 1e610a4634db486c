//! Owns the live view of runs: who follows a run's growing `events.jsonl`, and how what is seen reaches any number of
//! viewers without any of them delaying another or the run. Refuses to decide who may look ([`route::Runs`] says what there
//! is; access is its owner's), and to draw: that is [`reports::live`].
//!
//! - [`tail`]: lines of a file that another process writes
//! - [`hub`]: at most one frame for each turn, encoded once, kept for a while, and taken by each viewer at its own pace
//! - [`mod@follow`]: from the file into the hub, ten times a second, until the verdict is there
//! - [`route`]: the page, its two files, and the stream of frames
//! - [`alone`]: all of that for the length of one run, on a thread of its own (`run --live`)
//! - [`tui`]: the same picture in the terminal (`run --tui`)

pub mod alone;
pub mod follow;
pub mod hub;
pub mod route;
pub mod tail;
pub mod tui;

pub use follow::{Over, follow};
pub use hub::{Hub, Limits, Viewer};
pub use route::{Runs, router, tune};
