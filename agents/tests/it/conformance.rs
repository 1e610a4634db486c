//! Owns the claims about bytes that others must understand: DNS against `dig` and a resolver library, certificates and TLS
//! against `openssl`. Refuses to trust the libraries that made them. Where a tool is not installed the test says so; with
//! BLACKSTART_REQUIRE_TOOLS=1 it fails.

use crate::runtime::{free, start};
use crate::world::{call, config, need, service, target};
use agents::commons::{Callee, DirectoryConfig, Keys, LookupConfig, Record};
use agents::config::{InstanceConfig, Target};
use agents::machine::Outcome;
use agents::runtime::client::Client;
use agents::runtime::clock::mono_ns;
use agents::runtime::tls;
use agents::wire::{Ask, Failure, Grant, Write};
use fixtures::graph::names::{Lookups, NoneHealthy};
use fixtures::graph::{State, Strength};
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

const SECOND: u64 = 1_000_000_000;

fn answers(program: &str, arguments: &[&str]) -> bool {
    let asked = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Whether a tool is there.
fn has(program: &str, arguments: &[&str]) -> bool {
    if answers(program, arguments) {
        return true;
    }
    assert!(std::env::var_os("BLACKSTART_REQUIRE_TOOLS").is_none(), "{program} {arguments:?} is not installed");
    eprintln!("SKIPPED: {program} {arguments:?} is not installed");
    false
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().expect("it was there before");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn record(name: &str, targets: Vec<Target>) -> Record {
    Record { name: name.into(), targets: targets.into() }
}

/// A name server of a small service, a large one, and nobody else; nothing of what it names runs.
fn name_server(at: SocketAddr) -> InstanceConfig {
    let at_ip = |ip: [u8; 4], zone: &str, port: u16| Target { address: (ip, port).into(), ..target(zone, port) };
    let store = vec![at_ip([127, 0, 0, 2], "az1", 8001), at_ip([127, 0, 0, 3], "az2", 8002)];
    let large: Vec<Target> =
        (1..=60).map(|number| at_ip([127, 0, 1, number], "az3", 9000 + u16::from(number))).collect();
    let own = |target: &Target| record(&format!("{}.{}.test", target.name, target.zone), vec![target.clone()]);
    let mut config = config(vec![], vec![]);
    config.listen = free();
    config.from.service = Some(service("names"));
    config.commons.directory = Some(DirectoryConfig {
        listen: at,
        domain: "test".to_owned(),
        instances: store.iter().chain(&large).map(own).collect(),
        services: vec![record("large.test", large), record("store.test", store)],
        ttl_ns: 5 * SECOND,
        negative_ttl_ns: 2 * SECOND,
        health_interval_ns: SECOND,
        health_failures: 2,
        none_healthy: NoneHealthy::All,
    });
    config
}

/// An address that is free for UDP and TCP.
fn free_for_both() -> SocketAddr {
    loop {
        let at = free();
        if UdpSocket::bind(at).is_ok() {
            return at;
        }
    }
}

/// Asks with `dig`, again as long as nobody listens yet.
fn dig(at: SocketAddr, arguments: &[&str]) -> String {
    let port = at.port().to_string();
    loop {
        let fixed = ["@127.0.0.1", "-p", &port, "+tries=1", "+time=2"];
        let text = run("dig", &[&fixed, arguments].concat());
        if !text.contains("connection refused") {
            return text;
        }
        std::thread::yield_now();
    }
}

#[test]
fn dig_understands_every_kind_of_answer() {
    if !has("dig", &["-v"]) {
        return;
    }
    let (folder, at) = (tempfile::tempdir().expect("a folder"), free_for_both());
    let _running = start(name_server(at), folder.path());
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&dig(at, &["+short", "store.test", "A"])), ["127.0.0.2", "127.0.0.3"]);
    let srv = ["0 0 8001 peer-az1-8001.az1.test.", "0 0 8002 peer-az2-8002.az2.test."];
    for transport in ["+notcp", "+tcp"] {
        assert_eq!(lines(&dig(at, &["+short", transport, "store.test", "SRV"])), srv, "{transport}");
    }
    let whole = dig(at, &["+norecurse", "StOrE.tEsT", "SRV"]);
    assert!(whole.contains("status: NOERROR") && whole.contains(" aa"), "{whole}");
    assert!(whole.contains("ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 3"), "two addresses and EDNS: {whole}");
    assert!(whole.contains("\t5\tIN\tSRV"), "the time to live: {whole}");
    assert!(!whole.contains("WARNING") && !whole.contains("malformed"), "{whole}");
    assert_eq!(dig(at, &["+short", "peer-az1-8001.az1.test"]).trim(), "127.0.0.2");
    let none = dig(at, &["store.test", "AAAA"]);
    assert!(none.contains("status: NOERROR") && none.contains("ANSWER: 0, AUTHORITY: 1"), "{none}");
    assert!(none.contains("\t2\tIN\tSOA"), "how long that is good: {none}");
    let missing = dig(at, &["nobody.test"]);
    assert!(missing.contains("status: NXDOMAIN") && missing.contains("IN\tSOA"), "{missing}");
    assert!(dig(at, &["example.org"]).contains("status: REFUSED"));
    assert!(dig(at, &["-c", "CH", "store.test", "TXT"]).contains("status: REFUSED"));
    assert!(dig(at, &["+opcode=STATUS", "store.test"]).contains("status: NOTIMP"));
    assert!(dig(at, &["+short", "test", "SOA"]).contains(" hostmaster.test. "));
}

