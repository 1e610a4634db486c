//! Owns what a person sees while a run goes on: a progress bar while hosts are made, and the timeline as it happens,
//! both on standard error. Refuses to print results.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scenarios::event::Event;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

/// The terminal of one run. Clones share it.
#[derive(Debug, Clone)]
pub struct Terminal {
    quiet: bool,
    bar: Arc<ProgressBar>,
}

impl Terminal {
    /// With `quiet`, nothing is shown.
    pub fn new(quiet: bool) -> Self {
        let draws = !quiet && std::io::stderr().is_terminal();
        let target = if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("        {bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self { quiet, bar: Arc::new(bar) }
    }

    /// One more of `of` is there.
    pub fn progress(&self, what: &str, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_message(what.to_owned());
        self.bar.inc(1);
        if self.bar.position() >= of as u64 {
            self.bar.finish_and_clear();
        }
    }

    /// One line of its own.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            // A terminal that has gone away must not end the run.
            self.bar.suspend(|| writeln!(std::io::stderr(), "{text}").unwrap_or_default());
        }
    }

    /// An event, where it is one that a person wants to see.
    pub fn event(&self, event: &Event) {
        if let Some(line) = reports::timeline::line(event) {
            self.say(&line);
        }
    }
}
