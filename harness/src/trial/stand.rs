//! Owns one sealed run of an image, seen from the controller: the stage and the image on it, steps in which its dependencies
//! are played, and what was seen in each. Refuses to know which runs there are, and what they are for.

use super::protocol::{Cast, Order, Rules, Seen};
use super::question::Question;
use crate::clock::Clock;
use crate::world::docker::engine::Engine;
use crate::world::docker::engine::guest::{GuestSpec, StageSpec};
use crate::world::docker::image::EXECUTABLE;
use crate::world::docker::link::{Speaker, converse};
use crate::world::docker::names::{LABEL_ROLE, Names, ROLE_STAGE};
use anyhow::{Context, Result, bail};
use scenarios::trial::{Asked, Exit, Experiment, Knock, Play, Purpose, Reply, Step};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// Between two questions of one kind, in milliseconds.
const ASK_EVERY_MS: u64 = 150;
/// How long a stage may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Beyond what the image has for its answer, for the way there and back.
const GRACE_MS: u64 = 2_000;
/// Memory of the image, and its processes: one that eats a machine must not end a trial of others.
const MEMORY_BYTES: i64 = 2 << 30;
const PIDS: i64 = 4_096;

/// What every run of the image has in common.
pub struct Subject {
    /// The image.
    pub image: String,
    /// Our own.
    pub own_image: String,
    /// Host name.
    pub hostname: String,
    /// Instead of the image's own.
    pub entrypoint: Option<Vec<String>>,
    /// Instead of the image's own.
    pub command: Option<Vec<String>>,
    /// `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Instead of the image's own.
    pub user: Option<String>,
    /// Files to put into it, with their paths.
    pub files: Vec<(String, Vec<u8>)>,
    /// Who is played by what.
    pub cast: Cast,
    /// Whether it is up.
    pub probe: Question,
    /// What customers ask; the probe where nothing is told.
    pub call: Option<Question>,
    /// Whether it should be restarted.
    pub liveness: Option<Question>,
    /// How long an answer may take, in milliseconds.
    pub answer_within_ms: u64,
}

/// What all runs share.
pub struct Ground {
    /// The engine.
    pub engine: Engine,
    /// Names and labels.
    pub names: Names,
    /// The trial's clock.
    pub clock: Arc<Clock>,
    /// The image.
    pub subject: Subject,
    /// Told of each container that died.
    pub deaths: Deaths,
}

/// Who waits for the death of which container.
#[derive(Clone, Default)]
pub struct Deaths(Rc<RefCell<BTreeMap<String, Rc<Notify>>>>);

impl Deaths {
    /// Follows the engine's events, until it tells no more.
    pub async fn follow(&self, engine: &Engine, label: &str) {
        let mut events = engine.events(label);
        while let Some(event) = events.recv().await {
            if event.action == "die"
                && let Some(waiting) = self.0.borrow().get(&event.container)
            {
                waiting.notify_one();
            }
        }
    }

    fn of(&self, container: &str) -> Rc<Notify> {
        Rc::clone(self.0.borrow_mut().entry(container.to_owned()).or_default())
    }
}

/// When a step is over. Times are in milliseconds.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// It lasted so long.
    Lasted(u64),
    /// It is up, and so long has passed since; or it is not up in time.
    Up {
        /// In time.
        within: u64,
        /// So long.
        then: u64,
    },
    /// A call has succeeded, and so long has passed since; or none did in time.
    Called {
        /// In time.
        within: u64,
        /// So long.
        then: u64,
    },
    /// As `Up`, and then as `Called`, and then so long has passed.
    UpAndCalled {
        /// In time, the first.
        within: u64,
        /// In time, the second.
        call_within: u64,
        /// So long.
        then: u64,
    },
}

#[derive(Default)]
struct Sight {
    knocks: Vec<Knock>,
    replies: BTreeMap<u64, oneshot::Sender<(Reply, u64)>>,
    ready: bool,
    gone: bool,
}