/// What does not fit into one packet is cut off there, and whole over TCP.
#[test]
fn dig_gets_a_long_answer_over_tcp() {
    if !has("dig", &["-v"]) {
        return;
    }
    let (folder, at) = (tempfile::tempdir().expect("a folder"), free_for_both());
    let _running = start(name_server(at), folder.path());
    let cut = dig(at, &["+ignore", "+bufsize=512", "large.test", "SRV"]);
    assert!(cut.contains(" tc") && cut.contains("ANSWER: 0"), "{cut}");
    let whole = dig(at, &["+bufsize=512", "large.test", "SRV"]);
    assert!(whole.contains("retrying in TCP mode") && whole.contains("ANSWER: 60,"), "{whole}");
}

/// A resolver library of other people reads the same.
#[test]
fn a_resolver_library_understands_the_answers() {
    // Debian's package belongs to Debian's interpreter, which need not be the first on the path.
    let library = ["-c", "import dns.resolver"];
    let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| answers(python, &library));
    let python = python.unwrap_or("python3");
    if !has(python, &library) {
        return;
    }
    let (folder, at) = (tempfile::tempdir().expect("a folder"), free_for_both());
    let _running = start(name_server(at), folder.path());
    let script = format!(
        "import dns.resolver, time\n\
         r = dns.resolver.Resolver(configure=False)\n\
         r.nameservers, r.port, r.lifetime = ['127.0.0.1'], {}, 20\n\
         def of(name, kind): return sorted(str(one) for one in r.resolve(name, kind))\n\
         print(of('store.test', 'A'), of('store.test', 'SRV'), len(of('large.test', 'SRV')))\n\
         for name, kind in [('nobody.test', 'A'), ('store.test', 'AAAA')]:\n\
         \x20   try: print(of(name, kind))\n\
         \x20   except Exception as error: print(type(error).__name__)\n",
        at.port()
    );
    // It knows by itself how to ask again.
    let text = run(python, &["-c", &script]);
    let expected = "['127.0.0.2', '127.0.0.3'] ['0 0 8001 peer-az1-8001.az1.test.', '0 0 8002 peer-az2-8002.az2.test.'] 60\n\
                    NXDOMAIN\nNoAnswer\n";
    assert_eq!(text, expected);
}

