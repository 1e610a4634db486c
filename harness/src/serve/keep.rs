//! Owns the server's one loop: everything that happens becomes an input of the keeper, and its commands are performed in
//! their order. Refuses to decide anything itself.

use super::child::Setting;
use super::ledger_file::LedgerFile;
use super::status::{Status, View};
use super::tell::Tell;
use super::{examine, question, recover, regions, retention};
use crate::clock::{self, Keeping};
use crate::region::state::State;
use crate::region::suffering::Bound;
use crate::schedule::file::{Budget, File, Region, Retention};
use crate::schedule::keeper::{Ask, Command, Doing, Input, Keeper, LOOK};
use crate::schedule::ledger::{Choice, Entry};
use crate::schedule::moment::Moment;
use crate::schedule::{Outcome, Plan};
use anyhow::Result;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// What may wait for the loop; whoever has more waits.
const MESSAGES_MAX: usize = 256;

/// What reaches the loop.
#[derive(Debug)]
pub enum Message {
    /// Something happened.
    Input(Input),
    /// What an end waits for, for people.
    Trouble(String),
    /// Somebody asks for a run.
    Ask(Ask, oneshot::Sender<Result<String, String>>),
    /// Somebody stops everything.
    Halt(String, oneshot::Sender<()>),
    /// Somebody lets it go on.
    Resume(String, oneshot::Sender<()>),
    /// How standing regions stand.
    Regions(Vec<State>),
}

/// What somebody waits to be told, when it is done.
enum Answer {
    Asked(oneshot::Sender<Result<String, String>>, Result<String, String>),
    Done(oneshot::Sender<()>),
}

impl Answer {
    /// Whoever asked may be gone.
    fn give(self) {
        match self {
            Self::Asked(to, told) => drop(to.send(told)),
            Self::Done(to) => drop(to.send(())),
        }
    }
}

/// How others reach the loop, and see what it is at.
#[derive(Debug, Clone)]
pub struct Door {
    /// In.
    pub messages: mpsc::Sender<Message>,
    /// Out.
    pub view: watch::Receiver<View>,
}

/// Hears what the loop does; nobody waits for it.
pub trait Listener {
    /// Something was decided; in order.
    fn entry(&mut self, entry: &Entry, keeper: &Keeper);
    /// So it is now.
    fn look(&mut self, keeper: &Keeper, now: Moment);
    /// So standing regions stand.
    fn regions(&mut self, regions: &[State]);
    /// The loop has ended.
    fn finish(self: Box<Self>);
}

/// The loop.
pub struct Keep {
    keeper: Keeper,
    file: LedgerFile,
    setting: Setting,
    budget: Budget,
    retention: Retention,
    clock: Keeping,
    inbox: mpsc::Receiver<Message>,
    outbox: mpsc::Sender<Message>,
    view: watch::Sender<View>,
    plan: Arc<Plan>,
    stop: Option<oneshot::Sender<()>>,
    trouble: String,
    regions: Vec<Region>,
    /// Who watches the customers of the region that a run is held in.
    watching: Option<tokio::task::JoinHandle<()>>,
    listener: Box<dyn Listener>,
}

impl Keep {
    /// Takes up what a ledger says.
    ///
    /// # Errors
    /// Where the ledger cannot be had.
    pub fn open(file: &File, setting: Setting, tell: Tell) -> Result<(Self, Door)> {
        let clock = Keeping::start();
        let (ledger_file, ledger) = LedgerFile::open(&setting.folders)?;
        let mut commands = Vec::new();
        let keeper = Keeper::new(file.plan.clone(), ledger, clock.now(), &mut commands);
        tell.remember(&keeper);
        let listener: Box<dyn Listener> = Box::new(tell);
        let (outbox, inbox) = mpsc::channel(MESSAGES_MAX);
        let plan = Arc::new(file.plan.clone());
        let first = View {
            now: clock.now().wall,
            status: Status::of(&keeper, 0, ""),
            ledger: Arc::new(keeper.ledger().clone()),
            plan: Arc::clone(&plan),
            regions: Vec::new(),
        };
        let (view, seen) = watch::channel(first);
        let door = Door { messages: outbox.clone(), view: seen };
        let (budget, retention) = (file.budget, file.retention);
        let mut keep = Self {
            keeper,
            file: ledger_file,
            setting,
            budget,
            retention,
            clock,
            inbox,
            outbox,
            view,
            plan,
            stop: None,
            trouble: String::new(),
            regions: file.regions.clone(),
            watching: None,
            listener,
        };
        keep.perform(commands);
        regions::keep_standing(file.regions.clone(), keep.setting.clone(), keep.outbox.clone());
        Ok((keep, door))
    }

