//! Owns what the controller and the hand say to each other: one JSON line each, over the hand's attached standard
//! input and output. Refuses to know how anything is done.

use super::borrowed::{Borrowed, Given};
use fixtures::trouble::InForce;
pub use scenarios::plan::{BootTrouble, LinkAct, Shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// From the controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Comes back in the [`Word`].
    pub id: u64,
    /// What to do.
    pub task: Task,
}

/// Which run a hand serves, and on which terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The run's id.
    pub run: String,
    /// The run's short id, in names of rules and bridges.
    pub short: String,
    /// Where the engine's socket is on its machine.
    pub socket: String,
    /// Control groups of the run, below which its zones' groups are.
    pub cgroups: Vec<String>,
    /// What happens when the controller is gone.
    pub lease: Lease,
}

/// What happens when the controller is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Milliseconds without any order after which the lease has ended.
    pub silence_ms: u64,
    /// What the hand then does by itself.
    pub then: LeaseEnd,
}

/// What the hand does when the lease has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEnd {
    /// Heal every fault and remove everything.
    HealAndRemove,
    /// Heal every fault, give power back, leave the region standing for so long, then remove everything.
    HealAndHold {
        /// Milliseconds.
        ms: u64,
    },
    /// Leave everything as it is for so long, for whoever takes it up, then remove everything.
    Leave {
        /// Milliseconds.
        ms: u64,
    },
    /// Heal every fault, give power back, and leave the region standing until somebody takes it over: of a standing region,
    /// also where the engine has started the hand again.
    HealAndStand,
}

/// What the hand can do. Every task can be asked for twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// The first order.
    Hello,
    /// The controller is alive.
    Beat,
    /// Write files into the shared folder and close the gates of these hosts.
    Prepare {
        /// Path below the shared folder, and text.
        files: Vec<(String, String)>,
        /// Hosts.
        gates: Vec<String>,
    },
    /// Put this executable where hosts of real software find it.
    Software,
    /// Give each of these zones a disk of its own.
    Disks {
        /// Zones.
        zones: Vec<String>,
        /// Whether real software is to have room on them.
        #[serde(default)]
        large: bool,
    },
    /// Allow forwarding between these bridges and nothing else out of them.
    Links {
        /// Bridge interfaces.
        bridges: Vec<String>,
        /// Decides which packets a fault loses.
        seed: u64,
    },
    /// Each of these hosts has a cable to a bridge, which it gets with its power.
    Wires {
        /// One for each host.
        wires: Vec<Wire>,
    },
    /// Plug in this host now: it was started by somebody else.
    Plug {
        /// The host.
        host: String,
    },
    /// How links are in every run, faults or none.
    Latencies {
        /// One direction each.
        rules: Vec<LinkRule>,
    },
    /// Kill every process of these hosts at once.
    PowerOff {
        /// Control groups whose hosts are all meant: one write kills them.
        whole: Vec<String>,
        /// The hosts.
        hosts: Vec<Target>,
        /// Disks that lose what was not synced.
        disks: Vec<DiskCut>,
    },
    /// Close the gates of these hosts: they wait there when they are started.
    CloseGates {
        /// Hosts.
        gates: Vec<String>,
    },
    /// Open the gates of these hosts at once.
    OpenGates {
        /// Hosts.
        gates: Vec<String>,
    },
    /// Begin a fault.
    Inject {
        /// Its name.
        fault: String,
        /// What it does.
        deed: Deed,
    },
    /// Look whether a fault is in force.
    Look {
        /// Its name.
        fault: String,
    },
    /// End a fault.
    Heal {
        /// Its name.
        fault: String,
    },
    /// These containers are somebody else's: what is owed to any of them is given back, whoever is gone.
    Borrow {
        /// As they were found.
        containers: Vec<Borrowed>,
    },
    /// Power is about to be taken from these hosts, which are borrowed.
    Owe {
        /// The hosts.
        hosts: Vec<String>,
        /// Whether the engine may not bring them back until it is given back: else their owner's restart policy stays.
        withhold: bool,
    },
    /// Give these borrowed hosts back what is owed to them; those that the answer says are left are asked for again.
    GiveBack {
        /// The hosts; none is all.
        hosts: Vec<String>,
    },
    /// From here on this happens when the controller is gone. A hand that is started again knows nothing of it.
    Lease(LeaseEnd),
    /// Let these control groups come before their siblings at the processors from here on.
    Favour {
        /// Control groups.
        groups: Vec<String>,
    },
    /// Begin to look at calls where packets pass.
    Tap,
    /// Say what was seen of calls since the last time.
    Tapped,
    /// Heal every fault and give every host its cable: a region that stands is taken over. Say what is not as it was.
    TakeOver,
    /// Say for how many packets the machine has found no room in its table of neighbours since the hand began.
    Crowding,
    /// Leave the region standing for so long, whoever is gone, then remove everything.
    Hold {
        /// Milliseconds.
        ms: u64,
    },
    /// Heal every fault, remove rules, disks and control groups; say what is still there.
    Finish,
}

