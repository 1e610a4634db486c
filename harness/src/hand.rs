//! Owns the hand: the one process with rights on the engine's machine. It opens gates, kills hosts at once, writes
//! packet filter rules, and cleans up; it holds the run's lease and acts alone when the controller is silent. Refuses
//! to act outside its run's names and labels.
//!
//! - [`protocol`]: what it is told and what it answers
//! - [`journal`]: what it wrote down before it did it, for a hand that is started again
//! - [`power`], [`gate`]: power; [`borrowed`]: what is owed to containers that somebody else started
//! - [`net`]: forwarding, latencies, and faults on the network
//! - [`disk`]: the disks of zones, and their faults
//! - [`fault`], [`host_fault`]: faults that begin, can be looked at, and end
//! - [`trouble`]: names, grants and clocks that misbehave
//! - [`cgroup`], [`hierarchy`], [`helper`]: control groups, and processes that work in a host's
//! - [`machine`]: what is on the machine before a run and after it
//! - [`undertaker`]: removes what the hand itself stands on

pub mod boot;
pub mod borrowed;
mod cgroup;
mod change;
pub mod disk;
mod end;
mod end_first;
pub mod fault;
mod gate;
pub mod helper;
pub mod hierarchy;
pub mod host_fault;
mod journal;
pub mod machine;
mod memory;
pub mod net;
mod pause;
mod power;
mod processor;
pub mod protocol;
pub mod trouble;
pub mod undertaker;

use crate::world::docker::sweep;
use agents::runtime::clock::mono_ns;
use cgroup::Favoured;
use disk::Disks;
use disk::place::Place;
use fault::Fault;
use gate::Gates;
use host_fault::Ground;
use journal::{Entry, Journal, Past};
use machine::{Snapshot, Whose};
use net::{Net, NetworkFault, neighbours, wire};
use protocol::{Answer, Deed, DiskCut, LeaseEnd, Left, Order, Rights, Standing, TakenOver, Target, Task, Wire, Word};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Where the run's shared volume is in every container of it.
pub const SHARED_DIR: &str = "/run/blackstart";
/// Where the zones' state volumes are: in the hand all of them, by zone; in a host its own zone's.
pub const STATE_DIR: &str = "/state";
/// Where the hand sees the root folder of the engine's machine.
pub const MACHINE_ROOT: &str = "/machine";
/// Where this executable is for hosts of real software, below [`SHARED_DIR`].
pub const EXECUTABLE: &str = "software/blackstart";
/// Folder of the gates, below [`SHARED_DIR`].
pub const GATES_DIR: &str = "gates";
/// The user that hosts run as: nobody has an account with this number.
pub const HOST_UID: u32 = 65_532;

/// A lease before the first order says how long it is.
const LEASE_BEFORE_HELLO: Duration = Duration::from_secs(30);
/// How long a hand that was started again waits for a controller: one that is alive is there at once.
const LEASE_AGAIN: Duration = Duration::from_secs(3);

/// How often a hand that stands alone tries to give power back, and how long it waits between.
const STAND_TRIES: usize = 120;
const STAND_EVERY: Duration = Duration::from_secs(1);

struct Hand {
    journal: Journal,
    standing: Standing,
    gates: Gates,
    faults: BTreeMap<String, Box<dyn Fault>>,
    net: Option<Arc<Net>>,
    wires: Vec<Wire>,
    disks: Option<Disks>,
    hold_until_ns: Option<u64>,
    borrowed: borrowed::All,
    /// Control groups that come first at the processors.
    favoured: Vec<Favoured>,
    ground: Ground,
    /// What was on the machine before the run.
    before: Option<Snapshot>,
    /// How often the machine had no room for a neighbour before the run.
    crowded_before: Option<u64>,
    /// What this hand found that takes up what another one left.
    found: TakenOver,
}