    /// Goes on until `leave` comes back, and what goes on then is healed.
    pub async fn go_on(mut self, leave: impl Future<Output = ()>) {
        let mut leave = std::pin::pin!(leave);
        let mut leaving = false;
        self.sweep();
        while !leaving || !self.keeper.can_leave() {
            let (mut commands, mut answer) = (Vec::new(), None);
            // What a full disk did not take is tried again soon.
            let sleep = if self.file.waiting() > 0 { LOOK } else { self.keeper.sleep(self.clock.now()) };
            tokio::select! {
                () = &mut leave, if !leaving => {
                    leaving = true;
                    self.keeper.leave(self.clock.now(), "the server was ended", &mut commands);
                }
                message = self.inbox.recv() => {
                    if let Some(message) = message {
                        answer = self.take(message, leaving, &mut commands);
                    }
                }
                () = tokio::time::sleep(sleep) => {
                    // What a server that ends would begin now is missed.
                    if !leaving {
                        self.keeper.handle(self.clock.now(), Input::Tick, &mut commands);
                    }
                    let _full = self.file.retry();
                }
            }
            self.perform(commands);
            // What somebody is told is on the disk.
            if let Some(answer) = answer {
                answer.give();
            }
        }
        self.listener.finish();
    }

    fn take(&mut self, message: Message, leaving: bool, commands: &mut Vec<Command>) -> Option<Answer> {
        let now = self.clock.now();
        match message {
            Message::Input(input) => {
                if matches!(input, Input::Ended { .. }) {
                    self.trouble.clear();
                }
                self.keeper.handle(now, input, commands);
                if leaving {
                    commands.retain(|command| matches!(command, Command::Write(_) | Command::Stop { .. }));
                }
            }
            Message::Trouble(what) => {
                tracing::warn!("{what}");
                self.trouble = what;
            }
            Message::Ask(_, answer) if leaving => {
                return Some(Answer::Asked(answer, Err("the server ends".to_owned())));
            }
            Message::Ask(ask, answer) => return Some(Answer::Asked(answer, self.keeper.ask(now, ask, commands))),
            Message::Halt(by, done) => {
                self.keeper.halt(now, &by, commands);
                return Some(Answer::Done(done));
            }
            Message::Regions(regions) => {
                self.listener.regions(&regions);
                self.view.send_modify(|view| view.regions = regions);
            }
            Message::Resume(by, done) => {
                self.keeper.resume(now, &by, commands);
                return Some(Answer::Done(done));
            }
        }
        None
    }

    fn perform(&mut self, commands: Vec<Command>) {
        let mut wrote = false;
        // A run whose intent is not on the disk must not begin.
        let mut unwritten: Option<String> = None;
        for command in commands {
            match command {
                Command::Write(entry) => {
                    wrote = true;
                    // On the disk before anybody is told.
                    if let Err(error) = self.file.write(entry.clone()) {
                        tracing::error!("{error:#}");
                        unwritten = Some(format!("{error:#}"));
                    }
                    self.listener.entry(&entry, &self.keeper);
                }
                Command::Start { run, .. } if unwritten.is_some() => {
                    let why = unwritten.take().unwrap_or_default();
                    self.tell(Input::Ended { run, outcome: Outcome::Refused, why });
                }
                Command::Start { run, choice } => self.start(run, choice),
                Command::Stop { why, .. } => {
                    tracing::info!("the run is stopped: {why}");
                    if let Some(stop) = self.stop.take() {
                        let _ended = stop.send(());
                    }
                }
                Command::Examine { run, choice } => self.examine(run, choice),
                Command::Recover { run, choice } => self.recover(run, choice),
                Command::Probe { condition } => self.probe(condition),
            }
        }
        self.publish(wrote);
        if wrote && matches!(self.keeper.doing(), Doing::Waiting) {
            self.sweep();
        }
    }

