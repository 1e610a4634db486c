//! Owns the claims about bytes: real sockets on loopback, real files. Refuses virtual time; waits are for conditions.

use crate::world::{call, config, target};
use agents::config::{InstanceConfig, ReplicationConfig, StoreConfig, Target};
use agents::runtime::drive;
use fixtures::graph::store::Reads;
use fixtures::graph::{State, Strength};
use fixtures::name::{InstanceName, ZoneName};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

/// An address that is free, and stays so until somebody listens there: each is given once, and they lie below those that the
/// system takes for connections. One that the system chooses can be chosen again before anybody listens: a caller then
/// met the instance of another.
pub(crate) fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another process of the same tests begins elsewhere.
    let first = u16::try_from(std::process::id() % 80).expect("it is small") * 150;
    loop {
        let port = 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(at).is_ok() {
            return at;
        }
    }
}

/// Runs an instance on a thread of its own until `stop` is dropped.
pub(crate) fn start(
    config: InstanceConfig,
    folder: &Path,
) -> (tokio::sync::oneshot::Sender<()>, std::thread::JoinHandle<()>) {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let folder = folder.to_path_buf();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            tokio::select! { _ = stopped => {} _ = drive::instance(&config, None, &folder, "") => {} }
        });
    });
    (stop, thread)
}

/// Asks until somebody listens: status line and body.
pub(crate) fn http(to: SocketAddr, request: &str) -> String {
    loop {
        let answer = TcpStream::connect(to).and_then(|mut stream| {
            write!(stream, "{request}\r\nhost: x\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        match answer {
            Ok(answer) if !answer.is_empty() => return answer,
            _ => std::thread::yield_now(),
        }
    }
}

#[test]
fn it_answers_health_metrics_work_and_unknown_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(vec![], vec![]);
    config.listen = free();
    let at = config.listen;
    let _running = start(config, folder.path());
    assert!(http(at, "GET /livez HTTP/1.1").starts_with("HTTP/1.1 200"));
    assert!(http(at, "GET /readyz HTTP/1.1").starts_with("HTTP/1.1 200"));
    assert!(http(at, "POST /work/serve HTTP/1.1").contains("app-az1-0"));
    for unknown in ["POST /work/other HTTP/1.1", "GET /nothing HTTP/1.1", "GET /state/k HTTP/1.1"] {
        assert!(http(at, unknown).starts_with("HTTP/1.1 404"), "{unknown}");
    }
    assert!(http(at, "GET /metrics HTTP/1.1").contains("blackstart_agent_requests_total{outcome=\"ok\"}"));
}

#[test]
fn an_acknowledged_write_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(vec![], vec![]);
    (config.listen, config.state) = (free(), State::Disk);
    let (stop, thread) = start(config.clone(), folder.path());
    let answer = http(config.listen, "POST /work/serve HTTP/1.1\r\nx-blackstart-write: k=hello");
    assert!(answer.contains("stored_at"), "{answer}");
    drop(stop);
    thread.join().expect("it ends");
    config.listen = free();
    let _running = start(config.clone(), folder.path());
    assert!(http(config.listen, "GET /state/k HTTP/1.1").contains("hello"));
}

#[test]
fn a_dependency_that_comes_up_later_is_used_on_the_next_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut front, mut back) = (config(vec![], vec![]), config(vec![], vec![]));
    (front.listen, back.listen) = (free(), free());
    let there = Target { address: back.listen, ..target("az1", 1) };
    front.calls = vec![call("store", Strength::Hard, vec![there])];
    let at = front.listen;
    let _front = start(front, folder.path());
    let missing = http(at, "POST /work/serve HTTP/1.1");
    assert!(missing.starts_with("HTTP/1.1 503") && missing.contains("\"missing\":[\"store\"]"), "{missing}");
    let back_at = back.listen;
    let _back = start(back, folder.path());
    http(back_at, "GET /livez HTTP/1.1");
    assert!(http(at, "POST /work/serve HTTP/1.1").starts_with("HTTP/1.1 200"));
}

/// Three members of a store on real sockets and real files.
fn members() -> Vec<InstanceConfig> {
    let targets: Vec<Target> = (1..=3)
        .map(|zone| Target {
            name: InstanceName(format!("store-az{zone}-0")),
            zone: ZoneName::new(format!("az{zone}")).expect("a name"),
            address: free(),
            secure: None,
        })
        .collect();
    let config = |target: &Target| InstanceConfig {
        name: target.name.clone(),
        listen: target.address,
        state: State::Replicated,
        store: StoreConfig {
            replication: Some(ReplicationConfig {
                members: targets.clone().into(),
                voters: vec![true; 3],
                heartbeat_ns: 20_000_000,
                election_ns: 100_000_000,
                reads: Reads::Agreed,
                copy_ns: None,
            }),
            ..StoreConfig::default()
        },
        seed: u64::from(target.address.port()),
        ..config(vec![], vec![])
    };
    targets.iter().map(config).collect()
}

/// Asks until it is answered as wanted: a group may be between two leaders.
fn http_until(to: SocketAddr, request: &str, wanted: &str) {
    while !http(to, request).contains(wanted) {
        std::thread::yield_now();
    }
}

#[test]
fn members_of_a_store_agree_over_real_sockets_and_find_what_they_stored_after_a_restart() {
    let members = members();
    let folders: Vec<_> = members.iter().map(|_| tempfile::tempdir().expect("a folder")).collect();
    let run = || -> Vec<_> { members.iter().zip(&folders).map(|(one, at)| start(one.clone(), at.path())).collect() };
    let mut running = run();
    let write = |key: &str| format!("POST /work/serve HTTP/1.1\r\nx-blackstart-write: {key}=v-{key}");
    http_until(members[0].listen, &write("a"), "store-az");
    http_until(members[2].listen, "GET /state/a HTTP/1.1", "v-a");
    // Whoever leads: the other two go on without it.
    let (stop, thread) = running.remove(0);
    drop(stop);
    thread.join().expect("it ends");
    http_until(members[1].listen, &write("b"), "stored_at");
    http_until(members[2].listen, "GET /state/b HTTP/1.1", "v-b");
    for (stop, thread) in running {
        drop(stop);
        thread.join().expect("it ends");
    }
    let _running = run();
    for member in &members {
        http_until(member.listen, "GET /state/a HTTP/1.1", "v-a");
        http_until(member.listen, "GET /state/b HTTP/1.1", "v-b");
    }
}