/// The cable of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// The host.
    pub host: Target,
    /// Name of its end at the bridge.
    pub interface: String,
    /// The bridge.
    pub bridge: String,
    /// The host's address.
    pub address: Ipv4Addr,
    /// Bits of it that are its subnet's.
    pub prefix: u8,
    /// The bridge's address, its way out.
    pub gateway: Ipv4Addr,
}

/// A zone's disk at power-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCut {
    /// The zone.
    pub zone: String,
    /// Where ends of files are left torn: how.
    pub torn: Option<Tearing>,
}

/// How ends of files are left torn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tearing {
    /// What decides how far.
    pub seed: u64,
    /// Hosts of real software: their files get a part of what was written to them, and nothing that they never wrote.
    pub real: Vec<String>,
}

/// How processes are ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// With SIGKILL.
    Killed,
    /// With SIGTERM, as an orderly stop does.
    Asked {
        /// After how many milliseconds who has not ended gets SIGKILL, as an engine that stops a container insists; for each of
        /// the hosts in their order. Where nothing is said nobody insists.
        patience_ms: Vec<Option<u64>>,
    },
}

impl Ending {
    /// After how many milliseconds somebody insists at a host.
    pub fn patience_ms(&self, host: usize) -> Option<u64> {
        match self {
            Self::Killed => None,
            Self::Asked { patience_ms } => patience_ms.get(host).copied().flatten(),
        }
    }
}

/// One thing that a fault does, in the words of the engine's machine. From a deed alone follows how it is undone, so that
/// a hand that was started again can heal what another one injected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Deed {
    /// Freeze every process of these hosts.
    Pause {
        /// The hosts.
        hosts: Vec<Target>,
    },
    /// End service processes of these hosts, once; their supervisor starts them again.
    End {
        /// The hosts.
        hosts: Vec<Target>,
        /// Which processes of each host, by their place in its configuration; in the order of `hosts`.
        processes: Vec<Vec<usize>>,
        /// How.
        ending: Ending,
    },
    /// End the first process of these containers, once; their engine does what their owner wants then.
    EndFirst {
        /// The hosts.
        hosts: Vec<Target>,
        /// How.
        ending: Ending,
    },
    /// Leave each host so much of one core, and keep it busy.
    Processor {
        /// The hosts.
        hosts: Vec<Target>,
        /// Thousandths of one core.
        left_milli: u32,
    },
    /// Fill each host's memory limit to this share.
    Memory {
        /// The hosts.
        hosts: Vec<Target>,
        /// Thousandths of its limit.
        fill_milli: u32,
    },
    /// Keep these hosts from booting when they get power.
    Boot {
        /// Their gates.
        gates: Vec<String>,
        /// In which way.
        trouble: BootTrouble,
    },
    /// Take all room on the disks of these zones.
    DiskFull {
        /// Zones.
        zones: Vec<String>,
    },
    /// Let every write of these hosts to their zone's disk wait.
    DiskSlow {
        /// Zones.
        zones: Vec<String>,
        /// Their hosts.
        hosts: Vec<Target>,
        /// Milliseconds a write.
        delay_ms: u64,
    },
    /// Fail reads and writes of data on the disks of these zones.
    DiskErrors {
        /// Zones.
        zones: Vec<String>,
    },
    /// Change what happens to packets.
    Network {
        /// One direction each; the first rule that fits a packet counts.
        rules: Vec<LinkRule>,
        /// Paths on which the effect is measured.
        probes: Vec<PathProbe>,
    },
    /// Let processes misbehave in what the region shares.
    Trouble {
        /// Their hosts.
        hosts: Vec<String>,
        /// How, and whose processes.
        in_force: InForce,
        /// Where it is looked at.
        probes: Vec<TroubleProbe>,
    },
    /// Give processes another version.
    Change {
        /// Their hosts.
        hosts: Vec<Target>,
        /// The version, and whose.
        in_force: InForce,
        /// Where it is looked at.
        probes: Vec<TroubleProbe>,
        /// Of a deployment: which processes of each host are ended, by their place in its configuration; in the order of
        /// `hosts`. Of a push none.
        ends: Option<Vec<Vec<usize>>>,
    },
}

/// A question from outside that shows whether somebody misbehaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleProbe {
    /// The host from which is asked.
    pub from: Target,
    /// The host that is asked.
    pub host: Target,
    /// Where it listens, as `a.b.c.d:port`.
    pub at: String,
    /// The name that is looked up, or the kind of need that is asked for.
    pub name: String,
    /// Addresses that are right, as `a.b.c.d:port`.
    pub expected: Vec<String>,
    /// The name that it must prove to have, where it is asked over TLS.
    pub secure: Option<String>,
    /// The root's certificate, as PEM.
    pub root: Option<String>,
}

