//! Owns a scripted world in virtual time that a controller can be played against. Refuses to judge: it keeps what the
//! controller logged and did.

use harness::controller::{Command, Controller, Do, Done, Effect, Ending, Input, Nanos, Report};
use harness::load;
use scenarios::event::{Detail, Life, Phase};
use std::collections::{BTreeSet, VecDeque};

/// A millisecond.
pub(crate) const MS: Nanos = 1_000_000;

/// How the scripted world behaves.
pub(crate) struct Play {
    pub(crate) loaded: load::Loaded,
    pub(crate) controller: Controller,
    pub(crate) now: Nanos,
    /// What the controller logged: time, and what.
    pub(crate) log: Vec<(Nanos, Detail)>,
    /// Acts that it asked for.
    pub(crate) acts: Vec<Do>,
    pub(crate) ending: Option<Ending>,
    pub(crate) cancelled: usize,
    /// Instances that never become active again after they lost power.
    pub(crate) stuck: BTreeSet<usize>,
    /// Instances that the witness sees active before the word comes that they have got power, and tells once.
    pub(crate) quick: BTreeSet<usize>,
    /// Instances that answer although they have no power.
    pub(crate) undead: Vec<usize>,
    /// An act that fails: its place in the order of acts.
    pub(crate) failing_act: Option<usize>,
    dark: BTreeSet<String>,
    pending: Option<(Nanos, Do)>,
    /// Instances that become active, and when.
    waking: VecDeque<(Nanos, usize)>,
    next_round: Nanos,
}

impl Play {
    pub(crate) fn new(scenario: &str) -> Self {
        Self::of(load::scenario(scenario, false).expect("built-in scenarios load"))
    }

    /// Plays a game day on `minimal` with these faults, as a file has them.
    pub(crate) fn with_faults(faults: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("day.toml");
        let head = "name = \"day\"\ntitle = \"A day\"\ntopology = \"us-test-1\"\ngraph = \"minimal\"\n";
        std::fs::write(&path, format!("{head}{faults}")).expect("it can be written");
        match load::scenario(&path.to_string_lossy(), false) {
            Ok(loaded) => Self::of(loaded),
            Err(bad) => panic!("{}", bad.text),
        }
    }

    fn of(loaded: load::Loaded) -> Self {
        let (scenario, plan, placement) = (loaded.scenario.clone(), loaded.plan.clone(), loaded.placement.clone());
        let dark = placement.hosts.iter().map(|host| host.name.to_string()).collect();
        Self {
            controller: Controller::new(scenario, plan, placement, false),
            loaded,
            now: 0,
            log: Vec::new(),
            acts: Vec::new(),
            ending: None,
            cancelled: 0,
            stuck: BTreeSet::new(),
            quick: BTreeSet::new(),
            undead: Vec::new(),
            failing_act: None,
            dark,
            pending: None,
            waking: VecDeque::new(),
            next_round: 0,
        }
    }

    /// Hands one input over and takes the commands.
    pub(crate) fn feed(&mut self, input: Input) {
        let mut commands = Vec::new();
        self.controller.handle(self.now, input, &mut commands);
        for command in commands {
            match command {
                Command::Log { t_ns, detail, .. } => self.log.push((t_ns, detail)),
                Command::Do(act) => {
                    assert!(self.pending.is_none(), "an act began while another was under way: {act:?}");
                    self.acts.push(act.clone());
                    self.pending = Some((self.now + 100 * MS, act));
                }
                Command::Cancel => self.cancelled += 1,
                Command::End(ending) => {
                    assert!(self.ending.is_none(), "a run ends once");
                    self.ending = Some(ending);
                }
            }
        }
    }

    /// Plays until the run ends, or `until` is true after a step.
    pub(crate) fn play(&mut self, until: impl Fn(&Self) -> bool) {
        if self.acts.is_empty() && self.log.is_empty() {
            self.feed(Input::Begin);
        }
        let mut steps = 0;
        while self.ending.is_none() && !until(self) {
            steps += 1;
            assert!(steps < 100_000, "the run goes on for ever, at {} s", self.now / 1_000_000_000);
            self.step();
        }
    }

