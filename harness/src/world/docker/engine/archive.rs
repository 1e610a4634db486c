//! Owns the engine's calls about images that are not ours: what they say of themselves, and files in and out of their
//! containers. Refuses to know what the files are.

use super::{Engine, absent_is_fine, explain};
use anyhow::{Context, Result};
use bollard::errors::Error;
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::TryStreamExt;
use std::io::Read;

/// What an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// What is run.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub command: Vec<String>,
    /// As whom; empty is root.
    pub user: String,
    /// Where it begins; empty is the root folder.
    pub working_dir: String,
    /// Folders that the engine makes volumes of its own for.
    pub volumes: Vec<String>,
}

impl Engine {
    /// What an image says of itself; nothing where the engine does not have it. It is never pulled.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn image_facts(&self, reference: &str) -> Result<Option<ImageFacts>> {
        let config = match self.docker.inspect_image(reference).await {
            Ok(seen) => seen.config.unwrap_or_default(),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
            Err(error) => return Err(explain(error)).with_context(|| format!("image {reference} cannot be looked at")),
        };
        Ok(Some(ImageFacts {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            working_dir: config.working_dir.unwrap_or_default(),
            volumes: config.volumes.unwrap_or_default(),
        }))
    }

    /// Unpacks a tar into a container, from its root folder on; what is on volumes goes there.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn put(&self, container: &str, tar: Vec<u8>) -> Result<()> {
        let options = UploadToContainerOptions { path: "/".to_owned(), ..UploadToContainerOptions::default() };
        let put = self.docker.upload_to_container(container, Some(options), bollard::body_full(tar.into())).await;
        put.map_err(explain).with_context(|| format!("files could not be put into container {container}"))
    }

    /// The text of one file of a container; empty where there is none.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn text_of(&self, container: &str, path: &str) -> Result<String> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let pieces: Result<Vec<_>, Error> =
            self.docker.download_from_container(container, Some(options)).try_collect().await;
        let pieces = match pieces {
            Ok(pieces) => pieces,
            Err(error) => return absent_is_fine(Err(error), "read a file of", container).map(|()| String::new()),
        };
        let bytes: Vec<u8> = pieces.into_iter().flatten().collect();
        let mut text = String::new();
        if let Some(entry) = tar::Archive::new(bytes.as_slice()).entries()?.next() {
            entry?.read_to_string(&mut text)?;
        }
        Ok(text)
    }
}
