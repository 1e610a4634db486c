//! Owns who looks on while a command holds its game days: a page (`--live`), the terminal (`--tui`), or nobody but the lines
//! on standard error. Refuses to know how either is drawn.

use crate::cli::RunArgs;
use crate::live::alone::Alone;
use crate::live::follow::Over;
use crate::live::tui::{self, Signals, Tui};
use crate::run::Stop;
use crate::terminal::Terminal;
use anyhow::{Context, Result};
use reports::live::region::{About, Region};
use scenarios::judge::Case;
use std::path::Path;
use std::time::Duration;

/// How long the page is still there after the last run, for those who look at it.
const LINGER: Duration = Duration::from_secs(10);

/// Those who look on at the runs of one command.
pub(super) struct Watchers {
    alone: Option<Alone>,
    tui: bool,
    quiet: bool,
    color: bool,
}

impl Watchers {
    /// As the command line asks for them.
    ///
    /// # Errors
    /// Where the page cannot be served.
    pub(super) fn new(args: &RunArgs, quiet: bool, color: bool) -> Result<Self> {
        let alone = args.live.map(Alone::start).transpose()?;
        let tui = args.tui && Tui::can();
        if args.tui && !tui {
            tracing::warn!("--tui is ignored: standard error is no terminal that could be drawn on");
        }
        Ok(Self { alone, tui, quiet, color })
    }

    /// Whether somebody reads the run's file while it is written.
    pub(super) fn any(&self) -> bool {
        self.alone.is_some() || self.tui
    }

    /// Whether the terminal is drawn on, so that nobody else may write there.
    pub(super) fn takes_terminal(&self) -> bool {
        self.tui
    }

    /// Shows one run from here on, until what it gives back is dropped.
    ///
    /// # Errors
    /// Where the terminal cannot be drawn on.
    pub(super) fn begin(&self, about: About, case: &Case<'_>, folder: &Path, signals: Signals) -> Result<Watch> {
        let region = || Region::of_case(about.clone(), case);
        let over = self.alone.as_ref().map(|alone| {
            let over = alone.show(region(), folder);
            // Also where the terminal is drawn on: that begins after it, and ends before the results.
            Terminal::new(self.quiet).say(&format!("live at {}\n", alone.url()));
            over
        });
        let tui = self.tui.then(|| Tui::start(region(), folder, self.color, signals)).transpose()?;
        Ok(Watch { over, tui })
    }

    /// Waits for those who look at the page, until ten seconds have passed or somebody wants to go; not longer than they
    /// need to be told the end, where somebody wanted that already.
    ///
    /// # Errors
    /// Where signals cannot be listened to.
    pub(super) async fn linger(self, stop: Option<Stop>, interrupted: bool) -> Result<()> {
        let Some(alone) = &self.alone else { return Ok(()) };
        let mut stop = match stop {
            Some(stop) => stop,
            None => Stop::listen(false).context("signals cannot be listened to")?,
        };
        tui::leave_signals_to_others();
        if interrupted {
            alone.tell_end().await;
            return Ok(());
        }
        Terminal::new(self.quiet).say("the page is still there for ten seconds; Ctrl-C ends it now");
        tokio::select! { () = tokio::time::sleep(LINGER) => {} () = stop.wanted() => {} }
        Ok(())
    }
}

/// One run that is looked at.
#[derive(Default)]
pub(super) struct Watch {
    over: Option<Over>,
    tui: Option<Tui>,
}

impl Watch {
    /// Gives the terminal back, so that results can be printed.
    pub(super) fn give_back_terminal(&mut self) {
        drop(self.tui.take());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(over) = &self.over {
            over.say();
        }
    }
}
