//! Owns the claims on what others add to a run: a condition judged before and after, one that stops the run, traffic whose exit
//! status is judged and of which nothing is left. Refuses to look at anything else of the runs.

use crate::lab::{Ended, docker, left_of, long_machine};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// Somebody who is well until told otherwise.
struct Health {
    address: SocketAddr,
    well: Arc<AtomicBool>,
}

impl Health {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let (address, well) = (listener.local_addr().expect("it has one"), Arc::new(AtomicBool::new(true)));
        let shared = Arc::clone(&well);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().expect("it can be read")).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let status = if shared.load(Ordering::Relaxed) { "200 OK" } else { "500 No" };
                let _gone = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { address, well }
    }

    fn file(&self, folder: &TempDir) -> PathBuf {
        let path = folder.path().join("conditions.toml");
        let text = format!("[[conditions]]\nname = \"shop\"\nhttp = \"http://{}/\"\nevery = \"1s\"\n", self.address);
        std::fs::write(&path, text).expect("it is written");
        path
    }
}

fn told(ended: &Ended) -> Vec<(String, &'static str)> {
    let record = ended.record();
    let outside = record.invariants.iter().filter(|result| result.id.starts_with('E'));
    outside.map(|result| (result.id.clone(), result.verdict.word())).collect()
}

fn processes(words: &str) -> usize {
    let output = Command::new("ps").args(["-eo", "args"]).output().expect("ps is there: Debian's procps");
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with(words)).count()
}

#[test]
fn a_condition_and_traffic_are_judged_with_the_run() {
    let Some(_machine) = long_machine() else { return };
    let (health, folder) = (Health::start(), tempfile::tempdir().expect("a folder"));
    let file = health.file(&folder);
    let file = file.to_string_lossy();
    let ended =
        crate::lab::Running::start(&["minimal", "--steady-state", &file, "--traffic", "echo sent; exit 3"]).end();
    ended.expect_status(1);
    assert_eq!(told(&ended), [("E1".to_owned(), "held"), ("E2".to_owned(), "violated")]);
    assert_eq!(ended.file("traffic.log").as_deref(), Some("sent\n"));
}

#[test]
fn a_condition_that_is_not_well_stops_the_run_and_nothing_is_left() {
    let Some(_machine) = long_machine() else { return };
    let (health, folder) = (Health::start(), tempfile::tempdir().expect("a folder"));
    let file = health.file(&folder);
    let file = file.to_string_lossy();
    // A length that nobody else sleeps, in the background too, and deaf to being asked.
    let traffic = "trap '' TERM; sleep 98765.25 & sleep 98765.25";
    let mut running = crate::lab::Running::start(&["minimal", "--stop-conditions", &file, "--traffic", traffic]);
    running.await_phase("outage");
    assert_eq!(processes("sleep 98765.25"), 2, "traffic is sent from the baseline on");
    health.well.store(false, Ordering::Relaxed);
    let run = running.run_id();
    let ended = running.end();
    ended.expect_status(3);
    assert_eq!(told(&ended), [("E1".to_owned(), "inconclusive"), ("E2".to_owned(), "not-judged")]);
    let record = ended.record();
    assert!(record.inconclusive.iter().any(|reason| reason.code == "stopped"), "{:?}", record.inconclusive);
    assert!(record.residue.is_empty() && left_of(&run).is_empty(), "{:?}", left_of(&run));
    assert_eq!(processes("sleep 98765.25"), 0);
}

/// Asks every instance that it is told of; hosts in the dark are those of az1.
const ASKS: &str = r#"
import json, os, urllib.request
doors = json.load(open(os.environ['BLACKSTART_DOORS']))
at = os.environ['BLACKSTART_AT_' + doors[0]['service'].upper().replace('-', '_')].split(',')
assert doors[0]['address'] in at, at
for door in doors:
    with urllib.request.urlopen('http://' + door['address'] + '/readyz', timeout=5) as answer:
        assert answer.status == 200, door
print('all of', len(doors))
"#;

#[test]
fn traffic_comes_in_where_no_canary_asks_and_nothing_gets_out() {
    let Some(_machine) = long_machine() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (day, asks) = (folder.path().join("day.toml"), folder.path().join("asks.py"));
    let minimal =
        scenarios::builtin::scenario("minimal").expect("built in").text.replace("rate = \"10/s\"", "canaries = false");
    std::fs::write(&day, minimal).expect("it is written");
    std::fs::write(&asks, ASKS).expect("it is written");
    let (day, asks) = (day.to_string_lossy(), format!("python3 {}", asks.display()));
    let mut running = crate::lab::Running::start(&[&day, "--traffic", &asks]);
    running.await_phase("outage");
    let run = running.run_id();
    // Whoever asks from in there is heard by nobody, although who is asked from here answers.
    let host = docker(&["ps", "-q", "--filter", &format!("name={}", run.rsplit('-').next().expect("an id"))]);
    let pids = host.split_whitespace().map(|host| docker(&["inspect", "-f", "{{.State.Pid}}", host]));
    let inside = |pid: &str, script: &str| {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", pid.trim(), "sh", "-c", script]);
        let output = command.output().expect("nsenter is there: Debian's util-linux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    let mut tried = 0;
    for pid in pids {
        // Those on the machine's own network (the hand) and those in the dark have no gateway of a region.
        let way = inside(&pid, "ip -o route show default");
        let Some(gateway) = way.split(' ').nth(2).filter(|gateway| gateway.starts_with("198.")) else {
            continue;
        };
        let said = inside(&pid, &format!("timeout 2 bash -c '</dev/tcp/{gateway}/{port}' && echo in"));
        assert_eq!(said, "", "the machine is reached from {way}");
        assert!(std::net::TcpStream::connect((gateway, port)).is_ok(), "and from itself it is");
        tried += 1;
        // Each try waits for an answer that must not come, and the run goes on meanwhile.
        if tried == 2 {
            break;
        }
    }
    assert!(tried > 0, "{host}");
    let ended = running.end();
    ended.expect_status(0);
    assert_eq!(told(&ended), [("E2".to_owned(), "held")]);
    assert_eq!(ended.file("traffic.log").as_deref(), Some("all of 9\n"));
    let of = |id: &str| ended.record().invariants.iter().find(|one| one.id == id).map(|one| one.verdict.word());
    assert_eq!((of("S5"), of("Z1")), (Some("held"), Some("not-judged")));
}

#[test]
fn traffic_ends_with_a_killed_controller() {
    let Some(_machine) = long_machine() else { return };
    let mut running = crate::lab::Running::start(&["minimal", "--traffic", "sleep 98765.75"]);
    running.await_phase("outage");
    assert_eq!(processes("sleep 98765.75"), 1);
    let run = running.run_id();
    running.kill();
    let began = agents::runtime::clock::mono_ns();
    while processes("sleep 98765.75") > 0 || !left_of(&run).is_empty() {
        assert!(agents::runtime::clock::mono_ns() - began < 90_000_000_000, "still there: {:?}", left_of(&run));
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}
