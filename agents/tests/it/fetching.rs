//! Owns the claims about generic hosts with real sockets and real files: one becomes a service by nothing but what it fetches
//! and verifies, asks until it has it, and needs nobody for a second start. Refuses virtual time; waits are for conditions.

use crate::runtime::{free, http, start};
use crate::world::{config, need, target};
use agents::artefact::{Signer, altered};
use agents::config::{GenericConfig, InstanceConfig, Software, Target};
use agents::runtime::drive;
use agents::runtime::reporter::Reporter;
use agents::wire::{Delivery, Line, Note};
use fixtures::name::{InstanceName, ServiceName};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

/// A witness that hears what becomes of software.
struct Witness {
    listener: TcpListener,
    lines: Option<BufReader<TcpStream>>,
}

impl Witness {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").expect("a port"), lines: None }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }

    /// Waits for the next word about software from whoever runs now: what, from whom, why.
    fn next(&mut self) -> (Delivery, String, String) {
        let listener = &self.listener;
        let lines = self.lines.get_or_insert_with(|| BufReader::new(listener.accept().expect("somebody comes").0));
        loop {
            let mut text = String::new();
            assert!(lines.read_line(&mut text).expect("it is read") > 0, "it ended without a word");
            let line: Line = serde_json::from_str(&text).expect("a line");
            assert_ne!(line.note, Note::Serving, "nobody serves before the software is there");
            if let Note::Software { delivery, from, why, .. } = line.note {
                return (delivery, from, why);
            }
        }
    }
}

/// A process on a generic host, until it is dropped.
struct Running(Option<tokio::sync::oneshot::Sender<()>>, Option<std::thread::JoinHandle<()>>);

impl Running {
    fn begin(generic: &GenericConfig, witness: &mut Witness, folder: &Path) -> Self {
        witness.lines = None;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (generic, folder, witness) = (generic.clone(), folder.to_path_buf(), witness.address());
        let thread = std::thread::spawn(move || {
            let reporter = Reporter::start(witness, generic.own.from.clone()).expect("a thread");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let running = drive::generic_instance(&generic, Some(reporter), &folder, "");
                tokio::select! { _ = stopped => {} ended = running => panic!("{ended:?}") }
            });
        });
        Self(Some(stop), Some(thread))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.take());
        self.1.take().expect("it was started").join().expect("it ends");
    }
}

/// What `quota` is, on an address of its own, with its software from somebody.
fn quota(repository: SocketAddr) -> InstanceConfig {
    let asked = Target { address: repository, ..target("az1", 1) };
    let mut config = config(vec![need(vec![asked])], vec![]);
    config.needs[0].kind = "package".to_owned();
    config.listen = free();
    config.from.service = Some(ServiceName::new("quota").expect("a name"));
    config.name = InstanceName("quota-az1-0".to_owned());
    config
}

fn repository(folder: &Path) -> InstanceConfig {
    let mut config = config(vec![], vec![]);
    (config.listen, config.name) = (free(), InstanceName("packages-az1-0".to_owned()));
    config.commons.artefacts = Some(folder.display().to_string());
    config
}

#[test]
fn a_generic_host_becomes_a_service_by_nothing_but_what_it_fetched_and_verified() {
    let (shelf, disk) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (mut witness, signer, packages) = (Witness::new(), Signer::of(b"ours"), repository(shelf.path()));
    let whole = quota(packages.listen);
    let (own, software) = Software::split(whole.clone(), "package").expect("it needs its package");
    let payload = serde_json::to_string(&software).expect("it is plain");
    let service = whole.from.service.clone().expect("it has one");
    let artefact = signer.pack(&service, "az1", 1, &payload);
    let mut generic = GenericConfig { own, edition: "az1".to_owned(), version: 1, signer: signer.public() };
    let shown = shelf.path().join("quota@az1");
    std::fs::write(&shown, altered(&artefact)).expect("it is written");
    let giving = start(packages.clone(), disk.path());
    let running = Running::begin(&generic, &mut witness, disk.path());
    let (delivery, from, why) = witness.next();
    assert_eq!((delivery, from.as_str()), (Delivery::Refused, "packages-az1-0"));
    assert_eq!(why, "its payload does not have the hash that was signed");
    assert!(TcpStream::connect(whole.listen).is_err(), "nobody is there");
    // Another signer's is refused like that, for as long as it is there; what is right is taken without a word from anybody.
    std::fs::write(&shown, Signer::of(b"theirs").pack(&service, "az1", 1, &payload)).expect("it is written");
    while !witness.next().2.contains("signature") {}
    std::fs::write(&shown, &artefact).expect("it is written");
    while witness.next().0 != Delivery::Fetched {}
    assert!(http(whole.listen, "POST /work/serve HTTP/1.1").starts_with("HTTP/1.1 200"));
    // A repository is no other file's.
    let other = |name: &str| http(packages.listen, &format!("GET /artefacts/{name} HTTP/1.1"));
    assert!(other("quota@az1").contains(&payload));
    for name in ["../quota@az1", "launch@az1", "%2e%2e/x", ""] {
        assert!(other(name).starts_with("HTTP/1.1 404"), "{name}: {}", other(name));
    }
    // Without a repository.
    drop(running);
    drop(giving.0);
    giving.1.join().expect("it ends");
    let running = Running::begin(&generic, &mut witness, disk.path());
    assert_eq!(witness.next().0, Delivery::Kept);
    assert!(http(whole.listen, "POST /work/serve HTTP/1.1").starts_with("HTTP/1.1 200"));
    drop(running);
    // A copy that is damaged is not run, nor one that is older than what is to be run.
    let copy = disk.path().join("quota-az1-0.artefact");
    std::fs::write(&copy, altered(&artefact)).expect("it is written");
    let giving = start(packages, disk.path());
    let running = Running::begin(&generic, &mut witness, disk.path());
    assert_eq!((witness.next().0, witness.next().0), (Delivery::Damaged, Delivery::Fetched));
    drop(running);
    generic.version = 2;
    std::fs::write(&shown, signer.pack(&service, "az1", 2, &payload)).expect("it is written");
    let _running = Running::begin(&generic, &mut witness, disk.path());
    assert_eq!(witness.next().0, Delivery::Fetched);
    assert_eq!(
        std::fs::read_to_string(&copy).expect("it is there"),
        std::fs::read_to_string(&shown).expect("it is there")
    );
    drop(giving);
}
