//! Owns the claims about a server whose runs are held on a real engine: whatever dies or hangs in the middle, a run ends
//! with a verdict or `interrupted`, is healed, and leaves its record. Refuses to look at who may ask.

use crate::lab::{left_of, machine};
use crate::own_engine::OwnEngine;
use crate::server::{PATIENCE, Server, until};
use agents::runtime::clock::mono_ns;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Waits until a run has reached a phase.
fn await_phase(server: &Server, run: &str, phase: &str) {
    let path = server.out.join(run).join("events.jsonl");
    let wanted = format!("\"{phase}\"");
    until(&format!("phase {phase} of run {run}"), || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let ended = server.run(run).filter(|held| held["outcome"] != "pending");
        assert!(ended.is_none(), "it ended before {phase}: {ended:?}");
        text.lines().any(|line| line.contains("\"phase\"") && line.contains(&wanted)).then_some(())
    });
}

/// Kills a server, as a machine does that loses power.
fn kill(mut server: Server) {
    server.child.kill().and_then(|()| server.child.wait()).expect("it is ours");
}

#[track_caller]
fn nothing_left(run: &str) {
    let began = mono_ns();
    loop {
        let left = left_of(run);
        if left.is_empty() {
            return;
        }
        assert!(Duration::from_nanos(mono_ns() - began) < PATIENCE, "{run}: {left:#?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[track_caller]
fn interrupted(server: &Server, run: &str) -> Value {
    let held = server.ended(run);
    assert_eq!(held["outcome"], "interrupted", "{held}");
    let record = server.get(&format!("/runs/{run}/files/record.json"));
    assert_eq!(record.status, 200, "a run keeps its record, whatever ended it");
    assert_eq!(record.json()["interrupted"], true);
    let report = server.get(&format!("/runs/{run}/report"));
    assert_eq!(report.header("content-type"), Some("text/html; charset=utf-8"));
    nothing_left(run);
    held
}

/// The processes of a run that are not containers: its controller, and the guard beside it.
fn processes_of(run: &str) -> Vec<u32> {
    let folders = std::fs::read_dir("/proc").expect("it is there").flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let is_its = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1).is_some_and(|word| [b"run".as_slice(), b"guard"].contains(word)) && words.contains(&run.as_bytes())
    };
    pids.filter(is_its).collect()
}

#[test]
fn a_server_that_is_killed_in_the_middle_finds_its_run_interrupted_and_healed() {
    let Some(_machine) = machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(out.path(), &[]);
    let run = server.begin("minimal", "docker");
    await_phase(&server, &run, "outage");
    kill(server);
    // Started again at once, while the run still heals itself.
    let server = Server::start(out.path(), &[]);
    interrupted(&server, &run);
    assert_eq!(server.get("/api/status").json()["state"], "waiting", "and goes on");
}

/// All processes but the engine's own are gone at once: what is left heals itself, and the record is made of the events.
#[test]
fn a_machine_that_loses_power_in_the_middle_loses_no_record() {
    let Some(_machine) = machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(out.path(), &[]);
    let run = server.begin("minimal", "docker");
    await_phase(&server, &run, "outage");
    let mut processes = processes_of(&run);
    assert!(!processes.is_empty(), "the run has a process of its own");
    processes.push(server.pid());
    for pid in processes {
        // The tie may have ended it already.
        let _gone = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status();
    }
    drop(server);
    let server = Server::start(out.path(), &[]);
    let held = interrupted(&server, &run);
    assert!(held["why"].as_str().is_some_and(|why| !why.is_empty()), "{held}");
    let events = server.get(&format!("/runs/{run}/files/events.jsonl")).body;
    assert!(reports::journal::read(&events).expect("it is read").torn.is_none());
}

#[test]
fn a_halt_in_the_middle_heals_and_is_told() {
    let Some(_machine) = machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(out.path(), &[]);
    let run = server.begin("minimal", "docker");
    await_phase(&server, &run, "outage");
    assert_eq!(server.post("/api/halt", "").status, 200);
    assert_eq!(interrupted(&server, &run)["why"], "halted by operator");
    let (status, said) = server.end();
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn a_condition_that_turns_bad_ends_the_run() {
    let Some(_machine) = machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let (shop, bad) = shop();
    let schedule = out.path().join("schedule.toml");
    let text = format!("[[conditions]]\nname = 'shop'\nhttp = '{shop}'\nevery = '1s'\n");
    std::fs::write(&schedule, text).expect("a file can be written");
    let server = Server::start(out.path(), &[schedule.to_str().expect("UTF-8")]);
    let run = server.begin("minimal", "docker");
    await_phase(&server, &run, "outage");
    bad.store(true, Ordering::Relaxed);
    let held = interrupted(&server, &run);
    assert!(held["why"].as_str().is_some_and(|why| why.contains("`shop` is not well")), "{held}");
}

/// Somebody's own health check, until it is told to be bad.
fn shop() -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let bad = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&bad);
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut head = [0; 1024];
            let _gone = socket.read(&mut head);
            let status = if told.load(Ordering::Relaxed) { "503 Service Unavailable" } else { "200 OK" };
            let _gone = socket
                .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
        }
    });
    (address, bad)
}