/// One run.
pub struct Stand<'g> {
    ground: &'g Ground,
    stage: String,
    guest: String,
    speaker: Speaker,
    sight: Rc<RefCell<Sight>>,
    changed: Rc<Notify>,
    listener: tokio::task::JoinHandle<()>,
    died: Rc<Notify>,
    next: RefCell<u64>,
    started_ns: u64,
    steps: Vec<Step>,
    exit: Option<Exit>,
}

impl Drop for Stand<'_> {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Kinds of questions that are put side by side.
#[derive(Default)]
struct Kinds {
    probe: RefCell<Asked>,
    call: RefCell<Asked>,
    liveness: RefCell<Asked>,
}

/// The replies of a step that has ended; while one is under way it holds when the question was put.
fn ended(asked: RefCell<Asked>, now_ms: u64) -> Asked {
    let mut asked = asked.into_inner();
    if asked.waiting_ms > 0 {
        asked.waiting_ms = now_ms.saturating_sub(asked.waiting_ms);
    }
    asked
}

impl<'g> Stand<'g> {
    /// Makes the stage and the image on it; the image does not run yet.
    ///
    /// # Errors
    /// Where the engine refuses, or the stage has no rights on its network.
    pub async fn raise(ground: &'g Ground, number: usize) -> Result<Self> {
        let Ground { engine, names, subject, clock, .. } = ground;
        let (stage, guest) = (names.object(&format!("stage-{number}")), names.object(&format!("image-{number}")));
        let spec = StageSpec {
            name: stage.clone(),
            hostname: subject.hostname.clone(),
            image: subject.own_image.clone(),
            command: vec![
                EXECUTABLE.to_owned(),
                super::stage::COMMAND.to_owned(),
                serde_json::to_string(&subject.cast)?,
            ],
            labels: names.labels(&[(LABEL_ROLE, ROLE_STAGE)]),
        };
        engine.create_stage(&spec).await?;
        let attached = engine.attach(&stage).await?;
        engine.start(&stage).await?;
        let (speaker, incoming) = converse::<Seen>(attached);
        let (sight, changed) = (Rc::new(RefCell::new(Sight::default())), Rc::new(Notify::new()));
        let started = Rc::new(RefCell::new(clock.now()));
        let listening =
            listen(incoming, Rc::clone(&sight), Rc::clone(&changed), (Arc::clone(clock), Rc::clone(&started)));
        let listener = tokio::task::spawn_local(listening);
        let spec = GuestSpec {
            name: guest.clone(),
            image: subject.image.clone(),
            entrypoint: subject.entrypoint.clone(),
            command: subject.command.clone(),
            environment: subject.environment.clone(),
            user: subject.user.clone(),
            labels: names.labels(&[]),
            beside: stage.clone(),
            memory_bytes: MEMORY_BYTES,
            pids: PIDS,
        };
        let died = ground.deaths.of(&guest);
        let (next, started_ns, steps) = (RefCell::new(0), clock.now(), Vec::new());
        let mut stand =
            Self { ground, stage, guest, speaker, sight, changed, listener, died, next, started_ns, steps, exit: None };
        stand.await_ready().await?;
        engine.create_guest(&spec).await?;
        if !subject.files.is_empty() {
            engine.upload(&stand.guest, archive(&subject.files)?).await?;
        }
        stand.started_ns = clock.now();
        started.replace(stand.started_ns);
        Ok(stand)
    }