/// Runs the hand until its orders end; then it does by itself what its lease says.
///
/// `standing` is a [`Standing`] as JSON. It is an argument and not the first order: a controller that dies while the
/// engine starts its hand gives no orders.
///
/// # Errors
/// Where `standing` cannot be read, or standard output, or the shared folder, is gone.
pub fn run(standing: &str) -> std::io::Result<()> {
    let standing: Standing = serde_json::from_str(standing)?;
    let (mut journal, past) = Journal::open(Path::new(SHARED_DIR))?;
    let mut lease = if past.again { LEASE_AGAIN } else { LEASE_BEFORE_HELLO };
    journal.write(&Entry::Up).map_err(std::io::Error::other)?;
    let mut hand = Hand::new(standing, journal, past);
    let orders = read_orders();
    loop {
        match orders.recv_timeout(lease) {
            Ok(order) => {
                lease = Duration::from_millis(hand.standing.lease.silence_ms);
                let word = Word { id: order.id, result: hand.perform(order.task) };
                let mut line = serde_json::to_string(&word).map_err(std::io::Error::other)?;
                line.push('\n');
                std::io::stdout().write_all(line.as_bytes())?;
                std::io::stdout().flush()?;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                hand.controller_is_gone();
                return Ok(());
            }
        }
    }
}

fn read_orders() -> Receiver<Order> {
    let (sender, receiver) = sync_channel(64);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str::<Order>(&line) {
                Ok(order) => {
                    if sender.send(order).is_err() {
                        break;
                    }
                }
                Err(error) => eprintln!("the hand does not understand {line:?}: {error}"),
            }
        }
    });
    receiver
}

impl Hand {
    /// A hand with what an earlier one of the same run left behind in force.
    fn new(standing: Standing, journal: Journal, past: Past) -> Self {
        let gates = Gates::new(Path::new(SHARED_DIR).join(GATES_DIR));
        let Past { again: _, faults, hold_until_ns, before, links, wires, disks, borrowed, owed } = past;
        let mut hand = Self {
            journal,
            standing,
            gates,
            faults: BTreeMap::new(),
            net: None,
            wires,
            disks: None,
            hold_until_ns,
            borrowed: borrowed::All::of_past(borrowed, owed),
            favoured: Vec::new(),
            ground: Ground::of_hand(),
            before,
            crowded_before: neighbours::refused(),
            found: TakenOver::default(),
        };
        if !disks.is_empty() {
            let mut held = Disks::new(hand.place());
            if let Err(why) = held.resume(&disks) {
                hand.trouble("disks", format!("the disks of an earlier hand cannot be taken over: {why}"));
            }
            hand.disks = Some(held);
        }
        if let Some((bridges, seed)) = links {
            hand.found.rules_gone = !net::are_there(&hand.standing.short);
            if let Err(why) = hand.link(&bridges, seed) {
                hand.trouble("network", format!("the network of an earlier hand cannot be taken over: {why}"));
            }
        }
        for (name, deed) in faults {
            match hand.make(&name, &deed) {
                Ok(fault) => {
                    hand.faults.insert(name, fault);
                }
                Err(why) => hand.trouble("fault", format!("{name} of an earlier hand cannot be healed: {why}")),
            }
        }
        hand
    }

    fn trouble(&mut self, kind: &str, what: String) {
        eprintln!("{kind}: {what}");
        self.found.troubled.push((kind.to_owned(), what));
    }

