//! Owns the engine's API: the only module that names bollard. Refuses to know what the containers are for.
//!
//! Every call has a bound in time: a hung engine ends a run, it does not hold it for ever. Paths are sent without a
//! version, which every engine from API 1.41 on answers with its own; the contract test in `tests/it/engine.rs` holds
//! bollard to that on the real engine.

mod archive;
mod create;
pub mod guest;
pub mod project;
pub mod survey;

pub use super::found::Found;
pub use super::names::ObjectKind;
pub use super::spec::{ContainerSpec, NetworkSpec, VolumeMount};
use anyhow::{Context, Result, anyhow, bail};
pub use archive::ImageFacts;
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, CreateImageOptions, EventsOptions, InspectContainerOptions,
    InspectNetworkOptions, KillContainerOptions, ListContainersOptions, ListImagesOptions, ListNetworksOptions,
    ListVolumesOptions, LogsOptions, RemoveContainerOptions, RemoveImageOptions, RenameContainerOptions,
    StartContainerOptions,
};
use futures_util::{Stream, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

/// The oldest API that has everything this harness uses (Docker 20.10).
const API_OLDEST: (u32, u32) = (1, 41);
/// Bound of one call in seconds: far above the slowest creation seen on a loaded machine, far below a person's patience.
const CALL_TIMEOUT_S: u64 = 60;
/// Where an engine is looked for when `DOCKER_HOST` says nothing.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// A connection to an engine. Clones share it.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Its version.
    pub version: String,
    /// Its newest API.
    pub api: String,
    /// Its kernel.
    pub kernel: String,
    /// Its architecture, as Rust names it.
    pub architecture: String,
    /// Whether cgroup parents are systemd slices.
    pub systemd_cgroups: bool,
    /// Whether it runs without root.
    pub rootless: bool,
}

/// One line of the engine's event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEvent {
    /// `start`, `die`, `exec_create` …
    pub action: String,
    /// The container's name.
    pub container: String,
    /// Wall clock of the engine's machine, in nanoseconds.
    pub wall_ns: u64,
}

/// Standard input and output of a container.
pub struct Attached {
    /// What it writes, by the piece.
    pub output: Pin<Box<dyn Stream<Item = Result<Vec<u8>>> + Send>>,
    /// What it reads.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Engine {
    /// Connects and checks that the engine answers and is new enough.
    ///
    /// # Errors
    /// No engine, no permission, an engine too old: each with what to do.
    pub async fn connect() -> Result<(Self, EngineInfo)> {
        let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        let docker = match &host {
            Some(host) if host.starts_with("tcp://") || host.starts_with("http://") => {
                Docker::connect_with_http(host, CALL_TIMEOUT_S, bollard::API_DEFAULT_VERSION)
            }
            Some(host) if host.starts_with("unix://") => {
                Docker::connect_with_unix(host, CALL_TIMEOUT_S, bollard::API_DEFAULT_VERSION)
            }
            Some(host) => bail!(
                "DOCKER_HOST is `{host}`, which is neither unix:// nor tcp://; for an engine behind ssh, forward its \
                 socket (`ssh -L /tmp/engine.sock:/var/run/docker.sock MACHINE`) and set DOCKER_HOST=unix:///tmp/engine.sock"
            ),
            None => Docker::connect_with_unix(DEFAULT_SOCKET, CALL_TIMEOUT_S, bollard::API_DEFAULT_VERSION),
        };
        let address = host.unwrap_or_else(|| format!("unix://{DEFAULT_SOCKET}"));
        let docker = docker.map_err(|error| no_engine(&address, &error))?;
        let engine = Self { docker };
        let info = engine.info(&address).await?;
        Ok((engine, info))
    }