    async fn await_ready(&self) -> Result<()> {
        let ready = async {
            loop {
                let (ready, gone) = (self.sight.borrow().ready, self.sight.borrow().gone);
                if ready || gone {
                    return ready;
                }
                self.changed.notified().await;
            }
        };
        match tokio::time::timeout(READY_WITHIN, ready).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let why = self.ground.engine.ended(&self.stage).await.ok().flatten();
                bail!("the stage {} ended before it was ready ({why:?}); -vv shows why", self.stage)
            }
            Err(_) => bail!("the stage {} was not ready in {} s", self.stage, READY_WITHIN.as_secs()),
        }
    }

    fn now_ms(&self) -> u64 {
        self.ground.clock.now().saturating_sub(self.started_ns) / 1_000_000
    }

    /// Starts the image, and plays the first step.
    ///
    /// # Errors
    /// Where the engine refuses to start it, or the stage is gone.
    pub async fn start(&mut self, play: Play, only: &[String], until: Until) -> Result<()> {
        self.play(play, only).await?;
        self.ground.engine.start(&self.guest).await?;
        self.watch(play, only, until).await
    }

    /// Plays another step, unless the image has ended.
    ///
    /// # Errors
    /// Where the stage is gone.
    pub async fn step(&mut self, play: Play, only: &[String], until: Until) -> Result<()> {
        if self.exit.is_some() {
            return Ok(());
        }
        self.play(play, only).await?;
        self.watch(play, only, until).await
    }

    async fn play(&mut self, play: Play, only: &[String]) -> Result<()> {
        let rules = Rules { play, only: only.to_vec() };
        self.speaker.say(&Order::Rules(rules)).await.context("the stage")?;
        self.sight.borrow_mut().knocks.clear();
        Ok(())
    }

    /// Asks until the step is over or the image has ended, and notes the step.
    async fn watch(&mut self, play: Play, only: &[String], until: Until) -> Result<()> {
        let began_ms = self.now_ms();
        let kinds = Kinds::default();
        let subject = &self.ground.subject;
        let has_exited = {
            let asking = async {
                tokio::join!(
                    self.keep_asking(Some(&subject.probe), &kinds.probe, began_ms),
                    self.keep_asking(subject.call.as_ref(), &kinds.call, began_ms),
                    self.keep_asking(subject.liveness.as_ref(), &kinds.liveness, began_ms),
                );
            };
            tokio::select! {
                biased;
                () = self.died.notified() => true,
                () = self.over(&kinds, until, began_ms) => false,
                () = asking => false,
            }
        };
        if self.sight.borrow().gone {
            bail!("the stage {} ended in the middle", self.stage);
        }
        if has_exited {
            let (status, last_line) = self.ground.engine.ended(&self.guest).await?.unwrap_or_default();
            self.exit = Some(Exit { at_ms: self.now_ms(), status, last_line });
        }
        let Kinds { probe, call, liveness } = kinds;
        let ended_ms = self.now_ms();
        let probe = ended(probe, ended_ms);
        let call = if subject.call.is_some() { ended(call, ended_ms) } else { probe.clone() };
        let knocks = std::mem::take(&mut self.sight.borrow_mut().knocks);
        let liveness = ended(liveness, ended_ms);
        self.steps.push(Step { play, only: only.to_vec(), began_ms, ended_ms, probe, call, liveness, knocks });
        Ok(())
    }

    async fn keep_asking(&self, question: Option<&Question>, asked: &RefCell<Asked>, began_ms: u64) {
        let Some(question) = question else { return std::future::pending().await };
        loop {
            asked.borrow_mut().waiting_ms = self.now_ms().max(1);
            let (reply, took_ms) = self.ask(question).await;
            asked.borrow_mut().waiting_ms = 0;
            asked.borrow_mut().count(&reply, took_ms, self.now_ms() - began_ms);
            self.changed.notify_waiters();
            tokio::time::sleep(Duration::from_millis(ASK_EVERY_MS)).await;
        }
    }

    /// Puts one question.
    async fn ask(&self, question: &Question) -> (Reply, u64) {
        let within_ms = self.ground.subject.answer_within_ms;
        let began = self.ground.clock.now();
        if let Question::Command { command } = question {
            let run = self.ground.engine.command_in(&self.guest, command, Duration::from_millis(within_ms)).await;
            let took_ms = (self.ground.clock.now() - began) / 1_000_000;
            let reply = match run {
                Ok(Some((0, _))) => Reply::Well,
                Ok(Some((status, text))) => {
                    let last = text.lines().last().unwrap_or_default();
                    Reply::Error(format!("exit status {status}: {last}"))
                }
                Ok(None) => Reply::Silent,
                Err(error) => Reply::Broken(format!("{error:#}")),
            };
            return (reply, took_ms);
        }
        let (sender, answer) = oneshot::channel();
        let id = self.next.replace_with(|id| *id + 1);
        self.sight.borrow_mut().replies.insert(id, sender);
        let order = Order::Ask { id, question: question.clone(), within_ms };
        let lost = |why: &str| (Reply::Broken(why.to_owned()), within_ms);
        if self.speaker.say(&order).await.is_err() {
            return lost("the stage does not listen");
        }
        match tokio::time::timeout(Duration::from_millis(within_ms + GRACE_MS), answer).await {
            Ok(Ok(answer)) => answer,
            _ => lost("the stage does not answer"),
        }
    }

    /// Comes back when a step is over.
    async fn over(&self, kinds: &Kinds, until: Until, began_ms: u64) {
        let call = if self.ground.subject.call.is_some() { &kinds.call } else { &kinds.probe };
        let pause = |ms: u64| tokio::time::sleep(Duration::from_millis(ms));
        match until {
            Until::Lasted(ms) => pause(ms).await,
            Until::Up { within, then } => {
                if self.well(&kinds.probe, began_ms + within).await {
                    pause(then).await;
                }
            }
            Until::Called { within, then } => {
                if self.well(call, began_ms + within).await {
                    pause(then).await;
                }
            }
            Until::UpAndCalled { within, call_within, then } => {
                if self.well(&kinds.probe, began_ms + within).await {
                    self.well(call, self.now_ms() + call_within).await;
                    pause(then).await;
                }
            }
        }
    }

    /// Whether something was well by then.
    async fn well(&self, asked: &RefCell<Asked>, by_ms: u64) -> bool {
        loop {
            let changed = self.changed.notified();
            if asked.borrow().well > 0 {
                return true;
            }
            let left = by_ms.saturating_sub(self.now_ms());
            if left == 0 {
                return false;
            }
            // Its end is seen at the top of the loop.
            let _late = tokio::time::timeout(Duration::from_millis(left), changed).await;
        }
    }

    /// The last step, where there is one.
    pub fn last(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// Removes the image and its stage, and returns what was seen.
    ///
    /// # Errors
    /// Where the engine does not let go of them.
    pub async fn finish(mut self, purpose: Purpose) -> Result<Experiment> {
        self.ground.engine.remove_container(&self.guest).await?;
        self.ground.engine.remove_container(&self.stage).await?;
        Ok(Experiment { purpose, steps: std::mem::take(&mut self.steps), exit: self.exit.take() })
    }
}