/// What happens to packets of one direction between two sets of addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkRule {
    /// Senders: addresses or subnets, as `a.b.c.d` or `a.b.c.d/n`.
    pub from: Vec<String>,
    /// Receivers, likewise.
    pub to: Vec<String>,
    /// What happens.
    pub act: LinkAct,
}

/// A path on which a network fault is measured, from inside the sender's network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathProbe {
    /// The sender.
    pub from: Target,
    /// Where something listens on the receiver, as `a.b.c.d:port`.
    pub to: String,
}

/// One look at a fault in force.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Look {
    /// Whether it is in force, as seen from outside of what it is aimed at.
    pub holds: bool,
    /// What was seen, in one sentence.
    pub text: String,
    /// What was asked for, by name with its unit: `latency_ms`, `loss_percent`.
    pub asked: BTreeMap<String, f64>,
    /// What was measured, by the same names.
    pub measured: BTreeMap<String, f64>,
}

/// One host that is to die.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub host: String,
    /// Its control group: the zone's, then the container's id.
    pub cgroup: String,
}

/// From the hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// The order's id.
    pub id: u64,
    /// The answer, or a sentence that says what went wrong.
    pub result: Result<Answer, String>,
}

/// The hand's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// To [`Task::Hello`].
    Hello(Box<Rights>),
    /// To [`Task::PowerOff`].
    Dark(Dark),
    /// To [`Task::OpenGates`].
    Open {
        /// Monotonic clock before the first gate opened.
        first_ns: u64,
        /// Monotonic clock after the last one.
        last_ns: u64,
    },
    /// To [`Task::Links`].
    Linked {
        /// How packets are shaped, or why they cannot be.
        shapes: Result<String, String>,
        /// What else network faults cannot do here.
        caveats: Vec<String>,
    },
    /// To [`Task::Disks`]: zone and device.
    Disks(Vec<(String, String)>),
    /// To [`Task::Inject`] and [`Task::Look`].
    Look(Look),
    /// To [`Task::Crowding`].
    Crowded(u64),
    /// To [`Task::Tapped`].
    Tapped(Tapped),
    /// To [`Task::GiveBack`].
    Given(Given),
    /// To [`Task::TakeOver`].
    TakenOver(TakenOver),
    /// To [`Task::Finish`].
    Left(Left),
}

/// What was seen of calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tapped {
    /// Beginnings of connections, and questions to name servers, by their ends.
    pub calls: Vec<Called>,
    /// Answers of name servers; of several alike one.
    pub answers: Vec<Answered>,
    /// Whether more came than could be kept.
    pub lost: bool,
}

/// Calls from one address to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// Who called.
    pub from: Ipv4Addr,
    /// Whom.
    pub to: Ipv4Addr,
    /// At which port.
    pub port: u16,
    /// How often.
    pub count: u64,
}

/// An answer of a name server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its address.
    pub server: Ipv4Addr,
    /// The name that was asked for.
    pub name: String,
    /// Who is behind it.
    pub instances: Vec<String>,
}

/// What a hand found that takes a standing region over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TakenOver {
    /// Faults that were in force, and are healed.
    pub healed: Vec<String>,
    /// The region's packet filter rules were gone, and were made anew.
    pub rules_gone: bool,
    /// Kind and name, with the reason, of what is not as it was and could not be put right.
    pub troubled: Vec<(String, String)>,
}

/// What is different from before the run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Left {
    /// Kind and name of what is left of the run.
    pub residue: Vec<(String, String)>,
    /// Kind and name of what somebody else made meanwhile.
    pub others: Vec<(String, String)>,
}

/// What this hand can do here: probed, never assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// It sees the host's processes and control groups.
    pub host_view: bool,
    /// Root of the hierarchy that has `cgroup.kill`, seen from the hand; empty where there is none.
    pub cgroup_kill: String,
    /// Root of the v1 freezer; empty where there is none.
    pub freezer: String,
    /// It can write packet filter rules; otherwise why not.
    pub links: Result<(), String>,
    /// It can give zones disks of their own; otherwise why not.
    pub disks: Result<(), String>,
    /// Monotonic clock at the time of the answer.
    pub mono_ns: u64,
}

/// How hosts died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dark {
    /// How it was done: `cgroup.kill`, `freezer`, `sigkill`.
    pub method: String,
    /// Hosts none of whose processes is left.
    pub dead: Vec<String>,
    /// Processes watched.
    pub processes: usize,
    /// Monotonic clock when the first process was seen dead.
    pub first_ns: u64,
    /// Monotonic clock when the last one was.
    pub last_ns: u64,
    /// Zones whose disks lost what was not synced, and a sentence on each.
    pub disks: Vec<(String, String)>,
    /// Hosts of real software one of whose files ends in a part of what was not synced.
    pub torn: Vec<String>,
}