    fn perform(&mut self, task: Task) -> Result<Answer, String> {
        match task {
            Task::Hello => self.greeted(),
            Task::Beat => Ok(Answer::Done),
            Task::Prepare { files, gates } => self.prepare(&files, &gates),
            Task::Software => place_executable(),
            Task::Disks { zones, large } => self.make_disks(zones, large),
            Task::Links { bridges, seed } => {
                self.journal.write(&Entry::Links { bridges: bridges.clone(), seed })?;
                self.link(&bridges, seed)
            }
            Task::Wires { wires } => {
                self.journal.write(&Entry::Wires(wires.clone()))?;
                self.wires = wires;
                Ok(Answer::Done)
            }
            Task::Plug { host } => self.plug(&[host]).map(|()| Answer::Done),
            Task::Latencies { rules } => self.net()?.set_base(rules).map(|()| Answer::Done),
            Task::PowerOff { whole, hosts, disks } => self.power_off(&whole, &hosts, &disks),
            Task::CloseGates { gates } => self.close(&gates).map(|()| Answer::Done),
            Task::OpenGates { gates } => self.open(&gates),
            Task::Inject { fault, deed } => self.inject(&fault, deed),
            Task::Look { fault } => match self.faults.get_mut(&fault) {
                Some(live) => Ok(Answer::Look(live.look())),
                None => Err(format!("no fault `{fault}` is in force")),
            },
            Task::Heal { fault } => self.heal(&fault).map(|()| Answer::Done),
            Task::Borrow { containers } => self.borrowed.borrow(containers, &mut self.journal).map(|()| Answer::Done),
            Task::Owe { hosts, withhold } => {
                self.borrowed.owe(&hosts, withhold, &self.standing, &mut self.journal).map(|()| Answer::Done)
            }
            Task::GiveBack { hosts } => {
                self.borrowed.give_back(&hosts, &self.standing, &mut self.journal).map(Answer::Given)
            }
            Task::Lease(then) => {
                self.standing.lease.then = then;
                Ok(Answer::Done)
            }
            Task::Favour { groups } => {
                self.favoured = groups.iter().filter_map(|group| Favoured::new(group)).collect();
                Ok(Answer::Done)
            }
            Task::Tap => self.net()?.begin_to_tap().map(|()| Answer::Done),
            Task::Tapped => self.net()?.tapped().map(Answer::Tapped),
            Task::TakeOver => Ok(Answer::TakenOver(self.take_over())),
            Task::Crowding => Ok(Answer::Crowded(self.crowding())),
            Task::Hold { ms } => self.hold(ms).map(|()| Answer::Done),
            Task::Finish => Ok(Answer::Left(self.finish())),
        }
    }

    fn greeted(&mut self) -> Result<Answer, String> {
        if self.before.is_none() && cgroup::listing_root().is_some() {
            let before = machine::snapshot_from_hand();
            self.journal.write(&Entry::Before(before.clone()))?;
            self.before = Some(before);
        }
        Ok(Answer::Hello(Box::new(rights(&self.place()))))
    }

    /// The fault that a deed is. Nothing is done yet.
    fn make(&self, name: &str, deed: &Deed) -> Result<Box<dyn Fault>, String> {
        if let Some(fault) = host_fault::fault_of(deed, &self.ground) {
            return Ok(fault);
        }
        if let Some(fault) = disk::fault_of(deed, &self.place()) {
            return Ok(fault);
        }
        if let Deed::Trouble { hosts, in_force, probes } = deed {
            let (hosts, in_force, probes) = (hosts.clone(), in_force.clone(), probes.clone());
            return Ok(Box::new(trouble::Misbehaviour::new(name, Path::new(SHARED_DIR), hosts, in_force, probes)));
        }
        if let Deed::Change { hosts, in_force, probes, ends } = deed {
            let names = hosts.iter().map(|host| host.host.clone()).collect();
            let (in_force, probes) = (in_force.clone(), probes.clone());
            let told = trouble::Misbehaviour::new(name, Path::new(SHARED_DIR), names, in_force, probes);
            let hierarchies = self.ground.hierarchies.clone();
            return Ok(Box::new(match ends {
                Some(ends) => change::Change::deploy(told, hosts.clone(), ends.clone(), hierarchies),
                None => change::Change::push(told),
            }));
        }
        let fault = NetworkFault::from_deed(name, deed, self.net()?);
        fault.map(|fault| Box::new(fault) as Box<dyn Fault>).ok_or_else(|| format!("this hand knows no {deed:?}"))
    }

