//! Owns what a step does, resolved: in terms of hosts, services and zones, as pure data. Refuses to know addresses and
//! how a world does it.

use fixtures::name::{HostName, ServiceName};
use fixtures::switch::Switch;
use fixtures::trouble::Trouble;
use fixtures::version::Version;
use serde::{Deserialize, Serialize};

/// What a fault does to the hosts of its step. A heal has the deed of its inject: it undoes that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// They lose power; healed, they get it back.
    Power {
        /// What becomes of data that was written and not synced.
        unsynced: Unsynced,
    },
    /// They do not boot as they should when they get power; healed, those that wait boot at once.
    Boot {
        /// In which way.
        trouble: BootTrouble,
    },
    /// Every process is frozen; healed, it goes on.
    Pause,
    /// Service processes are ended once; their host's supervisor starts them again. The heal does nothing.
    End {
        /// Which services' processes; never empty.
        services: Vec<ServiceName>,
        /// With SIGKILL, or with SIGTERM as an orderly stop does.
        kill: bool,
    },
    /// They lose power, and the heal gives it back at once. Data that was written and not synced is kept.
    Restart,
    /// Each is left a part of one core, and kept busy.
    Processor {
        /// Thousandths of one core.
        left_milli: u32,
    },
    /// Each one's memory is filled.
    Memory {
        /// Thousandths of the host's limit.
        fill_milli: u32,
    },
    /// The disks of the step's zones have no room.
    DiskFull,
    /// Every write to the disks of the step's zones waits.
    DiskSlow {
        /// Milliseconds a write.
        delay_ms: u64,
    },
    /// Reads and writes of data on the disks of the step's zones fail.
    DiskErrors,
    /// Packets between hosts meet something.
    Network {
        /// One direction each; the first rule that fits a packet counts.
        rules: Vec<LinkRule>,
    },
    /// Processes on the hosts misbehave in what the region shares.
    Trouble {
        /// How.
        trouble: Trouble,
        /// The services whose processes; empty is every process of the hosts.
        services: Vec<ServiceName>,
    },
    /// An operator switches something at instances; the heal switches it back.
    Switch {
        /// Which services' instances; empty where it is the canaries'.
        services: Vec<ServiceName>,
        /// What.
        switch: Switch,
    },
    /// Instances of a service on the hosts get another version; healed, they get the one of before.
    Change {
        /// The service.
        service: ServiceName,
        /// The version; its name is that of the rollout, which may have several steps.
        version: Version,
        /// Whether the rollout stops and is rolled back where customers fall below the steady state.
        guarded: bool,
    },
}

impl Deed {
    /// A word for it in events; empty where it is the loss of power.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Power { .. } | Self::Restart => "",
            Self::Boot { .. } => "boot",
            Self::Pause => "pause",
            Self::End { kill: true, .. } => "kill",
            Self::End { kill: false, .. } => "exit",
            Self::Processor { .. } => "processor",
            Self::Memory { .. } => "memory",
            Self::DiskFull => "disk-full",
            Self::DiskSlow { .. } => "disk-slow",
            Self::DiskErrors => "disk-errors",
            Self::Network { .. } => "network",
            Self::Trouble { trouble, .. } => trouble.word(),
            Self::Switch { switch: Switch::Freeze, .. } => "freeze",
            Self::Switch { switch: Switch::Away, .. } => "shift",
            Self::Switch { switch: Switch::Surge { .. }, .. } => "surge",
            Self::Change { version, .. } => version.word(),
        }
    }
}

/// What becomes of data that was written and not synced when a zone loses power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unsynced {
    /// It is there afterwards, as if the kernel had lived on.
    Kept,
    /// It is gone. Where a world cannot do that, the run says so.
    Lost,
    /// It is gone, and what was being appended to is cut off in the middle of a record.
    Torn,
}

/// How hosts fail to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootTrouble {
    /// Each so many milliseconds late.
    Late(u64),
    /// Not before the fault is healed.
    Never,
    /// So many at a time, each so many milliseconds long.
    Bottleneck {
        /// How many at a time; at least 1.
        at_once: usize,
        /// Milliseconds of each.
        each_ms: u64,
    },
}

/// What happens to packets of one direction between two sets of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRule {
    /// Senders.
    pub from: Vec<HostName>,
    /// Receivers.
    pub to: Vec<HostName>,
    /// What happens.
    pub act: LinkAct,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkAct {
    /// It vanishes.
    Drop,
    /// TCP is reset, everything else answered with an ICMP error.
    Refuse,
    /// It is delayed, lost, doubled, or held to a rate.
    Shape(Shape),
}

/// How one direction of a link behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shape {
    /// Added one-way latency, microseconds.
    pub latency_us: u64,
    /// Half the width of a uniform distribution around it, microseconds.
    pub jitter_us: u64,
    /// Packets lost, per million.
    pub loss_ppm: u32,
    /// Packets sent twice, per million.
    pub duplicate_ppm: u32,
    /// Bytes a second; zero is unlimited.
    pub rate: u64,
}