    /// The next thing that happens: an act ends, the controller wakes, or the witness has been round.
    fn step(&mut self) {
        let act_at = self.pending.as_ref().map(|(at, _)| *at);
        let wake_at = self.controller.next_wake();
        let probe_at = self.waking.front().map(|(at, _)| *at);
        let next =
            [act_at, wake_at, probe_at, Some(self.next_round)].into_iter().flatten().min().unwrap_or(self.next_round);
        self.now = self.now.max(next);
        if act_at == Some(next) {
            let Some((_, act)) = self.pending.take() else { return };
            self.act_ended(act);
        } else if probe_at == Some(next) {
            if let Some((_, instance)) = self.waking.pop_front() {
                self.probe(instance, Life::Active);
            }
        } else if wake_at == Some(next) {
            self.feed(Input::Wake);
        } else {
            self.next_round = self.now + 500 * MS;
            self.feed(Input::Round { t_ns: self.now, answering: self.undead.clone() });
        }
    }

    fn act_ended(&mut self, act: Do) {
        if self.failing_act == Some(self.acts.len() - 1) {
            return self.feed(Input::Done(Err("it broke".to_owned())));
        }
        let (t_ns, skew_ns, method) = (self.now, MS, "scripted".to_owned());
        match act {
            Do::Provision => self.feed(Input::Done(Ok(Done::Provisioned))),
            Do::PowerOn(hosts) => {
                let first = self.acts.len() == 2;
                self.dark.retain(|host| !hosts.iter().any(|lit| lit.as_str() == host));
                for instance in self.quick.clone() {
                    self.probe(instance, Life::Active);
                }
                let t_ns = if self.quick.is_empty() { t_ns } else { t_ns - 50 * MS };
                self.feed(Input::Done(Ok(Done::Lit { t_ns, skew_ns, method })));
                for instance in 0..self.loaded.placement.instances.len() {
                    let host = &self.loaded.placement.hosts[self.loaded.placement.instances[instance].host].name;
                    let wakes = (first || !self.stuck.contains(&instance)) && !self.quick.contains(&instance);
                    if hosts.contains(host) && wakes {
                        self.waking.push_back((self.now + 300 * MS, instance));
                    }
                }
            }
            Do::PowerOff { hosts, .. } => {
                self.dark.extend(hosts.iter().map(ToString::to_string));
                let (unsynced_lost, torn, caveats) = (Vec::new(), Vec::new(), Vec::new());
                self.feed(Input::Done(Ok(Done::Dark {
                    t_ns,
                    skew_ns,
                    method,
                    dead: hosts,
                    unsynced_lost,
                    torn,
                    caveats,
                })));
            }
            Do::Inject { .. } => {
                let effect = Some(Effect { holds: true, ..Effect::default() });
                self.feed(Input::Done(Ok(Done::Injected { t_ns, method, effect })));
            }
            Do::Heal { .. } => self.feed(Input::Done(Ok(Done::Healed { t_ns, method }))),
            Do::Leave => self.feed(Input::Done(Ok(Done::Left))),
            Do::ReadBack => self.feed(Input::Done(Ok(Done::ReadBack))),
            Do::Teardown => self.feed(Input::Done(Ok(Done::TornDown { residue: Vec::new(), others: Vec::new() }))),
        }
    }

    pub(crate) fn probe(&mut self, instance: usize, life: Life) {
        let report = Report { life, degraded: false, missing: Vec::new(), cause: String::new(), took_us: 1 };
        self.feed(Input::Probe { t_ns: self.now, instance, report });
    }

    /// The phases entered so far.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let phase = |(_, detail): &(Nanos, Detail)| match detail {
            Detail::Phase { phase, .. } => Some(*phase),
            _ => None,
        };
        self.log.iter().filter_map(phase).collect()
    }

    pub(crate) fn in_phase(&self, wanted: Phase) -> bool {
        self.phases().last() == Some(&wanted)
    }

    /// Codes of the caveats logged.
    pub(crate) fn caveats(&self) -> Vec<&str> {
        let code = |(_, detail): &'_ (Nanos, Detail)| match detail {
            Detail::Caveat { code, .. } => Some(code.clone()),
            _ => None,
        };
        let codes: Vec<String> = self.log.iter().filter_map(code).collect();
        codes.into_iter().map(|code| &*Box::leak(code.into_boxed_str())).collect()
    }
}
