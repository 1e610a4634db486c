//! Owns which sealed runs of an image there are, which of them at the same time, and how each goes. Refuses to judge them.
//!
//! The first is the control: with everybody there. It says whom the image reaches for, how quickly it is up, and whether
//! our mocks satisfy it; everything else is compared with it and begins when it is up.

use super::protocol::{NOT_HTTP, Role, TLS};
use super::stand::{Ground, Stand, Until};
use anyhow::Result;
use futures_util::future::{LocalBoxFuture, try_join_all};
use scenarios::trial::telemetry::is_telemetry;
use scenarios::trial::{Bounds, Experiment, Knock, Play, Purpose, Step, seconds};
use std::cell::RefCell;
use tokio::sync::Semaphore;

/// Ways in which all dependencies are missing from the start.
const MISSING: [Play; 5] = [Play::Vanish, Play::Absent, Play::Refuse, Play::Hang, Play::Fail];
/// Runs under way at once.
const AT_ONCE: usize = 8;
/// Dependencies that are left out one by one; of more, the first by name.
const EDGES_MAX: usize = 12;
/// How long it is watched once it is up, in milliseconds: whom it reaches for a moment after its start.
const SETTLE_MS: u64 = 1_500;
/// How long it is waited for another try of an image whose calls lacked nothing, in milliseconds.
const AGAIN_MS: u64 = 3_000;
/// A window in which dependencies are missing is longer than an answer may take by this, in milliseconds.
const WINDOW_MS: u64 = 1_500;
/// Up takes at most so many times what it took the control, and so many milliseconds more: a crowd starts at one time.
const UP_TIMES: u64 = 4;
const UP_MS: u64 = 6_000;

/// What was seen.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every run that was finished.
    pub experiments: Vec<Experiment>,
    /// What a reader must know.
    pub caveats: Vec<String>,
}

/// All runs of one trial.
pub struct Course<'g> {
    ground: &'g Ground,
    bounds: Bounds,
    room: Semaphore,
    number: RefCell<usize>,
    say: &'g dyn Fn(&str),
    seen: &'g RefCell<Outcome>,
}

impl<'g> Course<'g> {
    /// A course that has not begun; what is seen goes to `seen`, so that it is there also where the course is cut short.
    pub fn new(ground: &'g Ground, bounds: Bounds, say: &'g dyn Fn(&str), seen: &'g RefCell<Outcome>) -> Self {
        Self { ground, bounds, room: Semaphore::new(AT_ONCE), number: RefCell::new(0), say, seen }
    }

    /// Plays everything; returns the bounds that held.
    ///
    /// # Errors
    /// Where the engine refuses, or a stage ends.
    pub async fn run(mut self) -> Result<Bounds> {
        let mut control = self.stand().await?;
        let (within, call_within) = (self.bounds.start_within_ms, self.bounds.answer_within_ms);
        control.start(Play::Answer, &[], Until::UpAndCalled { within, call_within, then: SETTLE_MS }).await?;
        let first = control.last().cloned();
        if let Some(up) = first.as_ref().and_then(|step| step.probe.first_well_ms) {
            self.bounds.start_within_ms = within.min(up * UP_TIMES + UP_MS);
        }
        let (wanted, telemetry) = first.as_ref().map(|step| self.wanted(step)).unwrap_or_default();
        self.tell_of_strangers(first.as_ref());
        let course = &self;
        let mut runs: Vec<LocalBoxFuture<'_, Result<()>>> = vec![Box::pin(course.control(control, !wanted.is_empty()))];
        if !wanted.is_empty() {
            runs.push(Box::pin(course.absence()));
        }
        // Somebody who wants nobody misses nobody: alone is alone.
        let ways = MISSING.into_iter().filter(|play| *play == Play::Vanish || !wanted.is_empty());
        for play in ways {
            runs.push(Box::pin(course.missing(play)));
        }
        if !telemetry.is_empty() {
            for play in [Play::Vanish, Play::Hang] {
                runs.push(Box::pin(course.telemetry(play, telemetry.clone())));
            }
        }
        // Of one that is not up with everybody there, nothing can be said for want of one of them.
        let up = first.as_ref().is_some_and(|step| step.probe.well > 0);
        for name in wanted.iter().take(if up { EDGES_MAX } else { 0 }) {
            runs.push(Box::pin(course.edge(name.clone())));
        }
        if up && wanted.len() > EDGES_MAX {
            let all = wanted.len();
            self.caveat(format!("it reaches for {all} dependencies; {EDGES_MAX} of them were left out one by one"));
        }
        try_join_all(runs).await?;
        Ok(self.bounds)
    }

