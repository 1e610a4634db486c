//! Owns what an engine tells of single objects when it is asked for their state: since when a container runs, from which
//! image, on which subnet a network is. Refuses to know what it ought to be.

use super::{Engine, InspectContainerOptions, explain};
use anyhow::{Context, Result};

/// What an engine tells of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Its id.
    pub id: String,
    /// The id of its image.
    pub image: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// When it was started last (RFC 3339); empty where it never was.
    pub started: String,
}

impl Engine {
    /// The state of a container.
    ///
    /// # Errors
    /// Where the engine does not answer, or has no such container.
    pub async fn inspect(&self, name: &str) -> Result<Inspected> {
        let seen = self.docker.inspect_container(name, None::<InspectContainerOptions>).await.map_err(explain);
        let seen = seen.with_context(|| format!("container {name} cannot be looked at"))?;
        let state = seen.state.unwrap_or_default();
        Ok(Inspected {
            id: seen.id.unwrap_or_default(),
            image: seen.image.unwrap_or_default(),
            running: state.running.unwrap_or_default(),
            paused: state.paused.unwrap_or_default(),
            started: state.started_at.map(|at| at.to_string()).unwrap_or_default(),
        })
    }

    /// Whether a container is paused, as the engine says.
    ///
    /// # Errors
    /// Where the engine does not answer, or has no such container.
    pub async fn is_paused(&self, name: &str) -> Result<bool> {
        let seen = self.docker.inspect_container(name, None::<InspectContainerOptions>).await.map_err(explain)?;
        Ok(seen.state.and_then(|state| state.paused).unwrap_or_default())
    }

    /// The id of an image.
    ///
    /// # Errors
    /// Where the engine does not answer, or has no such image.
    pub async fn image_id(&self, name: &str) -> Result<String> {
        let seen = self.docker.inspect_image(name).await.map_err(explain);
        Ok(seen.with_context(|| format!("image {name} cannot be looked at"))?.id.unwrap_or_default())
    }

    /// The subnets of a network.
    ///
    /// # Errors
    /// Where the engine does not answer, or has no such network.
    pub async fn subnets(&self, name: &str) -> Result<Vec<String>> {
        let seen = self.docker.inspect_network(name, None::<super::InspectNetworkOptions>).await.map_err(explain);
        let seen = seen.with_context(|| format!("network {name} cannot be looked at"))?;
        let config = seen.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        Ok(config.into_iter().filter_map(|config| config.subnet).collect())
    }

    /// Where the files of a volume are on the engine's machine.
    ///
    /// # Errors
    /// Where the engine does not answer, or has no such volume.
    pub async fn volume_path(&self, name: &str) -> Result<String> {
        let seen = self.docker.inspect_volume(name).await.map_err(explain);
        Ok(seen.with_context(|| format!("volume {name} cannot be looked at"))?.mountpoint)
    }
}
