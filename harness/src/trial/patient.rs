//! Owns a service that is well, or ill in the ways in which real ones are, as it is told: what `blackstart try` is tried on,
//! and what a reader can try it on where no image is at hand. Refuses to do anything useful.

use crate::web::listen::shown;
use agents::runtime::clock::mono_ns;
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

/// The hidden command.
pub const COMMAND: &str = "patient";
/// A healthy service waits no longer than this for a dependency.
const TIMEOUT: Duration = Duration::from_millis(400);
/// How long a name server is waited for.
const LOOKUP: Duration = Duration::from_secs(1);

/// What it is like.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Where it listens.
    pub port: u16,
    /// The folder of `certificate.pem` and `key.pem`, where it is asked over TLS.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Whom it asks for each request.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// `NAME:PORT` that a line is sent to for each request.
    #[serde(default)]
    pub telemetry: Option<String>,
    /// Wait for telemetry to answer, for so many milliseconds: the defect that D9 finds.
    #[serde(default)]
    pub telemetry_blocks_ms: Option<u64>,
    /// `/livez` asks dependencies: the defect that D6 finds.
    #[serde(default)]
    pub deep_liveness: bool,
}

/// Somebody whom it asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dependency {
    /// `NAME:PORT`.
    pub at: String,
    /// The file of the roots that it believes, where it asks over TLS.
    #[serde(default)]
    pub roots: Option<String>,
    /// What it does without it at its start.
    #[serde(default)]
    pub start: Start,
    /// Tries after which it gives up for ever, half a second apart, where it asks once or until it has it.
    #[serde(default)]
    pub tries: Option<u32>,
    /// Requests succeed without it.
    #[serde(default)]
    pub soft: bool,
    /// Requests wait for it for ever.
    #[serde(default)]
    pub no_timeout: bool,
    /// What its name meant at first is believed for ever, also that it meant nothing.
    #[serde(default)]
    pub looks_up_once: bool,
    /// It ends when this goes away.
    #[serde(default)]
    pub dies_without: bool,
}

/// What it does without somebody at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// It asks when it is asked.
    #[default]
    Lazy,
    /// It ends.
    Exit,
    /// It listens to nobody until it has it.
    Wait,
    /// It asks in the background, as often as `tries` says, and never again.
    Background,
}

/// A dependency with what is known of it.
struct Client {
    settings: Dependency,
    /// Whether it was reached at the start, where that matters for ever.
    reached: AtomicBool,
    address: Mutex<Option<std::result::Result<SocketAddr, String>>>,
}

/// The body of `blackstart patient SETTINGS`.
///
/// # Errors
/// Where settings make no sense, its port is taken, or it cannot live without somebody.
pub fn run(settings: &str) -> Result<()> {
    let settings: Settings = serde_json::from_str(settings)?;
    let client = |settings: &Dependency| {
        let (reached, address) = (AtomicBool::new(false), Mutex::new(None));
        Arc::new(Client { settings: settings.clone(), reached, address })
    };
    let clients: Vec<Arc<Client>> = settings.dependencies.iter().map(client).collect();
    for client in &clients {
        client.start()?;
    }
    let own = settings.certificate.as_deref().map(|folder| {
        let file = |name: &str| Path::new(folder).join(name);
        shown(&file("certificate.pem"), &file("key.pem")).map_err(Error::other)
    });
    let own = own.transpose()?;
    let listener = TcpListener::bind(("0.0.0.0", settings.port))?;
    let shared = Arc::new((settings, clients));
    for stream in listener.incoming() {
        let (stream, shared, own) = (stream?, Arc::clone(&shared), own.clone());
        std::thread::spawn(move || {
            // A customer who has gone needs no answer.
            let _gone = match own {
                None => serve(stream, &shared.0, &shared.1),
                Some(own) => sealed(stream, own).and_then(|stream| serve(stream, &shared.0, &shared.1)),
            };
        });
    }
    Ok(())
}

fn sealed(stream: TcpStream, own: Arc<ServerConfig>) -> Result<StreamOwned<ServerConnection, TcpStream>> {
    Ok(StreamOwned::new(ServerConnection::new(own).map_err(Error::other)?, stream))
}

fn serve(stream: impl Read + Write, settings: &Settings, clients: &[Arc<Client>]) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut lines = stream.by_ref().lines();
    let line = lines.next().ok_or(Error::other("no request"))??;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let asks = match path.as_str() {
        "/readyz" => false,
        "/livez" => settings.deep_liveness,
        _ => true,
    };
    let missing = if asks { clients.iter().find_map(|client| client.call().err()) } else { None };
    if asks && let Some(at) = &settings.telemetry {
        report(at, settings.telemetry_blocks_ms);
    }
    let (status, body) = match missing {
        None => ("200 OK", "well\n".to_owned()),
        Some(error) => ("503 Service Unavailable", format!("{error}\n")),
    };
    let length = body.len();
    let stream = stream.get_mut();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")?;
    stream.flush()
}