    async fn stand(&self) -> Result<Stand<'g>> {
        let number = self.number.replace_with(|number| *number + 1);
        Stand::raise(self.ground, number).await
    }

    fn caveat(&self, text: String) {
        self.seen.borrow_mut().caveats.push(text);
    }

    /// Whom it wants that is not allowed, and which of them are telemetry.
    fn wanted(&self, step: &Step) -> (Vec<String>, Vec<String>) {
        let (mut all, mut telemetry) = (Vec::new(), Vec::new());
        for knock in not_allowed(&step.knocks, &self.ground.subject.cast.roles) {
            all.push(knock.dependency.name.clone());
            if is_telemetry(&knock.dependency, &self.bounds.telemetry) {
                telemetry.push(knock.dependency.name.clone());
            }
        }
        for list in [&mut all, &mut telemetry] {
            list.sort();
            list.dedup();
        }
        (all, telemetry)
    }

    /// Mocks speak HTTP and gRPC, and TLS only to those who believe the trial's root.
    fn tell_of_strangers(&self, step: Option<&Step>) {
        for knock in step.into_iter().flat_map(|step| &step.knocks) {
            if let Some(why) = knock.request.as_deref().and_then(strangeness) {
                self.caveat(format!("{} {why}", knock.dependency));
            }
        }
    }

    async fn note(&self, stand: Stand<'g>, purpose: Purpose) -> Result<()> {
        let experiment = stand.finish(purpose).await?;
        let how = match (&experiment.exit, experiment.steps.first().and_then(|step| step.probe.first_well_ms)) {
            (Some(exit), _) => exit.to_string(),
            (None, Some(after)) => format!("up after {}", seconds(after)),
            (None, None) => "never up at first".to_owned(),
        };
        (self.say)(&format!("{}: {how}", experiment.purpose.name()));
        self.seen.borrow_mut().experiments.push(experiment);
        Ok(())
    }

    fn window(&self) -> Until {
        Until::Lasted(self.bounds.answer_within_ms + WINDOW_MS)
    }

    /// Until a call succeeds. Where none had failed before, it is also seen whether it tries again to reach somebody.
    fn healed(&self, stand: &Stand<'g>) -> Until {
        let lacked = stand.last().is_some_and(|step| step.call.not_well() > 0);
        Until::Called { within: self.bounds.heal_within_ms, then: if lacked { 0 } else { AGAIN_MS } }
    }

    async fn control(&self, mut stand: Stand<'g>, wants: bool) -> Result<()> {
        let up = stand.last().is_some_and(|step| step.probe.well > 0);
        if up && wants {
            stand.step(Play::Vanish, &[], self.window()).await?;
            let until = self.healed(&stand);
            stand.step(Play::Answer, &[], until).await?;
        }
        self.note(stand, Purpose::Control).await
    }

    async fn missing(&self, play: Play) -> Result<()> {
        let _room = self.room.acquire().await?;
        let mut stand = self.stand().await?;
        let then = self.bounds.answer_within_ms + WINDOW_MS;
        let until = match play {
            // S1 is seen here: it has all the time that there is.
            Play::Vanish => Until::Up { within: self.bounds.start_within_ms, then },
            _ => self.window(),
        };
        stand.start(play, &[], until).await?;
        let until = self.healed(&stand);
        stand.step(Play::Answer, &[], until).await?;
        self.note(stand, Purpose::Missing { play }).await
    }

    async fn absence(&self) -> Result<()> {
        let _room = self.room.acquire().await?;
        let mut stand = self.stand().await?;
        stand.start(Play::Refuse, &[], Until::Lasted(self.bounds.absence_ms)).await?;
        let until = self.healed(&stand);
        stand.step(Play::Answer, &[], until).await?;
        self.note(stand, Purpose::Absence).await
    }

    async fn telemetry(&self, play: Play, names: Vec<String>) -> Result<()> {
        let _room = self.room.acquire().await?;
        let mut stand = self.stand().await?;
        let until = Until::UpAndCalled {
            within: self.bounds.start_within_ms,
            call_within: self.bounds.answer_within_ms,
            // Long enough for two calls that nobody answers: what is kept in a buffer makes the first ones quick.
            then: self.bounds.answer_within_ms * 2 + WINDOW_MS,
        };
        stand.start(play, &names, until).await?;
        self.note(stand, Purpose::Telemetry { play }).await
    }

    async fn edge(&self, name: String) -> Result<()> {
        let _room = self.room.acquire().await?;
        let mut stand = self.stand().await?;
        let only = [name.clone()];
        let within = self.bounds.start_within_ms;
        stand.start(Play::Refuse, &only, Until::Up { within, then: SETTLE_MS }).await?;
        if stand.last().is_some_and(|step| step.probe.well > 0) {
            let until = self.healed(&stand);
            stand.step(Play::Answer, &[], until).await?;
            stand.step(Play::Vanish, &only, self.window()).await?;
        }
        self.note(stand, Purpose::Edge { name }).await
    }
}