    /// Connects from the hand, which sees the engine machine's own files.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn connect_from_hand(socket: &str) -> Result<(Self, EngineInfo)> {
        let address = format!("unix://{}{socket}", crate::hand::MACHINE_ROOT);
        let address = address.as_str();
        let docker = Docker::connect_with_unix(address, CALL_TIMEOUT_S, bollard::API_DEFAULT_VERSION);
        let engine = Self { docker: docker.map_err(|error| no_engine(address, &error))? };
        let info = engine.info(address).await?;
        Ok((engine, info))
    }

    async fn info(&self, address: &str) -> Result<EngineInfo> {
        let version = self.docker.version().await.map_err(|error| no_engine(address, &error))?;
        let api = version.api_version.unwrap_or_default();
        let parsed = api.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        if parsed.is_none_or(|found: (u32, u32)| found < API_OLDEST) {
            let (major, minor) = API_OLDEST;
            bail!(
                "the container engine at {address} speaks API {api}; {major}.{minor} (Docker 20.10) is the oldest that \
                 blackstart can use. Upgrade the engine, or point DOCKER_HOST at a newer one"
            );
        }
        let info = self.docker.info().await.map_err(|error| no_engine(address, &error))?;
        let security = info.security_options.unwrap_or_default();
        let driver = info.cgroup_driver.map(|driver| driver.to_string()).unwrap_or_default();
        Ok(EngineInfo {
            version: version.version.unwrap_or_default(),
            api,
            kernel: info.kernel_version.unwrap_or_default(),
            architecture: info.architecture.unwrap_or_default(),
            systemd_cgroups: driver == "systemd",
            rootless: security.iter().any(|option| option.contains("rootless")),
        })
    }

    /// Makes an image out of a tar of its root folder.
    ///
    /// # Errors
    /// Where the engine refuses it, a full disk included.
    pub async fn import_image(&self, name: &str, labels: &BTreeMap<String, String>, tar: Vec<u8>) -> Result<()> {
        let (repo, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let changes = labels.iter().map(|(key, value)| format!("LABEL {key}={value}")).collect();
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            repo: Some(repo.to_owned()),
            tag: Some(tag.to_owned()),
            changes,
            ..CreateImageOptions::default()
        };
        let stream = self.docker.create_image(Some(options), Some(bollard::body_full(tar.into())), None);
        let _progress: Vec<_> =
            stream.try_collect().await.map_err(explain).context("the image could not be imported")?;
        Ok(())
    }

    /// Makes a bridge network with a fixed subnet; `internal` ones have no way to any other.
    ///
    /// # Errors
    /// Where the engine refuses it; [`is_overlap`] tells a taken subnet.
    pub async fn create_network(&self, spec: NetworkSpec<'_>) -> Result<()> {
        let options = BTreeMap::from([
            ("com.docker.network.bridge.name", spec.bridge.to_owned()),
            ("com.docker.network.bridge.enable_ip_masquerade", "false".to_owned()),
        ]);
        let request = NetworkCreateRequest {
            name: spec.name.to_owned(),
            driver: Some("bridge".to_owned()),
            internal: Some(spec.internal),
            ipam: Some(Ipam {
                config: Some(vec![IpamConfig {
                    subnet: Some(spec.subnet.to_owned()),
                    gateway: Some(spec.gateway.to_owned()),
                    ..IpamConfig::default()
                }]),
                ..Ipam::default()
            }),
            options: Some(options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            labels: Some(hashed(spec.labels)),
            ..NetworkCreateRequest::default()
        };
        let made = self.docker.create_network(request).await.map_err(explain);
        made.with_context(|| format!("network {} could not be made", spec.name))?;
        Ok(())
    }

    /// Makes a local volume: a folder of the engine's own, or a filesystem on a device of its machine.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn create_volume(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        device: Option<&str>,
    ) -> Result<()> {
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let driver_opts = device.map(|device| HashMap::from([option("type", "ext4"), option("device", device)]));
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(hashed(labels)),
            driver_opts,
            ..VolumeCreateRequest::default()
        };
        let made = self.docker.create_volume(request).await.map_err(explain);
        made.with_context(|| format!("volume {name} could not be made"))?;
        Ok(())
    }

    /// Creates a container and returns its id.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn create(&self, spec: &ContainerSpec) -> Result<String> {
        let options = CreateContainerOptions { name: Some(spec.name.clone()), ..CreateContainerOptions::default() };
        let made = self.docker.create_container(Some(options), create::body(spec)).await.map_err(explain);
        Ok(made.with_context(|| format!("container {} could not be created", spec.name))?.id)
    }

    /// Starts a container.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn start(&self, name: &str) -> Result<()> {
        let started = self.docker.start_container(name, None::<StartContainerOptions>).await.map_err(explain);
        started.with_context(|| format!("container {name} could not be started"))
    }

    /// Kills a container's first process.
    ///
    /// # Errors
    /// Where the engine refuses it; a container that does not run is none.
    pub async fn kill(&self, name: &str) -> Result<()> {
        let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
        absent_is_fine(self.docker.kill_container(name, Some(options)).await, "kill", name)
    }

    /// Pauses a container: no process of it runs.
    ///
    /// # Errors
    /// Where the engine refuses it; one that is paused, and one that does not run, is none.
    pub async fn pause(&self, name: &str) -> Result<()> {
        absent_is_fine(self.docker.pause_container(name).await, "pause", name)
    }

    /// Lets a paused container go on.
    ///
    /// # Errors
    /// As [`Engine::pause`].
    pub async fn unpause(&self, name: &str) -> Result<()> {
        absent_is_fine(self.docker.unpause_container(name).await, "unpause", name)
    }

    /// The exit status and the last line of a container that has ended; nothing of one that runs.
    ///
    /// # Errors
    /// Where the engine does not answer, or has no such container.
    pub async fn ended(&self, name: &str) -> Result<Option<(i64, String)>> {
        let seen = self.docker.inspect_container(name, None::<InspectContainerOptions>).await.map_err(explain)?;
        let Some(state) = seen.state.filter(|state| state.running != Some(true)) else { return Ok(None) };
        let options = LogsOptions { stdout: true, stderr: true, tail: "1".to_owned(), ..LogsOptions::default() };
        let lines: Vec<LogOutput> = self.docker.logs(name, Some(options)).try_collect().await.map_err(explain)?;
        let last = lines.last().map(ToString::to_string).unwrap_or_default();
        Ok(Some((state.exit_code.unwrap_or_default(), last.trim().to_owned())))
    }

    /// Waits until the engine does nothing with a container any more; one that is not there is settled.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn await_settled(&self, name: &str) -> Result<()> {
        // The engine holds the container's lock while it starts it or mourns it, and takes it to answer this.
        let seen = self.docker.inspect_container(name, None::<InspectContainerOptions>).await;
        absent_is_fine(seen.map(drop), "inspect", name)
    }

    /// Removes a container, running or not, with its anonymous volumes.
    ///
    /// # Errors
    /// Where the engine refuses it; one that is not there is none.
    pub async fn remove_container(&self, name: &str) -> Result<()> {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        absent_is_fine(self.docker.remove_container(name, Some(options)).await, "remove container", name)
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn rename(&self, name: &str, to: &str) -> Result<()> {
        let options = RenameContainerOptions { name: to.to_owned() };
        let renamed = self.docker.rename_container(name, options).await.map_err(explain);
        renamed.with_context(|| format!("container {name} could not be renamed"))
    }

    /// Removes a network.
    ///
    /// # Errors
    /// As [`Engine::remove_container`].
    pub async fn remove_network(&self, name: &str) -> Result<()> {
        absent_is_fine(self.docker.remove_network(name).await, "remove network", name)
    }

    /// Removes a volume.
    ///
    /// # Errors
    /// As [`Engine::remove_container`].
    pub async fn remove_volume(&self, name: &str) -> Result<()> {
        let removed = self.docker.remove_volume(name, None::<bollard::query_parameters::RemoveVolumeOptions>).await;
        absent_is_fine(removed, "remove volume", name)
    }

    /// Removes an image.
    ///
    /// # Errors
    /// As [`Engine::remove_container`].
    pub async fn remove_image(&self, name: &str) -> Result<()> {
        let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
        let removed = self.docker.remove_image(name, Some(options), None).await.map(|_| ());
        absent_is_fine(removed, "remove image", name)
    }

    /// Connects to a container's standard input and output; call it before [`Engine::start`].
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn attach(&self, name: &str) -> Result<Attached> {
        let options =
            AttachContainerOptions { stream: true, stdin: true, stdout: true, stderr: true, ..Default::default() };
        let attached = self.docker.attach_container(name, Some(options)).await.map_err(explain);
        let attached = attached.with_context(|| format!("container {name} could not be attached to"))?;
        let output = attached.output.map(|piece| match piece {
            Ok(LogOutput::StdErr { message }) => {
                tracing::debug!("{}", String::from_utf8_lossy(&message).trim_end());
                Ok(Vec::new())
            }
            Ok(piece) => Ok(piece.into_bytes().to_vec()),
            Err(error) => Err(explain(error)),
        });
        Ok(Attached { output: Box::pin(output), input: attached.input })
    }

    /// Events of containers with this label, from now on; the stream ends with the connection or its reader.
    pub fn events(&self, label: &str) -> mpsc::Receiver<EngineEvent> {
        let filters = HashMap::from([
            ("label".to_owned(), vec![label.to_owned()]),
            ("type".to_owned(), vec!["container".to_owned()]),
        ]);
        let options = EventsOptions { filters: Some(filters), ..EventsOptions::default() };
        let (sender, receiver) = mpsc::channel(1024);
        let docker = self.docker.clone();
        tokio::spawn(async move {
            let mut events = Box::pin(docker.events(Some(options)));
            while let Some(Ok(event)) = events.next().await {
                let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
                let event = EngineEvent {
                    action: event.action.unwrap_or_default(),
                    container: attributes.get("name").cloned().unwrap_or_default(),
                    wall_ns: event.time_nano.and_then(|ns| u64::try_from(ns).ok()).unwrap_or_default(),
                };
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    /// Names and labels of what carries `label`, by kind.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn find(&self, kind: ObjectKind, label: &str) -> Result<Vec<Found>> {
        let filters = Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
        let found = match kind {
            ObjectKind::Container => {
                let options = ListContainersOptions { all: true, filters, ..Default::default() };
                let list = self.docker.list_containers(Some(options)).await.map_err(explain)?;
                let name = |names: Option<Vec<String>>| names.and_then(|names| names.into_iter().next());
                let found = |row: bollard::models::ContainerSummary| {
                    let running = row.state.is_some_and(|state| state.to_string() == "running");
                    let name = name(row.names).unwrap_or_default().trim_start_matches('/').to_owned();
                    let network = row.host_config.and_then(|host| host.network_mode);
                    let network = network.filter(|mode| !matches!(mode.as_str(), "none" | "host"));
                    Found { network, ..Found::new(name, row.labels, running) }
                };
                list.into_iter().map(found).collect()
            }
            ObjectKind::Network => {
                let options = ListNetworksOptions { filters };
                let list = self.docker.list_networks(Some(options)).await.map_err(explain)?;
                list.into_iter().map(|row| Found::new(row.name.unwrap_or_default(), row.labels, false)).collect()
            }
            ObjectKind::Volume => {
                let options = ListVolumesOptions { filters };
                let list = self.docker.list_volumes(Some(options)).await.map_err(explain)?;
                let volumes = list.volumes.unwrap_or_default();
                volumes.into_iter().map(|row| Found::new(row.name, Some(row.labels), false)).collect()
            }
            ObjectKind::Image => {
                let options = ListImagesOptions { all: false, filters, ..Default::default() };
                let list = self.docker.list_images(Some(options)).await.map_err(explain)?;
                let name = |tags: Vec<String>, id: String| tags.into_iter().next().unwrap_or(id);
                list.into_iter().map(|row| Found::new(name(row.repo_tags, row.id), Some(row.labels), false)).collect()
            }
        };
        Ok(found)
    }
}

/// Whether the engine took a call and did not answer it: it will not answer the next one either.
pub fn is_hung(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.to_string().contains(HUNG))
}

/// Whether a network could not be made because its subnet is taken.
pub fn is_overlap(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("overlaps")
}

fn hashed(labels: &BTreeMap<String, String>) -> HashMap<String, String> {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// An object that is gone, or a container that does not run, is what removing and killing want; pausing and its end
/// want one that is so already.
fn absent_is_fine(result: Result<(), Error>, verb: &str, name: &str) -> Result<()> {
    match result {
        Err(Error::DockerResponseServerError { status_code: 404 | 304, .. }) | Ok(()) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 409, message })
            if ["not running", "already in progress", "already paused", "not paused"]
                .iter()
                .any(|word| message.contains(word)) =>
        {
            Ok(())
        }
        // Engines differ in the status, not in the words.
        Err(Error::DockerResponseServerError { message, .. })
            if message.contains("already paused") || message.contains("not paused") =>
        {
            Ok(())
        }
        Err(error) => Err(explain(error)).with_context(|| format!("could not {verb} {name}")),
    }
}

/// moby/moby#42545: seen here once in some hundreds of game days under load, with the engine's own stack traces.
const HUNG: &str = "the engine took a call and did not answer it. Docker before 23.0 can lock itself up when many \
     containers end at once; restart it (`sudo systemctl restart docker`), then `blackstart clean`";

/// libnetwork keeps that number apart from the endpoints themselves, in one object that all threads share: who reads it
/// again after a conflict can undo what another has just counted. Seen here at one with no endpoint left, in about one of
/// a hundred runs whose hosts were on the engine's networks and ended at once; none does so by our doing.
const MISCOUNTED: &str = "where no container is on it the engine has lost count of its endpoints, as it can when many \
     containers end at once; it counts again when it is restarted (`sudo systemctl restart docker`), then \
     `blackstart clean`";

/// Bollard's errors in words that help: a full disk says so, and so does an engine that has locked itself up.
fn explain(error: Error) -> anyhow::Error {
    let text = error.to_string();
    if matches!(error, Error::RequestTimeoutError) {
        return anyhow!("{text}\n{HUNG}");
    }
    if text.contains("has active endpoints") {
        return anyhow!("{text}\n{MISCOUNTED}");
    }
    if text.contains("no space left on device") {
        return anyhow!("{text}\nthe engine's disk is full: `docker system df` tells what takes the room");
    }
    anyhow::Error::new(error)
}

/// Where the engine's socket is on this machine, without links: whoever looks from elsewhere would follow them elsewhere.
/// Of an engine on another machine: where it usually is.
pub fn socket() -> String {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = host.strip_prefix("unix://").unwrap_or(DEFAULT_SOCKET);
    std::fs::canonicalize(path).map_or_else(|_| "/run/docker.sock".to_owned(), |path| path.display().to_string())
}

fn no_engine(address: &str, error: &Error) -> anyhow::Error {
    // Bollard tells the cause only through its sources.
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    if matches!(error, Error::RequestTimeoutError) {
        return anyhow!("no answer from the container engine at {address}: {HUNG}");
    }
    if text.to_lowercase().contains("permission denied") || text.contains("os error 13") {
        return anyhow!(
            "no permission to use the container engine at {address}. Join its group (`sudo usermod -aG docker $USER`, \
             then log in again), or run as root"
        );
    }
    anyhow!(
        "no container engine answers at {address} ({text}). A game day runs in real containers: start Docker \
         (`sudo systemctl start docker`), install it (Debian: `apt-get install docker.io`), or point DOCKER_HOST at an \
         engine (unix:// or tcp://)"
    )
}
