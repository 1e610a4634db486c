//! Owns what a run asks an engine to make: containers, their volumes, networks. Refuses to know how an engine is asked.

use std::collections::BTreeMap;

/// One volume in a container.
#[derive(Debug, Clone)]
pub struct VolumeMount {
    /// Its name.
    pub volume: String,
    /// Where.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// Whether an empty volume takes what the image has there, its owner included.
    pub copy: bool,
}

/// A container to create.
#[derive(Debug, Clone, Default)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Host name inside.
    pub hostname: String,
    /// Image.
    pub image: String,
    /// Command line.
    pub command: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `uid:gid`.
    pub user: String,
    /// Network and fixed address; where that is empty, the engine gives one.
    pub network: Option<(String, String)>,
    /// Volumes.
    pub volumes: Vec<VolumeMount>,
    /// Where it sees the whole root folder of the engine's machine; empty is nowhere.
    pub machine_root: String,
    /// Parent of its control group; empty is the engine's own.
    pub cgroup_parent: String,
    /// Bytes of memory; zero is no limit.
    pub memory_bytes: i64,
    /// Processes and threads; zero is no limit.
    pub pids: i64,
    /// Weight at the processors beside other containers; zero is the engine's own.
    pub cpu_shares: i64,
    /// In the machine's own process ids and network, without the engine's profiles: the hand alone.
    pub privileged: bool,
    /// In the machine's own network, without any right there.
    pub machine_network: bool,
    /// Capabilities; all others are dropped.
    pub capabilities: &'static [&'static str],
    /// Whether the caller talks to it over standard input and output.
    pub attach: bool,
    /// Devices of the machine that it may use, as the engine's rules have them: `b 7:* rwm`.
    pub devices: &'static [&'static str],
    /// Whether its processes may listen on ports below 1024, in a network of its own.
    pub low_ports: bool,
    /// Whether it keeps to its gateway, also where that tells it of a shorter way.
    pub by_gateway: bool,
    /// Whether it is an image that is not ours: its root folder can be written to, and it has what engines give by default.
    pub real: bool,
    /// Folders in memory.
    pub in_memory: Vec<String>,
    /// Whether the engine starts it again when it ends with an error.
    pub restart: bool,
}

impl ContainerSpec {
    /// Whether it is in the machine's own network.
    pub fn on_machine(&self) -> bool {
        self.privileged || self.machine_network
    }
}

/// A network to create.
#[derive(Debug, Clone, Copy)]
pub struct NetworkSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Name of the bridge interface (at most 15 characters).
    pub bridge: &'a str,
    /// `a.b.c.d/n`.
    pub subnet: &'a str,
    /// Address of the bridge.
    pub gateway: &'a str,
    /// Whether it has no way to any other network.
    pub internal: bool,
    /// Labels.
    pub labels: &'a BTreeMap<String, String>,
}
