//! Owns what the engine is asked for an image that is not ours: what is known of it, a container made of it as its owner
//! would, files put into it, a command inside it; and the container that it shares a network with. Refuses to know why.

use super::{Engine, explain, hashed};
use anyhow::{Context, Result, bail};
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerCreateBody, ExecConfig, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{CreateContainerOptions, UploadToContainerOptions};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::time::Duration;

/// Of what a command writes so much is kept, in bytes.
const OUTPUT_MAX: usize = 4096;

/// What an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestFacts {
    /// By its content.
    pub id: String,
    /// TCP ports that it says it listens on.
    pub ports: Vec<u16>,
    /// Whether it says what to run.
    pub runs: bool,
}

/// A container that holds a network of its own, which nothing of the engine's is plugged into.
#[derive(Debug, Clone, Default)]
pub struct StageSpec {
    /// Its name.
    pub name: String,
    /// The host name of whoever shares its network too.
    pub hostname: String,
    /// Our image.
    pub image: String,
    /// Command line.
    pub command: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A container of somebody's image.
#[derive(Debug, Clone, Default)]
pub struct GuestSpec {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
    /// Instead of the image's own.
    pub entrypoint: Option<Vec<String>>,
    /// Instead of the image's own.
    pub command: Option<Vec<String>>,
    /// `NAME=VALUE`, beside the image's own.
    pub environment: Vec<String>,
    /// Instead of the image's own.
    pub user: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The container whose network it shares.
    pub beside: String,
    /// Bytes of memory.
    pub memory_bytes: i64,
    /// Processes and threads.
    pub pids: i64,
}

impl Engine {
    /// What is known of an image; nothing where there is none. None is ever fetched.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn guest_facts(&self, name: &str) -> Result<Option<GuestFacts>> {
        let seen = match self.docker.inspect_image(name).await {
            Err(Error::DockerResponseServerError { status_code: 400 | 404, .. }) => return Ok(None),
            seen => seen.map_err(explain)?,
        };
        let config = seen.config.unwrap_or_default();
        let port = |port: &String| port.strip_suffix("/tcp").unwrap_or(port).parse().ok();
        let ports = config.exposed_ports.unwrap_or_default();
        let some = |words: Option<Vec<String>>| words.is_some_and(|words| !words.is_empty());
        let runs = some(config.entrypoint) || some(config.cmd);
        let mut ports: Vec<u16> = ports.iter().filter_map(port).collect();
        ports.sort_unstable();
        Ok(Some(GuestFacts { id: seen.id.unwrap_or_default(), ports, runs }))
    }

    /// Creates a container with a network of its own. It may change that network and see its packets; it has no other
    /// right, and its own `/etc/resolv.conf` can be written, which those share who share the network.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn create_stage(&self, spec: &StageSpec) -> Result<()> {
        let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
        let host = HostConfig {
            network_mode: Some("none".to_owned()),
            cap_drop: words(&["ALL"]),
            cap_add: words(&["NET_ADMIN", "NET_RAW"]),
            security_opt: words(&["no-new-privileges"]),
            // What is attached is read as it comes.
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            hostname: Some(spec.hostname.clone()),
            user: Some("0:0".to_owned()),
            image: Some(spec.image.clone()),
            entrypoint: Some(spec.command.clone()),
            env: Some(vec!["LD_LIBRARY_PATH=/lib".to_owned()]),
            labels: Some(hashed(&spec.labels)),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        self.create_body(&spec.name, body).await
    }

    /// Creates a container of somebody's image. The engine never starts it again by itself.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn create_guest(&self, spec: &GuestSpec) -> Result<()> {
        let host = HostConfig {
            network_mode: Some(format!("container:{}", spec.beside)),
            memory: Some(spec.memory_bytes).filter(|&bytes| bytes > 0),
            memory_swap: Some(spec.memory_bytes).filter(|&bytes| bytes > 0),
            pids_limit: Some(spec.pids).filter(|&pids| pids > 0),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some([("max-size".to_owned(), "1m".to_owned())].into()),
            }),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            image: Some(spec.image.clone()),
            entrypoint: spec.entrypoint.clone(),
            cmd: spec.command.clone(),
            user: spec.user.clone(),
            env: Some(spec.environment.clone()),
            labels: Some(hashed(&spec.labels)),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        self.create_body(&spec.name, body).await
    }

    async fn create_body(&self, name: &str, body: ContainerCreateBody) -> Result<()> {
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
        let made = self.docker.create_container(Some(options), body).await.map_err(explain);
        made.map(drop).with_context(|| format!("container {name} could not be created"))
    }

    /// Puts the files of a tar into a container, below its root folder.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn upload(&self, name: &str, tar: Vec<u8>) -> Result<()> {
        let options = UploadToContainerOptions { path: "/".to_owned(), ..UploadToContainerOptions::default() };
        let sent = self.docker.upload_to_container(name, Some(options), bollard::body_full(tar.into())).await;
        sent.map_err(explain).with_context(|| format!("files could not be put into {name}"))
    }

    /// Runs a command in a container and returns its exit status with the end of what it wrote; nothing where it does not
    /// end in time. One that does not end stays, until its container ends.
    ///
    /// # Errors
    /// Where the engine refuses it, or the container does not run.
    pub async fn command_in(&self, name: &str, command: &[String], within: Duration) -> Result<Option<(i64, String)>> {
        let config = ExecConfig {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let made = self.docker.create_exec(name, config).await.map_err(explain)?;
        let StartExecResults::Attached { mut output, .. } =
            self.docker.start_exec(&made.id, None).await.map_err(explain)?
        else {
            bail!("the engine did not attach to the command")
        };
        let mut written = Vec::new();
        let read = async {
            while let Some(piece) = output.next().await {
                written.extend(piece.map(LogOutput::into_bytes).map_err(explain)?);
                let excess = written.len().saturating_sub(OUTPUT_MAX);
                written.drain(..excess);
            }
            Ok::<(), anyhow::Error>(())
        };
        match tokio::time::timeout(within, read).await {
            Err(_) => return Ok(None),
            Ok(read) => read?,
        }
        let seen = self.docker.inspect_exec(&made.id).await.map_err(explain)?;
        let text = String::from_utf8_lossy(&written).trim().to_owned();
        Ok(Some((seen.exit_code.unwrap_or_default(), text)))
    }
}
