//! Owns what a person sees while a build goes on, on standard error: on a terminal the tree of its phases, drawn anew in its
//! place; elsewhere one line at each border of a phase. Refuses to know what is drawn ([`reports::build::tree`]), and in
//! which world it is built.

use crate::clock::Clock;
use crate::controller::Nanos;
use crate::live::tui::{Tui, size};
use fixtures::regional::estate::Estate;
use reports::build::progress::Progress;
use reports::build::tree;
use reports::live::screen::Screen;
use scenarios::build::plan::BuildPlan;
use scenarios::event::Event;
use std::io::Write;

/// The tree is drawn no more often than this.
const EVERY_NS: Nanos = 66_000_000;

/// Where everything goes that is drawn at once, so that nobody sees half of it.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[0J\u{1b}[?2026l";

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Tree,
    Lines,
    Nothing,
}

/// What a person sees of one build.
#[derive(Debug)]
pub struct Shown {
    how: How,
    color: bool,
    progress: Option<Progress>,
    clock: Clock,
    drawn_at: Option<Nanos>,
    /// Lines of the tree that stand on the terminal.
    lines: usize,
}

impl Shown {
    /// With `quiet`, nothing is shown.
    pub fn new(quiet: bool, color: bool) -> Self {
        let how = match (quiet, Tui::can()) {
            (true, _) => How::Nothing,
            (false, true) => How::Tree,
            (false, false) => How::Lines,
        };
        Self { how, color, progress: None, clock: Clock::start(), drawn_at: None, lines: 0 }
    }

    /// What is built, and how.
    pub fn begins(&mut self, estate: &Estate, plan: &BuildPlan) {
        self.progress = Some(Progress::new(estate, plan));
    }

    /// What was seen before, by whoever built it then: it counts, and only where it stands by now is shown.
    pub fn recall(&mut self, events: &[Event]) {
        let Some(progress) = &mut self.progress else { return };
        for event in events {
            progress.see(event);
        }
        if self.how == How::Lines {
            write(&(progress.line() + "\n"));
        }
    }

    /// Something was seen.
    pub fn event(&mut self, event: &Event) {
        let Some(progress) = &mut self.progress else { return };
        let begins = progress.see(event);
        match self.how {
            How::Lines if begins => write(&(progress.line() + "\n")),
            How::Tree => {
                let now = self.clock.now();
                if begins || self.drawn_at.is_none_or(|at| now.saturating_sub(at) >= EVERY_NS) {
                    self.drawn_at = Some(now);
                    self.draw();
                }
            }
            How::Lines | How::Nothing => {}
        }
    }

    /// One line of its own, above the tree.
    pub fn say(&mut self, text: &str) {
        if self.how == How::Nothing {
            return;
        }
        let above = if self.lines > 0 { format!("{BEGIN}{}{END}", up(self.lines)) } else { String::new() };
        write(&format!("{above}{text}\n"));
        self.lines = 0;
        if self.how == How::Tree {
            self.draw();
        }
    }

    /// It is over: the tree goes, and what is said of the end takes its place.
    pub fn over(&mut self) {
        if self.lines > 0 {
            write(&format!("{BEGIN}{}{END}", up(self.lines)));
        }
        self.lines = 0;
        self.progress = None;
    }

    fn draw(&mut self) {
        let Some(progress) = &self.progress else { return };
        let (columns, lines) = size();
        // The last line is the cursor's.
        let lines = usize::from(lines).saturating_sub(1);
        let tree = tree::draw(progress, Screen { columns: usize::from(columns), lines, color: self.color });
        let mut text = BEGIN.to_owned() + &up(self.lines);
        for line in &tree {
            text += &format!("{line}\u{1b}[K\n");
        }
        write(&(text + END));
        self.lines = tree.len();
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.over();
    }
}

/// To the first of so many lines above.
fn up(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\r\u{1b}[{lines}A") }
}

/// Writes to the terminal; one that has gone away must not end the build.
fn write(text: &str) {
    let mut out = std::io::stderr().lock();
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
