//! Owns trouble with what a region shares: names, grants, clocks. A file for each host says what is the matter, and is held
//! locked for as long as it is. Refuses to know how processes misbehave; they read it and do.
//!
//! A hand that dies lets go of every lock: the inverse is the kernel's. What it does is looked at from outside, by
//! questions over the same wires as everybody's.

use super::fault::Fault;
use super::host_fault::look;
use super::net::{from_host, is_up};
use super::protocol::{Look, TroubleProbe};
use agents::machine::Outcome;
use agents::runtime::clock::mono_ns;
use agents::runtime::probe;
use agents::wire::{Ask, Failure, Reply};
use fixtures::trouble::{InForce, Trouble};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Folder of the files, in the folder that a run's containers share; in it one folder for each host.
pub const TROUBLE_DIR: &str = "trouble";

/// How long a look waits for an answer.
const PATIENCE: Duration = Duration::from_millis(300);
/// A clock that is read over a network is not read more exactly than this.
const CLOCK_SLACK_NS: i64 = 500_000_000;

/// Processes that misbehave.
#[derive(Debug)]
pub(super) struct Misbehaviour {
    name: String,
    folder: PathBuf,
    hosts: Vec<String>,
    in_force: InForce,
    probes: Vec<TroubleProbe>,
    held: Vec<File>,
}

impl Misbehaviour {
    pub(super) fn new(
        name: &str,
        shared: &Path,
        hosts: Vec<String>,
        in_force: InForce,
        probes: Vec<TroubleProbe>,
    ) -> Self {
        let folder = shared.join(TROUBLE_DIR);
        Self { name: name.to_owned(), folder, hosts, in_force, probes, held: Vec::new() }
    }

    /// What is seen at each place.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let trouble = &self.in_force.trouble;
        std::thread::scope(|scope| {
            let looks: Vec<_> =
                self.probes.iter().map(|probe| scope.spawn(move || look_from_host(trouble, probe))).collect();
            looks.into_iter().map(|look| look.join().unwrap_or(Seen::Nobody)).collect()
        })
    }

    fn hold(&self, host: &str) -> std::io::Result<File> {
        let folder = self.folder.join(host);
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.json", self.name));
        // Whole before anybody can see it.
        let draft = self.folder.join(format!("{host}-{}.draft", self.name));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&draft)?;
        file.write_all(serde_json::to_string(&self.in_force)?.as_bytes())?;
        file.lock()?;
        std::fs::rename(&draft, &path)?;
        Ok(file)
    }
}

impl Fault for Misbehaviour {
    fn act(&mut self) -> Result<(), String> {
        if !self.held.is_empty() {
            return Ok(());
        }
        for host in self.hosts.clone() {
            let file = self.hold(&host).map_err(|error| format!("what is the matter with {host}: {error}"))?;
            self.held.push(file);
        }
        Ok(())
    }

    fn look(&mut self) -> Look {
        let seen = self.seen();
        let (mut holding, mut failed) = (Vec::new(), Vec::new());
        for one in &seen {
            match one {
                Seen::Holds(text) => holding.push(text.as_str()),
                Seen::Fails(text) => failed.push(text.as_str()),
                Seen::Nobody => {}
            }
        }
        let text = match (failed.as_slice(), holding.first()) {
            ([], Some(first)) => format!("{} of {} asked: {first}", holding.len(), seen.len()),
            ([], None) => "nobody there to ask".to_owned(),
            (failed, _) => failed.join("; "),
        };
        let (asked, measured) = ((holding.len() + failed.len()) as f64, holding.len() as f64);
        look(failed.is_empty() && !holding.is_empty(), text, &[("misbehaving", asked, measured)])
    }