    fn place(&self) -> Place {
        Place::in_hand(&self.standing.short)
    }

    fn make_disks(&mut self, zones: Vec<String>, large: bool) -> Result<Answer, String> {
        self.journal.write(&Entry::Disks(zones.clone()))?;
        let place = self.place();
        self.disks.get_or_insert_with(|| Disks::new(place)).make(&zones, large).map(Answer::Disks)
    }

    fn power_off(&mut self, whole: &[String], hosts: &[Target], disks: &[DiskCut]) -> Result<Answer, String> {
        let mut dark = power::power_off(&self.standing.cgroups, whole, hosts)?;
        for DiskCut { zone, torn } in disks {
            let held = self.disks.as_mut().ok_or("zones have no disks of their own")?;
            let report = held.cut(zone, torn.as_ref())?;
            let real = torn.iter().flat_map(|tearing| &tearing.real);
            dark.torn.extend(real.filter(|host| report.tore(host)).cloned());
            dark.disks.push((zone.clone(), report.to_string()));
        }
        Ok(Answer::Dark(dark))
    }

    fn net(&self) -> Result<Arc<Net>, String> {
        self.net.clone().ok_or_else(|| "the run's bridges were not linked yet".to_owned())
    }

    fn link(&mut self, bridges: &[String], seed: u64) -> Result<Answer, String> {
        // Whoever takes a standing region over asks again.
        let net = match &self.net {
            Some(net) => Arc::clone(net),
            None => Arc::new(Net::start(&self.standing.short, bridges, seed)?),
        };
        let (shapes, caveats) = (net.shaping(), net.caveats().to_vec());
        self.net = Some(net);
        Ok(Answer::Linked { shapes, caveats })
    }

    /// What an earlier hand had begun ends, and hosts that lost their cable with it get one.
    fn take_over(&mut self) -> TakenOver {
        let mut found = std::mem::take(&mut self.found);
        found.healed = self.faults.keys().cloned().collect();
        found.troubled.extend(self.heal_all());
        if let Err(why) = wire::plug(self.wires.iter()) {
            found.troubled.push(("interface".to_owned(), why));
        }
        found
    }

    fn inject(&mut self, name: &str, deed: Deed) -> Result<Answer, String> {
        let mut fault = self.make(name, &deed)?;
        self.journal.write(&Entry::Intent { fault: name.to_owned(), deed })?;
        let begun = fault.act();
        self.faults.insert(name.to_owned(), fault);
        if let Err(why) = begun {
            self.heal(name)?;
            return Err(why);
        }
        match self.faults.get_mut(name) {
            Some(fault) => Ok(Answer::Look(fault.look())),
            None => Err(format!("the fault `{name}` is gone")),
        }
    }

    /// Ends a fault; one that is not in force is none. It is forgotten only when it has ended.
    fn heal(&mut self, name: &str) -> Result<(), String> {
        let Some(fault) = self.faults.get_mut(name) else { return Ok(()) };
        fault.heal()?;
        self.faults.remove(name);
        self.journal.write(&Entry::Healed { fault: name.to_owned() })
    }

    /// Ends every fault, and gives back what is owed to borrowed hosts; returns what may still be in force, or owed.
    fn heal_all(&mut self) -> Vec<(String, String)> {
        let names: Vec<String> = self.faults.keys().cloned().collect();
        let failed = |name: String| self.heal(&name).err().map(|why| ("fault".to_owned(), format!("{name} ({why})")));
        let mut left: Vec<(String, String)> = names.into_iter().filter_map(failed).collect();
        left.extend(self.borrowed.give_all(&self.standing, &mut self.journal));
        left
    }

    fn crowding(&self) -> u64 {
        neighbours::refused().zip(self.crowded_before).map_or(0, |(now, before)| now.saturating_sub(before))
    }