/// Tells telemetry of a request: in the background, or not.
fn report(at: &str, blocks_ms: Option<u64>) {
    let at = at.to_owned();
    let send = move |wait: Duration| {
        let sent = resolve(&at)
            .and_then(|address| TcpStream::connect_timeout(&address, wait))
            .and_then(|stream| stream.set_read_timeout(Some(wait)).and_then(|()| ask(stream)));
        // Telemetry is lost where nobody takes it.
        drop(sent);
    };
    match blocks_ms {
        Some(ms) => send(Duration::from_millis(ms)),
        None => drop(std::thread::spawn(move || send(TIMEOUT))),
    }
}

impl Client {
    fn start(self: &Arc<Self>) -> Result<()> {
        let client = Arc::clone(self);
        match self.settings.start {
            Start::Lazy => {}
            Start::Exit => self.reach()?,
            Start::Wait => self.keep_trying(),
            Start::Background => drop(std::thread::spawn(move || client.keep_trying())),
        }
        if self.settings.dies_without {
            let client = Arc::clone(self);
            std::thread::spawn(move || {
                client.keep_trying();
                while client.reach().is_ok() {
                    std::thread::sleep(TIMEOUT);
                }
                eprintln!("fatal: {} is gone", client.settings.at);
                std::process::exit(1);
            });
        }
        Ok(())
    }

    /// Tries until it has it, or has tried as often as it may.
    fn keep_trying(&self) {
        let mut tries = 0;
        while self.settings.tries.is_none_or(|most| tries < most) && self.reach().is_err() {
            tries += 1;
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn call(&self) -> Result<()> {
        // Whoever asked at the start alone lives on what that brought.
        if self.settings.start == Start::Background && !self.reached.load(Ordering::Relaxed) {
            return Err(Error::other(format!("{} was not there at the start", self.settings.at)));
        }
        match self.reach() {
            Err(_) if self.settings.soft => Ok(()),
            reached => reached,
        }
    }

    /// Asks it one thing.
    fn reach(&self) -> Result<()> {
        let address = self.address()?;
        let told = |error: Error| Error::other(format!("{}: {error}", self.settings.at));
        let wait = (!self.settings.no_timeout).then_some(TIMEOUT);
        let stream = match wait {
            Some(wait) => TcpStream::connect_timeout(&address, wait),
            None => TcpStream::connect(address),
        };
        let stream = stream.map_err(told)?;
        stream.set_read_timeout(wait).map_err(told)?;
        match &self.settings.roots {
            None => ask(stream),
            Some(file) => believing(file, &self.settings.at, stream).and_then(ask),
        }
        .map_err(told)?;
        self.reached.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn address(&self) -> Result<SocketAddr> {
        if !self.settings.looks_up_once {
            return resolve(&self.settings.at);
        }
        let mut known = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        let first = known.get_or_insert_with(|| resolve(&self.settings.at).map_err(|error| error.to_string()));
        first.clone().map_err(Error::other)
    }
}

/// TLS over a connection to somebody whom it believes for these roots.
fn believing(file: &str, at: &str, stream: TcpStream) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let told = |error: &dyn std::fmt::Display| Error::other(format!("{file}: {error}"));
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(file).map_err(|error| told(&error))? {
        roots.add(root.map_err(|error| told(&error))?).map_err(|error| told(&error))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(Error::other)?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = at.split(':').next().unwrap_or_default().to_owned();
    let name = ServerName::try_from(name).map_err(Error::other)?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
    Ok(StreamOwned::new(session, stream))
}

/// One request by HTTP; well is a status below 500.
fn ask(mut stream: impl Read + Write) -> Result<()> {
    stream.write_all(b"GET /thing HTTP/1.1\r\nhost: thing\r\nconnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    if answer[9] == b'5' { Err(Error::other(String::from_utf8_lossy(&answer[9..]).into_owned())) } else { Ok(()) }
}

/// `NAME:PORT` or `ADDRESS:PORT` as an address, by the first name server of this machine.
fn resolve(at: &str) -> Result<SocketAddr> {
    if let Ok(address) = at.parse() {
        return Ok(address);
    }
    let (name, port) = at.split_once(':').ok_or(Error::other(format!("`{at}` has no port")))?;
    let port = port.parse().map_err(Error::other)?;
    let text = std::fs::read_to_string("/etc/resolv.conf")?;
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver ")?.trim().parse::<IpAddr>().ok());
    let server = server.ok_or(Error::other("there is no name server"))?;
    let mut question = Message::new((mono_ns() >> 10) as u16, MessageType::Query, OpCode::Query);
    let asked = Name::from_ascii(format!("{name}.")).map_err(Error::other)?;
    question.add_query(Query::query(asked, RecordType::A));
    question.metadata.recursion_desired = true;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((server, 53))?;
    socket.set_read_timeout(Some(LOOKUP))?;
    socket.send(&question.to_vec().map_err(Error::other)?)?;
    let mut bytes = [0; 1232];
    let length = socket.recv(&mut bytes)?;
    let answer = Message::from_vec(&bytes[..length]).map_err(Error::other)?;
    let address = answer.answers.iter().find_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        _ => None,
    });
    address.map(|address| SocketAddr::new(address, port)).ok_or(Error::other(format!("there is no {name}")))
}
