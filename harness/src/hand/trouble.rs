//! Owns trouble with what a region shares: names, grants, clocks. A file for each host says what is the matter, and is held
//! locked for as long as it is. Refuses to know how processes misbehave; they read it and do.
//!
//! A hand that dies lets go of every lock: the inverse is the kernel's. What it does is looked at from outside, by
//! questions over the same wires as everybody's.

use super::fault::Fault;
use super::host_fault::look;
use super::protocol::{Look, TroubleProbe};
use agents::machine::Outcome;
use agents::runtime::clock::mono_ns;
use agents::runtime::probe;
use agents::wire::{Ask, Failure, Reply};
use fixtures::trouble::{InForce, Trouble};
use futures_util::future::join_all;
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
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return Look { text: format!("nobody can look: {error}"), ..Look::default() },
        };
        let trouble = self.in_force.trouble;
        let looks = self.probes.iter().map(|probe| look_at(trouble, probe));
        let seen = tokio::task::LocalSet::new().block_on(&runtime, join_all(looks));
        let failed: Vec<&str> = seen.iter().filter_map(|seen| seen.as_ref().err()).map(String::as_str).collect();
        let holding = seen.len() - failed.len();
        let text = match (failed.as_slice(), seen.iter().find_map(|seen| seen.as_ref().ok())) {
            ([], Some(first)) => format!("{holding} of {} asked: {first}", seen.len()),
            ([], None) => "nobody to ask".to_owned(),
            (failed, _) => failed.join("; "),
        };
        let (asked, measured) = (seen.len() as f64, holding as f64);
        look(failed.is_empty() && !seen.is_empty(), text, &[("misbehaving", asked, measured)])
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

/// What was seen of trouble at one place, in a sentence; an error where it is not as it should be.
async fn look_at(trouble: Trouble, probe: &TroubleProbe) -> Result<String, String> {
    let at: SocketAddr = probe.at.parse().map_err(|_| format!("{} is no address", probe.at))?;
    match trouble {
        Trouble::NamesDead => match probe::lookup(at, &probe.name, PATIENCE).await {
            None => Ok("no answer".to_owned()),
            Some(outcome) => Err(format!("{at} answers: {outcome:?}")),
        },
        Trouble::NamesSlow { delay_ms } => {
            let least = Duration::from_millis(delay_ms).min(PATIENCE);
            let began = mono_ns();
            let answer = probe::lookup(at, &probe.name, PATIENCE).await;
            let took_ms = (mono_ns() - began) / 1_000_000;
            if answer.is_none() || u128::from(took_ms) >= least.as_millis() {
                Ok(format!("an answer takes {took_ms} ms or more"))
            } else {
                Err(format!("{at} answers after {took_ms} ms"))
            }
        }
        Trouble::NamesEmpty | Trouble::NamesStale | Trouble::NamesWrong => {
            let outcome = probe::lookup(at, &probe.name, PATIENCE).await;
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
            if holds { Ok(text) } else { Err(format!("{at}: serial {}, {}", records.serial, found.join(", "))) }
        }
        Trouble::GrantsRefused | Trouble::GrantsExpired => grant(trouble, at, probe).await,
        Trouble::ClockWrong { ahead_ms } => match asked(at, probe, &Ask::Live).await? {
            None => Ok("its certificate is not believed".to_owned()),
            Some(reply) => {
                let shown = reply.value.and_then(|text| text.parse::<i64>().ok());
                let shown = shown.ok_or_else(|| format!("{at} tells no time"))?;
                let ahead = shown - i64::try_from(mono_ns()).unwrap_or(i64::MAX);
                let text = format!("its clock is {} ms ahead", ahead / 1_000_000);
                let off = (ahead - ahead_ms.saturating_mul(1_000_000)).abs();
                if off <= CLOCK_SLACK_NS { Ok(text) } else { Err(format!("{at}: {text}")) }
            }
        },
    }
}

async fn grant(trouble: Trouble, at: SocketAddr, probe: &TroubleProbe) -> Result<String, String> {
    let ask = Ask::Need { kind: probe.name.as_str().into() };
    // Whoever needs a certificate of its own to be believed grants nothing without one.
    let Some(reply) = asked(at, probe, &ask).await? else { return Ok("it is not believed itself".to_owned()) };
    let now = i64::try_from(mono_ns()).unwrap_or(i64::MAX);
    let ended = reply.grant.is_some_and(|grant| grant.until_ns < now);
    match trouble {
        Trouble::GrantsRefused if reply.error == Some(Failure::Denied) => Ok(format!("{} is refused", probe.name)),
        Trouble::GrantsExpired if ended => Ok(format!("{} has ended when it is granted", probe.name)),
        _ => Err(format!("{at} grants {}: {:?}, {:?}", probe.name, reply.error, reply.grant)),
    }
}

/// An answer; `None` where whoever answers is not believed.
async fn asked(at: SocketAddr, probe: &TroubleProbe, ask: &Ask) -> Result<Option<Reply>, String> {
    let secure = probe.secure.as_deref().map(Into::into);
    match probe::ask(at, secure, probe.root.as_deref(), ask, PATIENCE).await {
        Some(Outcome::Reply(reply)) => Ok(Some(reply)),
        Some(Outcome::Untrusted) => Ok(None),
        other => Err(format!("{at} does not answer: {other:?}")),
    }
}