    fn hold(&mut self, ms: u64) -> Result<(), String> {
        let until_ns = mono_ns().saturating_add(ms.saturating_mul(1_000_000));
        self.journal.write(&Entry::Hold { until_ns })?;
        self.hold_until_ns = Some(until_ns);
        Ok(())
    }

    fn open(&mut self, gates: &[String]) -> Result<Answer, String> {
        if cgroup::listing_root().is_some() {
            self.gates.await_waiters(gates);
        }
        self.plug(gates)?;
        let first_ns = mono_ns();
        for gate in gates {
            self.gates.open(gate).map_err(|error| format!("gate {gate}: {error}"))?;
        }
        Ok(Answer::Open { first_ns, last_ns: mono_ns() })
    }

    /// Gives those of these hosts their cables that have none.
    fn plug(&self, hosts: &[String]) -> Result<(), String> {
        wire::plug(self.wires.iter().filter(|wire| hosts.contains(&wire.host.host)))
    }

    fn prepare(&mut self, files: &[(String, String)], gates: &[String]) -> Result<Answer, String> {
        let told = |path: &Path| {
            let path = path.display().to_string();
            move |error: std::io::Error| format!("{path}: {error}")
        };
        for (path, text) in files {
            let path = Path::new(SHARED_DIR).join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(told(folder))?;
            }
            // Whoever begins to read it meanwhile reads the old one, or the new one.
            let part = path.with_extension("part");
            std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path)).map_err(told(&path))?;
        }
        let folder = Path::new(SHARED_DIR).join(GATES_DIR);
        std::fs::create_dir_all(&folder).map_err(told(&folder))?;
        self.close(gates)?;
        Ok(Answer::Done)
    }

    fn close(&mut self, gates: &[String]) -> Result<(), String> {
        for gate in gates {
            self.gates.close(gate).map_err(|error| format!("gate {gate}: {error}"))?;
        }
        Ok(())
    }

    /// Heals and removes everything but what the hand stands on.
    fn finish(&mut self) -> Left {
        let mut residue = self.heal_all();
        // Nobody wants it to stand any longer, whatever becomes of whoever asked for this.
        self.hold_until_ns = None;
        let standing = &self.standing;
        self.favoured.clear();
        // Its queue ends with it.
        self.faults.clear();
        self.net = None;
        residue.extend(net::remove(&standing.short).into_iter().map(|rule| ("rule".to_owned(), rule)));
        residue.extend(wire::unplug(&standing.short).into_iter().map(|cable| ("interface".to_owned(), cable)));
        residue.extend(self.disks.take().unwrap_or_else(|| Disks::new(Place::in_hand(&standing.short))).remove());
        let groups = standing.cgroups.iter().flat_map(|group| cgroup::remove(group));
        residue.extend(groups.map(|group| ("cgroup".to_owned(), group)));
        let mut others = Vec::new();
        for (kind, name, whose) in self
            .before
            .iter()
            .flat_map(|before| machine::difference(before, &machine::snapshot_from_hand(), &standing.short))
        {
            match whose {
                Whose::Residue if residue.contains(&(kind.clone(), name.clone())) => {}
                Whose::Residue => residue.push((kind, name)),
                Whose::ChangedBySomebodyElse => others.push((kind, name)),
            }
        }
        Left { residue, others }
    }

    /// The lease has ended: nobody else will heal this run. After a `Finish` it is the controller that removes the hand,
    /// and what it stands on; one that dies over that leaves them to the hand as well.
    fn controller_is_gone(&mut self) {
        let standing = self.standing.clone();
        if let LeaseEnd::Leave { ms } = standing.lease.then {
            // Whoever takes it up brings another hand, and ends this one.
            std::thread::sleep(Duration::from_millis(ms));
            return self.remove_everything(&standing);
        }
        for (kind, name) in self.heal_all() {
            eprintln!("the hand could not heal: {kind} {name}");
        }
        if !self.gave_all(&standing) {
            // The journal says what is owed: it stays, with all that the hand stands on.
            eprintln!("something is owed to borrowed hosts still: `blackstart clean {}` tries once more", standing.run);
            return;
        }
        if standing.lease.then == LeaseEnd::HealAndStand {
            return self.stand(&standing);
        }
        if let (None, LeaseEnd::HealAndHold { ms }) = (self.hold_until_ns, standing.lease.then) {
            let held = sweep::light_from_hand(&standing.run, &standing.socket).map_err(|error| format!("{error:#}"));
            let held = held.and_then(|gates| self.open(&gates).map(drop)).and_then(|()| self.hold(ms));
            if let Err(why) = held {
                eprintln!("the hand could not give power back to run {}: {why}", standing.run);
            }
        }
        if let Some(until_ns) = self.hold_until_ns {
            // The one wait of the hand that ends by the clock alone: nobody is left who could tell it anything.
            std::thread::sleep(Duration::from_nanos(until_ns.saturating_sub(mono_ns())));
        }
        self.remove_everything(&standing);
    }

    /// Gives hosts without power theirs, all together, and is there until whoever takes the region over ends it. An engine
    /// that has just come up is asked until it answers.
    fn stand(&mut self, standing: &Standing) {
        for _ in 0..STAND_TRIES {
            match self.light_all(standing) {
                Ok(()) => break,
                Err(why) => eprintln!("the hand cannot give power to region {} yet: {why}", standing.run),
            }
            std::thread::sleep(STAND_EVERY);
        }
        loop {
            std::thread::park();
        }
    }

    /// Gives back what is owed to borrowed hosts, again and again for a while: an engine that has just come up does not answer.
    fn gave_all(&mut self, standing: &Standing) -> bool {
        for _ in 0..STAND_TRIES {
            if !self.borrowed.owes() {
                return true;
            }
            std::thread::sleep(STAND_EVERY);
            for (kind, name) in self.borrowed.give_all(standing, &mut self.journal) {
                eprintln!("not given back yet: {kind} {name}");
            }
        }
        !self.borrowed.owes()
    }

    /// Hosts without power wait at their gates until all of them do.
    fn light_all(&mut self, standing: &Standing) -> Result<(), String> {
        let told = |error: anyhow::Error| format!("{error:#}");
        let dark = sweep::dark_from_hand(&standing.run, &standing.socket).map_err(told)?;
        self.close(&dark)?;
        let gates = sweep::light_from_hand(&standing.run, &standing.socket).map_err(told)?;
        self.open(&dark)?;
        // Those that ran already may have lost their cables with whoever started them.
        self.plug(&gates)
    }

    fn remove_everything(&mut self, standing: &Standing) {
        if let Err(error) = sweep::from_hand(&standing.run, &standing.socket) {
            eprintln!("the hand could not remove everything of run {}: {error:#}", standing.run);
        }
        for (kind, name) in self.finish().residue {
            eprintln!("the hand leaves behind: {kind} {name}");
        }
        if let Err(error) = undertaker::call(&standing.run, &standing.socket) {
            eprintln!("what the hand stands on is left to `blackstart clean`: {error}");
        }
    }
}

/// Real software is beside this executable in one container, and has a root folder of its own.
fn place_executable() -> Result<Answer, String> {
    let path = Path::new(SHARED_DIR).join(EXECUTABLE);
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(told)?;
    std::fs::copy("/proc/self/exe", &path).map(|_| Answer::Done).map_err(told)
}

fn rights(place: &Place) -> Rights {
    let shown = |path: Option<PathBuf>| path.map(|path| path.display().to_string()).unwrap_or_default();
    Rights {
        host_view: cgroup::listing_root().is_some(),
        cgroup_kill: shown(cgroup::kill_root()),
        freezer: shown(cgroup::freezer_root()),
        links: net::probe(),
        disks: Disks::probe(place),
        mono_ns: mono_ns(),
    }
}
