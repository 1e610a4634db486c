//! Owns what must be known of a standing region to take it over: how it was built, and who takes it. Refuses to keep it
//! anywhere, and to do anything.

use super::built::Built;
use super::subnet::Block;
use agents::commons::{Apart, Keys};
use fixtures::name::HostName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a world has to do with a region that is to be there longer than its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// It builds one of this name.
    Built(String),
    /// It takes over one that stands, and gives it back.
    TakenOver(Box<Standing>),
}

impl Stands {
    /// The region's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Built(name) => name,
            Self::TakenOver(standing) => &standing.name,
        }
    }
}

/// A region that is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// The game day that is held in it; nothing where it is only kept.
    pub day: Option<String>,
    /// How it was built.
    pub made: Made,
    /// How keys of writes begin: those of another who held the region are not taken for one's own.
    pub keys_begin: String,
    /// Also one is taken over for a game day in which versions run that nobody brings.
    pub accepts_drift: bool,
    /// Writes only make state grow: keys come round, and nobody reads them back.
    pub only_ages: bool,
}

/// How a region was built: what does not follow from its files and its seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its addresses.
    pub block: Block,
    /// Its root, where its graph has identities.
    pub keys: Option<Keys>,
    /// The region that has a root of its own, where one is built out of another: whoever takes the build up signs alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// Whether each zone has a bridge of its own.
    pub routed: bool,
    /// Containers of hosts, by their ids.
    pub hosts: BTreeMap<HostName, String>,
    /// Address of each host.
    pub addresses: BTreeMap<HostName, String>,
    /// From what the key of whoever signs software follows, where hosts fetch theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs: Option<String>,
}

impl Built {
    /// How this was built.
    pub(super) fn made(&self) -> Made {
        let (layout, all) = (&self.layout, &self.layout.placement.hosts);
        let id = |host: &HostName| Some((host.clone(), self.container(host)?.1));
        Made {
            block: layout.block.clone(),
            keys: layout.keys.clone(),
            apart: layout.apart.clone(),
            routed: self.routed,
            hosts: all.iter().filter_map(|host| id(&host.name)).collect(),
            addresses: all.iter().map(|host| (host.name.clone(), layout.address(host).to_string())).collect(),
            signs: None,
        }
    }
}