/// Knocks at whom is not allowed. A need that is allowed at one port is looked up by its name as well, and that alone is no knock;
/// at another port it is as missing as anybody.
fn not_allowed<'k>(knocks: &'k [Knock], roles: &[Role]) -> Vec<&'k Knock> {
    let is_need = |name: &str| roles.iter().any(|role| role.allowed && role.name == name);
    let wanted = |knock: &&Knock| !knock.allowed && (knock.dependency.port > 0 || !is_need(&knock.dependency.name));
    knocks.iter().filter(wanted).collect()
}

/// What must be known of somebody whose first request was none that a mock answers.
fn strangeness(request: &str) -> Option<String> {
    if let Some(why) = request.strip_prefix(TLS).and_then(|rest| rest.strip_prefix(": ")) {
        return Some(format!(
            "was addressed over TLS, and that came to nothing ({why}): mocks show certificates of a root that is `ca.pem` of \
             `--allow certificate`, and the image must be told to believe it, mostly by `--env SSL_CERT_FILE=/etc/blackstart/ca.pem`"
        ));
    }
    let foreign = request == TLS || request.starts_with(NOT_HTTP);
    foreign.then(|| format!("was addressed in {request}, and the mock in its place listens and says nothing"))
}

#[cfg(test)]
mod tests {
    use super::super::protocol::Page;
    use super::*;
    use scenarios::trial::Dependency;

    #[test]
    fn a_need_that_is_allowed_at_one_port_is_left_out_at_another() {
        let knock = |name: &str, port: u16, allowed: bool| {
            let dependency = Dependency { name: name.to_owned(), port, udp: false };
            Knock { dependency, times: 1, first_ms: 0, last_ms: 0, request: None, allowed }
        };
        let need = Role { name: "db".to_owned(), port: Some(443), allowed: true, page: Page::default() };
        let told = |knocks: &[Knock]| {
            let found = not_allowed(knocks, std::slice::from_ref(&need)).into_iter();
            found.map(|knock| knock.dependency.to_string()).collect::<Vec<_>>()
        };
        let (looked_up, need_itself, other) = (knock("db", 0, false), knock("db", 443, true), knock("db", 5432, false));
        assert_eq!(told(&[looked_up.clone(), need_itself.clone()]), Vec::<String>::new());
        assert_eq!(told(&[looked_up, need_itself, other]), ["db:5432"]);
        assert_eq!(told(&[knock("cache", 0, false)]), ["cache"], "it does not exist, and was wanted");
    }

    #[test]
    fn strangers_are_told_of_and_nobody_else() {
        assert!(strangeness("TLS: received fatal alert: UnknownCA").is_some_and(|why| why.contains("ca.pem")));
        assert!(strangeness("not HTTP over TLS").is_some_and(|why| why.contains("says nothing")));
        for known in ["GET /", "GET / over TLS", "POST /a.B/C by gRPC over TLS", "GET /TLS: x"] {
            assert_eq!(strangeness(known), None);
        }
    }
}