/// What our own client makes of our own server, over both transports.
#[test]
fn an_agent_finds_those_behind_a_name() {
    let (folder, at) = (tempfile::tempdir().expect("a folder"), free_for_both());
    let _running = start(name_server(at), folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (name, count) in [("store.test", 2), ("large.test", 60)] {
        let found = loop {
            let asked = agents::runtime::probe::lookup(at, name, std::time::Duration::from_secs(5));
            if let Some(agents::machine::Outcome::Reply(reply)) = runtime.block_on(asked) {
                break reply.records.expect("it has records");
            }
            std::thread::yield_now();
        };
        assert_eq!((found.targets.len(), found.ttl_ns), (count, 5 * SECOND));
        assert!(found.targets.iter().all(|target| target.address.ip() != at.ip()));
    }
}

fn openssl(arguments: &[&str]) -> String {
    run("openssl", arguments)
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("it is written");
    path.display().to_string()
}

#[test]
fn openssl_verifies_what_the_authority_signs_and_refuses_what_has_ended() {
    if !has("openssl", &["version"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let keys = tls::new_root().expect("a root");
    let root = written(folder.path(), "root.pem", &keys.root);
    let holder = tls::Tls::new(&keys.root, true).expect("it believes it");
    let now = i64::try_from(mono_ns()).expect("it fits");
    let sign = |file: &str, from: i64, until: i64| {
        let grant =
            Grant { from_ns: now + from * 1_000_000_000, until_ns: now + until * 1_000_000_000, ..Grant::default() };
        let names = ["api.az1.test".to_owned(), "api-az1-0.az1.test".to_owned()];
        let pem = tls::sign(&keys, holder.public_key(), &names, grant).expect("it is signed");
        written(folder.path(), file, &pem)
    };
    let good = sign("good.pem", -60, 60);
    assert!(openssl(&["verify", "-CAfile", &root, &good]).contains("good.pem: OK"));
    let names = openssl(&["x509", "-in", &good, "-noout", "-ext", "subjectAltName,extendedKeyUsage,keyUsage"]);
    assert!(names.contains("DNS:api.az1.test, DNS:api-az1-0.az1.test"), "{names}");
    assert!(names.contains("TLS Web Server Authentication, TLS Web Client Authentication"), "{names}");
    let bad = |file: &str, words: &str| {
        let text = openssl(&["verify", "-CAfile", &root, file]);
        assert!(text.contains(words), "{text}");
    };
    bad(&sign("ended.pem", -120, -60), "certificate has expired");
    bad(&sign("early.pem", 60, 120), "certificate is not yet valid");
    let other = tls::new_root().expect("another root");
    let stranger = Keys { root: keys.root.clone(), root_key: other.root_key, name: None };
    let grant = Grant { from_ns: now - 1_000_000_000, until_ns: now + 60_000_000_000, ..Grant::default() };
    let forged = tls::sign(&stranger, holder.public_key(), &["api.az1.test".to_owned()], grant).expect("it is signed");
    bad(&written(folder.path(), "forged.pem", &forged), "verification failed");
}

/// An authority and an instance that gets its certificate from it, and calls itself a service.
fn secure_pair(keys: &Keys) -> (InstanceConfig, InstanceConfig) {
    let name = |name: &str| vec![format!("{name}.az1.test"), format!("{name}-az1-0.az1.test")];
    let mut authority = config(vec![], vec![]);
    (authority.listen, authority.commons.is_authority) = (free(), true);
    authority.commons.lifetimes.insert("certificate".to_owned(), 60 * SECOND);
    (authority.commons.keys, authority.commons.proves) = (Some(keys.clone()), name("certificates"));
    let secure = |at: SocketAddr, name: &str| Target { address: at, secure: Some(name.into()), ..target("az1", 1) };
    let mut app = config(vec![need(vec![secure(authority.listen, "certificates.az1.test")])], vec![]);
    app.listen = free();
    app.commons.renew_at_ppm = 500_000;
    app.commons.keys = Some(Keys { root_key: None, ..keys.clone() });
    app.commons.proves = name("app");
    (authority, app)
}

#[test]
fn openssl_speaks_with_an_agent_and_believes_it() {
    if !has("openssl", &["version"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let keys = tls::new_root().expect("a root");
    let root = written(folder.path(), "root.pem", &keys.root);
    let (authority, app) = secure_pair(&keys);
    let at = app.listen.to_string();
    let (_authority, _app) = (start(authority, folder.path()), start(app, folder.path()));
    let connect = |more: &[&str]| loop {
        let fixed = ["s_client", "-connect", &at, "-verify_return_error", "-CAfile", &root];
        let text = openssl(&[&fixed, more].concat());
        if !text.contains("Connection refused") {
            return text;
        }
        std::thread::yield_now();
    };
    let good = connect(&["-servername", "app.az1.test", "-verify_hostname", "app.az1.test"]);
    assert!(good.contains("Verify return code: 0 (ok)") && good.contains("TLSv1.3"), "{good}");
    let other = connect(&["-servername", "app.az1.test", "-verify_hostname", "store.az1.test"]);
    assert!(other.to_lowercase().contains("hostname mismatch"), "{other}");
    let old = connect(&["-tls1_2"]);
    assert!(old.contains("alert protocol version") || old.contains("no protocols"), "{old}");
    let late = connect(&["-attime", "4000000000", "-servername", "app.az1.test"]);
    assert!(late.contains("certificate has expired"), "{late}");
}

/// Two agents over TLS: one asks the other, which it believes for its name alone.
#[test]
fn agents_call_each_other_over_tls_and_only_those_they_believe() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = tls::new_root().expect("a root");
    let (authority, app) = secure_pair(&keys);
    let secure = |name: &str| Target { address: app.listen, secure: Some(name.into()), ..target("az1", 1) };
    let caller = |name: &str, root: &str| {
        let mut caller = config(vec![], vec![call("app", Strength::Hard, vec![secure(name)])]);
        caller.listen = free();
        caller.commons.keys = Some(Keys { root: root.to_owned(), ..Keys::default() });
        caller
    };
    let stranger = tls::new_root().expect("another root");
    let asked = [
        (caller("app.az1.test", &keys.root), "200"),
        (caller("store.az1.test", &keys.root), "503"),
        (caller("app.az1.test", &stranger.root), "503"),
    ];
    let up = app.listen;
    let _region = (start(authority, folder.path()), start(app, folder.path()));
    // It listens once it has its certificate.
    while std::net::TcpStream::connect(up).is_err() {
        std::thread::yield_now();
    }
    for (caller, status) in asked {
        let at = caller.listen;
        let _caller = start(caller, folder.path());
        let answer = crate::runtime::http(at, "POST /work/serve HTTP/1.1");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

/// From a name to an answer over real DNS and real HTTP: the caller is told nothing but the name and the servers.
#[test]
fn an_agent_calls_by_name() {
    let (folder, dns) = (tempfile::tempdir().expect("a folder"), free_for_both());
    let mut store = config(vec![], vec![]);
    store.listen = free();
    let behind = Target { address: store.listen, ..target("az1", 1) };
    let mut names = name_server(dns);
    if let Some(directory) = &mut names.commons.directory {
        directory.instances = vec![record(&format!("{}.az1.test", behind.name), vec![behind.clone()])];
        directory.services = vec![record("store.test", vec![behind])];
    }
    let mut to_store = call("store", Strength::Hard, vec![]);
    to_store.callee = Callee { name: Some("store.test".into()), secure: None };
    let mut caller = config(vec![], vec![to_store]);
    caller.listen = free();
    caller.commons.lookups = Some(LookupConfig {
        service: service("names"),
        servers: vec![Target { address: dns, ..target("az1", 53) }].into(),
        behaviour: Lookups::default(),
        timeout_ns: SECOND,
        attempts: 1,
        stale_max_ns: SECOND,
    });
    let (at, up) = (caller.listen, store.listen);
    let _region = (start(store, folder.path()), start(names, folder.path()));
    crate::runtime::http(up, "GET /livez HTTP/1.1");
    // Listens as soon as it answers anybody.
    while std::net::TcpStream::connect(dns).is_err() {
        std::thread::yield_now();
    }
    let _caller = start(caller, folder.path());
    let answer = crate::runtime::http(at, "POST /work/serve HTTP/1.1");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Two signatures and four checks of signatures cannot be had for less on any machine.
#[test]
fn a_handshake_costs_each_end_processor_time() {
    let cost = agents::runtime::handshake::cost_ns().expect("this machine connects to itself");
    assert!(cost > 10_000, "{cost} ns");
}

/// A store of a region that is built beside one that stands: it takes what its own callers write, and nothing of who shows the
/// other root's identity, or none. Who goes abroad is believed to be nobody there, and is served.
#[test]
fn a_store_of_one_root_stores_nothing_for_another_roots_caller_nor_for_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, there) = (tls::new_root().expect("a root"), tls::new_root_of("there").expect("another root"));
    let (authority, mut store) = secure_pair(&home);
    let (other_authority, other_store) = secure_pair(&there);
    (store.commons.proven_only, store.state) = (true, State::Memory);
    let (own, other) = (store.listen, other_store.listen);
    let _regions = [authority, store, other_authority, other_store].map(|one| start(one, folder.path()));
    // They listen once they have their certificates.
    while [own, other].iter().any(|at| std::net::TcpStream::connect(at).is_err()) {
        std::thread::yield_now();
    }
    let looks = || Ask::Work { operation: "serve".into(), write: None, again: false };
    let writes = || {
        let write = Some(Box::new(Write { key: "a".to_owned(), value: "b".to_owned() }));
        Ask::Work { operation: "serve".into(), write, again: false }
    };
    let (is_served, is_denied) = (Some(None), Some(Some(Failure::Denied)));
    for (who, signed_by, abroad, (to, ask), expected) in [
        ("its own caller", Some(&home), None, (own, writes()), is_served),
        ("who shows another root's", Some(&there), None, (own, looks()), None),
        ("who shows another root's", Some(&there), None, (own, writes()), None),
        ("who shows none, and writes", None, None, (own, writes()), is_denied),
        ("who shows none, and looks", None, None, (own, looks()), is_served),
        ("who goes abroad", Some(&home), Some(&*there.root), (other, looks()), is_served),
        ("who goes abroad, at home", Some(&home), Some(&*there.root), (own, writes()), is_served),
        ("who believes nobody there", Some(&home), None, (other, looks()), None),
    ] {
        let tls = tls::Tls::believing(&home.root, abroad, false).expect("roots are right");
        if let Some(keys) = signed_by {
            let now = i64::try_from(mono_ns()).expect("it fits");
            let until_ns = now + 60_000_000_000;
            let grant = Grant { from_ns: now - 60_000_000_000, until_ns, ..Grant::default() };
            let signed =
                tls::sign(keys, tls.public_key(), &["caller.az1.test".to_owned()], grant).expect("it is signed");
            tls.install(&signed).expect("it is for this key");
        }
        assert_eq!(answered(tls, to, ask), expected, "{who}");
    }
}

/// What an instance answers to whoever is this: nothing where one of both does not believe the other.
fn answered(tls: tls::Tls, to: SocketAddr, ask: Ask) -> Option<Option<Failure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let client = Client::with_tls(Some(Rc::new(tls)), Vec::new());
        match client.ask(to, Some("app.az1.test".into()), None, &ask, 5 * SECOND, |_| {}).await.0 {
            Outcome::Reply(reply) => Some(reply.error),
            _ => None,
        }
    })
}