/// The engine's socket takes what it is sent and answers nothing for a while: nobody may wait for ever, and what was begun
/// is healed when it is back.
#[test]
fn an_engine_that_hangs_in_the_middle_ends_in_a_verdict_or_interrupted_and_healed() {
    let Some(_machine) = machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let (address, hangs) = hanging_engine(out.path());
    let server = Server::start_with(out.path(), &[], &[("DOCKER_HOST", &address)]);
    let run = server.begin("minimal", "docker");
    await_phase(&server, &run, "outage");
    hangs.store(true, Ordering::Relaxed);
    // The fault's own length is over, the run wants the engine, and its hand has heard nothing for as long as it bears.
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(server.post("/api/halt", "").status, 200, "a server whose engine hangs answers");
    std::thread::sleep(Duration::from_secs(1));
    hangs.store(false, Ordering::Relaxed);
    let held = server.ended(&run);
    assert!(["inconclusive", "interrupted"].contains(&held["outcome"].as_str().unwrap_or_default()), "{held}");
    assert!(held["why"].as_str().is_some_and(|why| why.starts_with("halted by operator")), "{held}");
    assert_eq!(server.get(&format!("/runs/{run}/files/record.json")).status, 200);
    nothing_left(&run);
}

/// A socket in front of the engine's, and what makes it hang.
fn hanging_engine(folder: &Path) -> (String, Arc<AtomicBool>) {
    let path = folder.join("engine.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let hangs = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&hangs);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let Ok(engine) = UnixStream::connect("/var/run/docker.sock") else { return };
            for (from, to) in [(&socket, &engine), (&engine, &socket)] {
                let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
                let told = Arc::clone(&told);
                std::thread::spawn(move || pass_on(from, to, &told));
            }
        }
    });
    (format!("unix://{}", path.display()), hangs)
}

fn pass_on(mut from: UnixStream, mut to: UnixStream, hangs: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        while hangs.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn an_engine_that_is_stopped_and_started_in_the_middle_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    let mut engine = OwnEngine::start();
    let out = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start_with(out.path(), &[], &[("DOCKER_HOST", &engine.address())]);
    let run = server.begin("minimal", "docker");
    await_phase(&server, &run, "outage");
    engine.stop();
    assert_eq!(server.get("/api/status").json()["run"], run.as_str(), "it is not over while nobody knows what is left");
    engine.go_on();
    let held = server.ended(&run);
    assert!(["inconclusive", "interrupted"].contains(&held["outcome"].as_str().unwrap_or_default()), "{held}");
    assert_eq!(server.get(&format!("/runs/{run}/files/record.json")).status, 200);
    nothing_left(&run);
    // Its images and networks have names of their own; of containers and volumes there was none before.
    for kind in [["ps", "-aq"], ["volume", "ls"], ["network", "ls"], ["images", "-a"]] {
        let left = engine.docker(&kind).expect("it answers");
        assert!(!left.contains("blackstart"), "{kind:?}: {left}");
    }
    assert_eq!(engine.docker(&["ps", "-aq"]).as_deref(), Some(""));
}

/// A disk of a few megabytes, for as long as it is held.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).status();
        assert!(mounted.is_ok_and(|status| status.success()), "a disk of its own can be mounted");
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_new_runs_and_keeps_what_there_is() {
    let Some(_machine) = machine() else { return };
    let disk = SmallDisk::new();
    let server = Server::start(disk.0.path(), &[]);
    let refused = server.ended(&server.begin("minimal", "sim"));
    assert_eq!(refused["outcome"], "refused");
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("are free where runs are kept")), "{refused}");
    let filler = disk.0.path().join("filler");
    let mut file = std::fs::File::create(&filler).expect("there is room for a name");
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    // The page of memory that the ledger ends in may have room for some more lines.
    until("an entry that the disk does not take", || {
        server.post("/api/halt", "");
        server.post("/api/resume", "");
        server.get("/api/status").json()["unwritten"].as_u64().filter(|waiting| *waiting > 0)
    });
    assert_eq!(server.post("/api/halt", "").status, 200, "it still answers");
    kill(server);
    let server = Server::start(disk.0.path(), &[]);
    assert_eq!(server.get("/healthz").status, 200, "it comes up on a full disk too");
    until("an entry that the disk does not take", || {
        server.post("/api/resume", "");
        server.post("/api/halt", "");
        server.get("/api/status").json()["unwritten"].as_u64().filter(|waiting| *waiting > 0)
    });
    std::fs::remove_file(&filler).expect("it can be removed");
    until("the ledger's way to the disk", || (server.get("/api/status").json()["unwritten"] == 0).then_some(()));
    kill(server);
    let server = Server::start(disk.0.path(), &[]);
    assert_eq!(server.get("/api/status").json()["halt"]["by"], "operator", "what waited is on the disk");
    assert_eq!(server.run(refused["run"].as_str().expect("an id")).expect("it is kept")["outcome"], "refused");
}
