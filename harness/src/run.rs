//! Owns the one loop of a run: everything that happens becomes an [`Input`], the controller decides, and its commands
//! are performed. Refuses to decide anything itself.

use crate::clock::Clock;
use crate::controller::{Command, Controller, Ending, Input};
use crate::journal::Journal;
use crate::outside::Outside;
use crate::terminal::Terminal;
use crate::world::World;
use anyhow::Result;
use scenarios::event::Detail;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Somebody's wish to stop, as often as it comes.
pub struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
    /// The end of whoever this run is tied to.
    tie: Option<oneshot::Receiver<()>>,
}

impl Stop {
    /// Begins to listen: from here on Ctrl-C and SIGTERM do not end the process. Of a run that is tied, the end of standard
    /// input is a wish to stop too: whoever holds the other end has let go of it, or is dead.
    ///
    /// # Errors
    /// Where the system does not allow it.
    pub fn listen(tied: bool) -> std::io::Result<Self> {
        let tie = if tied { Some(end_of_input()?) } else { None };
        #[cfg(unix)]
        let signals = {
            use tokio::signal::unix::{SignalKind, signal};
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let [interrupt, terminate, hangup] = kinds.map(signal);
            [interrupt?, terminate?, hangup?]
        };
        Ok(Self {
            #[cfg(unix)]
            signals,
            tie,
        })
    }

    /// Comes back when somebody wants the run to end.
    pub async fn wanted(&mut self) {
        let Self { tie, .. } = self;
        let untied = async {
            match tie.as_mut() {
                Some(end) => {
                    let _ended = end.await;
                }
                None => std::future::pending().await,
            }
        };
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                () = untied => self.tie = None,
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        #[cfg(not(unix))]
        tokio::select! {
            () = untied => self.tie = None,
            told = tokio::signal::ctrl_c() => {
                if told.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// A thread of its own reads: it is ended with the process, and nothing waits for it.
fn end_of_input() -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new().name("tie".to_owned()).spawn(move || {
        let _bytes = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _nobody_waits = ended.send(());
    })?;
    Ok(end)
}

/// What the loop works on.
pub struct Course<'a> {
    /// Decides.
    pub controller: Controller,
    /// Performs.
    pub world: &'a mut dyn World,
    /// Keeps.
    pub journal: &'a mut Journal,
    /// Shows.
    pub terminal: &'a Terminal,
    /// Times.
    pub clock: Arc<Clock>,
    /// Ends.
    pub stop: &'a mut Stop,
    /// Goes on beside it.
    pub outside: &'a Outside,
}

/// Runs a game day to its end.
///
/// # Errors
/// Never in the middle: a journal that cannot be written ends the run as a failed harness, healed and removed.
pub async fn run(mut course: Course<'_>, mut inputs: mpsc::Receiver<Input>) -> Result<Ending> {
    let mut next = Some(Input::Begin);
    loop {
        let input = match next.take() {
            Some(input) => input,
            None => course.await_input(&mut inputs).await,
        };
        let mut commands = Vec::new();
        course.controller.handle(course.clock.now(), input, &mut commands);
        for command in commands {
            match command {
                Command::Log { t_ns, by, place, detail, synced } => {
                    if let Detail::Phase { phase, .. } = &detail {
                        course.outside.enter(*phase);
                    }
                    match course.journal.write(t_ns, by, place, detail, synced) {
                        Ok(event) => course.terminal.event(event),
                        Err(error) if next.is_none() => next = Some(Input::Lost { why: format!("{error:#}") }),
                        // Already known.
                        Err(_) => {}
                    }
                }
                Command::Do(act) => course.world.perform(act),
                Command::Cancel => course.world.cancel(),
                Command::End(ending) => return Ok(ending),
            }
        }
    }
}

impl Course<'_> {
    async fn await_input(&mut self, inputs: &mut mpsc::Receiver<Input>) -> Input {
        let now = self.clock.now();
        let wake = self.controller.next_wake().map(|at| Duration::from_nanos(at.saturating_sub(now)));
        let sleep = async {
            match wake {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.wanted() => {
                self.terminal.say("         stopping: everything is healed and removed first");
                Input::Interrupt
            }
            () = sleep => Input::Wake,
            input = inputs.recv() => match input {
                Some(input) => input,
                None => Input::Lost { why: "the world has ended".to_owned() },
            },
        }
    }
}
