//! Owns what an engine's lists tell of an object. Refuses to know how they are asked for.

use std::collections::{BTreeMap, HashMap};

/// An object with a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is a container that runs.
    pub running: bool,
    /// The engine's network that a container is on.
    pub network: Option<String>,
}

impl Found {
    /// What lists of every kind tell.
    pub fn new(name: String, labels: Option<HashMap<String, String>>, running: bool) -> Self {
        Self { name, labels: labels.unwrap_or_default().into_iter().collect(), running, network: None }
    }
}