    fn heal(&mut self) -> Result<(), String> {
        self.held.clear();
        for host in &self.hosts {
            let path = self.folder.join(host).join(format!("{}.json", self.name));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("{}: {error}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What was seen at one place.
pub(super) enum Seen {
    /// The trouble, in a sentence.
    Holds(String),
    /// Something else.
    Fails(String),
    /// The host is dark, or its process not up again: there is nobody who could misbehave.
    Nobody,
}

/// Looks from another host of the region, as its processes see it.
fn look_from_host(trouble: &Trouble, probe: &TroubleProbe) -> Seen {
    if !is_up(&probe.host) {
        return Seen::Nobody;
    }
    let look = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| format!("nobody can look: {error}"))?;
        tokio::task::LocalSet::new().block_on(&runtime, look_at(trouble, probe))
    };
    match from_host(&probe.from, look) {
        Some(Ok(Some(text))) => Seen::Holds(text),
        Some(Ok(None)) => Seen::Nobody,
        Some(Err(text)) => Seen::Fails(text),
        None => Seen::Nobody,
    }
}

/// What was seen of trouble at one place, in a sentence; nothing where nobody listens there; an error where it is not as
/// it should be.
async fn look_at(trouble: &Trouble, probe: &TroubleProbe) -> Result<Option<String>, String> {
    let at: SocketAddr = probe.at.parse().map_err(|_| format!("{} is no address", probe.at))?;
    match trouble {
        Trouble::NamesDead => match probe::lookup(at, &probe.name, PATIENCE).await {
            None => Ok(Some("no answer".to_owned())),
            Some(Outcome::Refused) => Ok(None),
            Some(outcome) => Err(format!("{at} answers: {outcome:?}")),
        },
        Trouble::NamesSlow { delay_ms } => {
            let least = Duration::from_millis(*delay_ms).min(PATIENCE);
            let began = mono_ns();
            let answer = probe::lookup(at, &probe.name, PATIENCE).await;
            let took_ms = (mono_ns() - began) / 1_000_000;
            if answer.is_none() || u128::from(took_ms) >= least.as_millis() {
                Ok(Some(format!("an answer takes {took_ms} ms or more")))
            } else if matches!(answer, Some(Outcome::Refused)) {
                Ok(None)
            } else {
                Err(format!("{at} answers after {took_ms} ms"))
            }
        }
        Trouble::NamesEmpty | Trouble::NamesStale | Trouble::NamesWrong => {
            let outcome = probe::lookup(at, &probe.name, PATIENCE).await;
            if matches!(outcome, Some(Outcome::Refused)) {
                return Ok(None);
            }
            let Some(Outcome::Reply(Reply { records: Some(records), .. })) = outcome else {
                return Err(format!("{at} gives no records: {outcome:?}"));
            };
            let found: Vec<String> = records.targets.iter().map(|target| target.address.to_string()).collect();
            let strange = !found.is_empty() && found.iter().all(|address| !probe.expected.contains(address));
            let (holds, text) = match trouble {
                Trouble::NamesEmpty => (found.is_empty(), format!("{} has no address", probe.name)),
                Trouble::NamesWrong => (strange, format!("{} is {}", probe.name, found.join(", "))),
                _ => (records.serial == 1, format!("the zone's serial number is {}", records.serial)),
            };
            if holds { Ok(Some(text)) } else { Err(format!("{at}: serial {}, {}", records.serial, found.join(", "))) }
        }
        Trouble::Changed(version) => match asked(at, probe, &Ask::Version).await? {
            Asked::Nobody => Ok(None),
            Asked::Disbelieved => Err(format!("{at}: its certificate is not believed")),
            Asked::Answer(reply) => match reply.value.unwrap_or_default() {
                name if name == version.name => Ok(Some(format!("it runs version `{name}`"))),
                name if name.is_empty() => Err(format!("{at} runs the version of the graph")),
                name => Err(format!("{at} runs version `{name}`")),
            },
        },
        Trouble::GrantsRefused | Trouble::GrantsExpired => grant(trouble, at, probe).await,
        Trouble::ClockWrong { ahead_ms } => match asked(at, probe, &Ask::Live).await? {
            Asked::Nobody => Ok(None),
            Asked::Disbelieved => Ok(Some("its certificate is not believed".to_owned())),
            Asked::Answer(reply) => {
                let shown = reply.value.and_then(|text| text.parse::<i64>().ok());
                let shown = shown.ok_or_else(|| format!("{at} tells no time"))?;
                let ahead = shown - i64::try_from(mono_ns()).unwrap_or(i64::MAX);
                let text = format!("its clock is {} ms ahead", ahead / 1_000_000);
                let off = (ahead - ahead_ms.saturating_mul(1_000_000)).abs();
                if off <= CLOCK_SLACK_NS { Ok(Some(text)) } else { Err(format!("{at}: {text}")) }
            }
        },
    }
}

async fn grant(trouble: &Trouble, at: SocketAddr, probe: &TroubleProbe) -> Result<Option<String>, String> {
    let ask = Ask::Need { kind: probe.name.as_str().into(), holder: "".into() };
    let reply = match asked(at, probe, &ask).await? {
        Asked::Nobody => return Ok(None),
        // Whoever needs a certificate of its own to be believed grants nothing without one.
        Asked::Disbelieved => return Ok(Some("it is not believed itself".to_owned())),
        Asked::Answer(reply) => reply,
    };
    let now = i64::try_from(mono_ns()).unwrap_or(i64::MAX);
    let ended = reply.grant.as_ref().is_some_and(|grant| grant.until_ns < now);
    match trouble {
        Trouble::GrantsRefused if reply.error == Some(Failure::Denied) => {
            Ok(Some(format!("{} is refused", probe.name)))
        }
        Trouble::GrantsExpired if ended => Ok(Some(format!("{} has ended when it is granted", probe.name))),
        _ => Err(format!("{at} grants {}: {:?}, {:?}", probe.name, reply.error, reply.grant)),
    }
}

/// How a question to a process ended.
enum Asked {
    Answer(Box<Reply>),
    Disbelieved,
    Nobody,
}

async fn asked(at: SocketAddr, probe: &TroubleProbe, ask: &Ask) -> Result<Asked, String> {
    let secure = probe.secure.as_deref().map(Into::into);
    match probe::ask(at, secure, probe.root.as_deref(), ask, PATIENCE).await {
        Some(Outcome::Reply(reply)) => Ok(Asked::Answer(Box::new(reply))),
        Some(Outcome::Untrusted) => Ok(Asked::Disbelieved),
        Some(Outcome::Refused) => Ok(Asked::Nobody),
        other => Err(format!("{at} does not answer: {other:?}")),
    }
}