/// Notes what a stage tells.
async fn listen(
    mut incoming: mpsc::Receiver<Seen>,
    sight: Rc<RefCell<Sight>>,
    changed: Rc<Notify>,
    (clock, started): (Arc<Clock>, Rc<RefCell<u64>>),
) {
    while let Some(seen) = incoming.recv().await {
        let at_ms = clock.now().saturating_sub(*started.borrow()) / 1_000_000;
        let mut sight = sight.borrow_mut();
        match seen {
            Seen::Ready => {
                sight.ready = true;
                changed.notify_one();
            }
            Seen::Reply { id, reply, took_ms } => {
                if let Some(waiting) = sight.replies.remove(&id) {
                    // Its step may be over.
                    let _over = waiting.send((reply, took_ms));
                }
            }
            Seen::Knock { dependency, allowed, times, request } => {
                match sight.knocks.iter_mut().find(|knock| knock.dependency == dependency) {
                    Some(knock) => {
                        knock.times += times;
                        knock.last_ms = at_ms;
                        knock.request = knock.request.take().or(request);
                    }
                    None => {
                        sight.knocks.push(Knock {
                            dependency,
                            times,
                            first_ms: at_ms,
                            last_ms: at_ms,
                            request,
                            allowed,
                        });
                    }
                }
            }
        }
    }
    sight.borrow_mut().gone = true;
    changed.notify_one();
    // Whoever waits for an answer gets none.
    sight.borrow_mut().replies.clear();
}

/// Files as a tar, with the folders that they are in.
fn archive(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, path.trim_start_matches('/'), bytes.as_slice())?;
    }
    archive.into_inner().context("files could not be packed")
}
