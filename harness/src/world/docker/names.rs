//! Owns names, labels and kinds of everything that a run makes on an engine. Refuses to make any of it.

use std::collections::BTreeMap;

/// On every object: the run.
pub const LABEL_RUN: &str = "blackstart.run";
/// On hosts, zone networks and zone volumes: the zone.
pub const LABEL_ZONE: &str = "blackstart.zone";
/// On hosts: the host.
pub const LABEL_HOST: &str = "blackstart.host";
/// On the hand and the witness: which of them.
pub const LABEL_ROLE: &str = "blackstart.role";
/// On everything of a standing region: its name.
pub const LABEL_REGION: &str = "blackstart.region";
/// On the hand of a standing region while a game day is held in it: that run.
pub const LABEL_DAY: &str = "blackstart.day";
/// On everything of a run that is attached to a project that somebody else started: the project.
pub const LABEL_ATTACHED: &str = "blackstart.attached";
/// The hand's role: a run whose hand runs has a live lease.
pub const ROLE_HAND: &str = "hand";
/// How the name of a hand ends that holds a region for nobody but those who look around.
pub const HOLDING: &str = "-holding";
/// The witness's role.
pub const ROLE_WITNESS: &str = "witness";

/// The role of what an image on trial stands on: it ends with its controller, so one that runs is a live lease.
pub const ROLE_STAGE: &str = "stage";

/// Names of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The run's id.
    pub run: String,
    /// Six hexadecimal digits of it, where names are short: bridges, rules, control groups.
    pub short: String,
    /// Whether control groups are systemd slices.
    pub slices: bool,
    /// The name of the standing region that the run is; nothing of a game day's own.
    pub region: Option<String>,
    /// The project that the run is attached to, where it is.
    pub project: Option<String>,
}

impl Names {
    /// Names for a run whose id ends in `-` and its short id.
    pub fn new(run: &str, slices: bool) -> Self {
        let short = run.rsplit('-').next().unwrap_or(run).to_owned();
        Self { run: run.to_owned(), short, slices, region: None, project: None }
    }

    /// The same of a standing region.
    #[must_use]
    pub fn of_region(self, name: &str) -> Self {
        Self { region: Some(name.to_owned()), ..self }
    }

    /// The same of a run that is attached to a project.
    #[must_use]
    pub fn attached_to(self, project: &str) -> Self {
        Self { project: Some(project.to_owned()), ..self }
    }

    /// `blackstart.run=ID`.
    pub fn label(&self) -> String {
        format!("{LABEL_RUN}={}", self.run)
    }

    /// The labels of an object, with more of its own.
    pub fn labels(&self, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let run = std::iter::once((LABEL_RUN, self.run.as_str()));
        let region = self.region.as_deref().map(|name| (LABEL_REGION, name));
        let project = self.project.as_deref().map(|name| (LABEL_ATTACHED, name));
        run.chain(region)
            .chain(project)
            .chain(more.iter().copied())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// The image.
    pub fn image(&self) -> String {
        format!("blackstart:{}", self.run.to_lowercase())
    }

    /// A container, network or volume.
    pub fn object(&self, what: &str) -> String {
        format!("blackstart-{}-{what}", self.short)
    }

    /// The host whose container has this name.
    pub fn host_of<'a>(&self, container: &'a str) -> Option<&'a str> {
        container.strip_prefix(&format!("blackstart-{}-host-", self.short))
    }

    /// The bridge interface with this number; 15 characters at most.
    pub fn bridge(&self, number: usize) -> String {
        format!("bs{}z{number}", self.short)
    }

    /// The control group that holds a zone's hosts, as the engine is told.
    pub fn cgroup_parent(&self, zone: usize) -> String {
        if self.slices {
            format!("blackstart-{}-z{zone}.slice", self.short)
        } else {
            format!("/blackstart-{}/z{zone}", self.short)
        }
    }

    /// The same group as a path in the hierarchy. A slice's dashes are its parents.
    pub fn cgroup_path(&self, zone: usize) -> String {
        if self.slices {
            let short = &self.short;
            format!("/blackstart.slice/blackstart-{short}.slice/blackstart-{short}-z{zone}.slice")
        } else {
            self.cgroup_parent(zone)
        }
    }

    /// A container's own group.
    pub fn cgroup_of(&self, zone: usize, container_id: &str) -> String {
        let leaf = if self.slices { format!("docker-{container_id}.scope") } else { container_id.to_owned() };
        format!("{}/{leaf}", self.cgroup_path(zone))
    }

    /// The group of the whole run.
    pub fn cgroup_root(&self) -> String {
        if self.slices {
            format!("/blackstart.slice/blackstart-{}.slice", self.short)
        } else {
            format!("/blackstart-{}", self.short)
        }
    }
}

/// Kinds of objects that an engine keeps, in the order in which they can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// An image.
    Image,
}

impl ObjectKind {
    /// All kinds, in the order in which they can be removed.
    pub const ALL: [Self; 4] = [Self::Container, Self::Network, Self::Volume, Self::Image];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Image => "image",
        }
    }
}