    /// Nobody else sends to a full inbox from here: it is the loop that empties it.
    fn tell(&self, input: Input) {
        let outbox = self.outbox.clone();
        tokio::task::spawn_local(async move {
            let _ended = outbox.send(Message::Input(input)).await;
        });
    }

    fn start(&mut self, run: String, choice: Choice) {
        let mut running = match self.setting.start(&run, &choice) {
            Ok(running) => running,
            Err(error) => {
                let why = format!("{error:#}");
                return self.tell(Input::Ended { run, outcome: Outcome::Refused, why });
            }
        };
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        let (outbox, setting) = (self.outbox.clone(), self.setting.clone());
        let bound = self.regions.iter().find(|region| Some(&region.name) == choice.region.as_ref());
        if let Some(region) = bound {
            let bound = Bound { least: region.bystanders, over: region.over };
            let told = tokio::task::spawn_local(regions::watch(
                setting.clone(),
                run.clone(),
                choice.clone(),
                bound,
                outbox.clone(),
            ));
            // One watch for each run: the one before is over.
            if let Some(before) = self.watching.replace(told) {
                before.abort();
            }
        }
        tokio::task::spawn_local(async move {
            let ended = tokio::select! {
                ended = running.ended() => ended,
                _ = stopped => running.stop().await,
            };
            // It may have been killed: then its hand and its guard are still at work.
            let told = |what| {
                let _full = outbox.try_send(Message::Trouble(what));
            };
            let settled = recover::settle(&setting, &run, &choice, told).await;
            let (outcome, why) = match ended {
                Ok((outcome, why)) if settled.left.is_empty() => (outcome, why),
                Ok((outcome, why)) => (outcome, [why, settled.left].join(" ").trim().to_owned()),
                Err(_) => (settled.outcome, settled.why()),
            };
            let _ended = outbox.send(Message::Input(Input::Ended { run, outcome, why })).await;
        });
    }

    fn recover(&mut self, run: String, choice: Choice) {
        let (outbox, setting) = (self.outbox.clone(), self.setting.clone());
        tokio::task::spawn_local(async move {
            let told = |what| {
                let _full = outbox.try_send(Message::Trouble(what));
            };
            let settled = recover::settle(&setting, &run, &choice, told).await;
            let mut why = settled.why();
            if settled.outcome == Outcome::Interrupted && why.is_empty() {
                why = "the server was ended in the middle of it".to_owned();
            }
            let outcome = settled.outcome;
            let _ended = outbox.send(Message::Input(Input::Ended { run, outcome, why })).await;
        });
    }

    fn examine(&mut self, run: String, choice: Choice) {
        let (outbox, budget, setting) = (self.outbox.clone(), self.budget, self.setting.clone());
        tokio::task::spawn_local(async move {
            let fit = examine::examine(&choice, &budget, &setting).await;
            let _ended = outbox.send(Message::Input(Input::Examined { run, fit })).await;
        });
    }

    fn probe(&mut self, condition: usize) {
        let outbox = self.outbox.clone();
        let Some(asked) = self.plan.conditions.get(condition).cloned() else { return };
        tokio::task::spawn_local(async move {
            let well = tokio::task::spawn_blocking(move || question::ask(&asked)).await;
            let well = well.unwrap_or_else(|_| Err("nobody could ask".to_owned()));
            let _ended = outbox.send(Message::Input(Input::Probed { condition, well })).await;
        });
    }

    fn publish(&mut self, wrote: bool) {
        let status = Status::of(&self.keeper, self.file.waiting(), &self.trouble);
        let now = self.clock.now().wall;
        self.listener.look(&self.keeper, now);
        self.view.send_modify(|view| {
            (view.now, view.status) = (now, status);
            if wrote {
                view.ledger = Arc::new(self.keeper.ledger().clone());
            }
        });
    }

    /// Between runs there is time.
    fn sweep(&mut self) {
        if let Err(error) = self.file.make_small(self.keeper.ledger()) {
            tracing::warn!("{error:#}");
        }
        let open: BTreeSet<String> = self.keeper.ledger().open().map(|held| held.run.clone()).collect();
        for trouble in retention::sweep(&self.setting.folders, &open, &self.retention, clock::today()) {
            tracing::warn!("{trouble}");
        }
    }
}
