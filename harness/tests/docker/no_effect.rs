//! Owns the claim that a fault without effect ends the run inconclusive, with its name and the reason: aimed at nothing,
//! undone by somebody, or not to be had here. For power that is `game_days.rs`'s dark host that somebody starts. Refuses
//! to look at faults that have their effect.

use crate::lab::{Ended, Running, beside_another, groups, left_of};
use agents::runtime::clock::mono_ns;
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const HEAD: &str = r#"
topology = "us-test-1"
graph = "minimal"

[windows]
baseline = "1s"
shift = "500ms"
recovery = "10s"
quiet = "1s"
"#;

/// Everything is done to hosts without power (or, of a boot, to hosts that keep theirs).
const AT_NOTHING: &[(&str, &str)] = &[
    ("stopped", "pause = { zones = [\"az1\"] }"),
    ("busy", "processor = { zones = [\"az1\"], left = \"20%\" }"),
    ("filled", "memory = { zones = [\"az1\"], fill = \"90%\" }"),
    ("slow", "disk-slow = { zones = [\"az1\"], delay = \"200ms\" }"),
    ("parted", "cut = { from = { zones = [\"az1\"] } }"),
    ("far", "link = { from = { zones = [\"az1\"] }, latency = \"50ms\" }"),
    ("gray", "gray-zone = { zone = \"az1\", loss = \"15%\" }"),
    ("sleepy", "boot = { zones = [\"az2\"], late = \"1s\" }"),
];
/// The same of what happens in one instant: just before the heal, so that it cuts no recovery.
const AT_NOTHING_ONCE: &[(&str, &str)] =
    &[("killed", "kill = { zones = [\"az1\"] }"), ("ended", "exit = { zones = [\"az1\"] }")];

fn scenario(folder: &Path, faults: &[String]) -> String {
    let path = folder.join("without-effect.toml");
    std::fs::write(&path, format!("name = \"without-effect\"{HEAD}{}", faults.concat())).expect("it can be written");
    path.to_string_lossy().into_owned()
}

fn fault(name: &str, kind: &str, times: &str) -> String {
    format!("\n[[faults]]\nname = \"{name}\"\n{kind}\n{times}\n")
}

/// Names of faults with the code that says that they had no effect; the run must say nothing else against itself.
fn told(ended: &Ended, names: &[&str]) -> BTreeMap<String, String> {
    let record = ended.record();
    assert_eq!(record.verdict, Verdict::Inconclusive, "{:?}", record.inconclusive);
    ended.expect_status(3);
    assert_eq!(record.residue, []);
    assert_eq!(left_of(&record.run), Vec::<String>::new());
    let of = |text: &str| names.iter().find(|name| text.contains(&format!("`{name}`"))).map(|name| (*name).to_owned());
    let named =
        record.inconclusive.iter().filter_map(|reason| Some((of(&reason.text)?, reason.code.clone()))).collect();
    eprintln!("{:#?}", record.inconclusive);
    named
}

#[test]
fn faults_aimed_at_nothing_are_each_named() {
    let Some(_machine) = beside_another() else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut faults = vec![fault("dark", "power-off = { zones = [\"az1\"] }", "lasts = \"6s\"")];
    faults.extend(AT_NOTHING.iter().map(|(name, kind)| fault(name, kind, "at = \"1s\"\nlasts = \"5s\"")));
    faults.extend(AT_NOTHING_ONCE.iter().map(|(name, kind)| fault(name, kind, "at = \"5999ms\"")));
    let ended = Running::start(&[&scenario(folder.path(), &faults)]).end();
    let names: Vec<&str> = AT_NOTHING.iter().chain(AT_NOTHING_ONCE).map(|(name, _)| *name).collect();
    let wanted = names.iter().map(|name| ((*name).to_owned(), "fault-without-effect".to_owned())).collect();
    assert_eq!(told(&ended, &names), wanted);
}

/// Faults that somebody undoes while they last, and how.
const UNDONE: &[(&str, &str)] = &[
    ("stopped", "pause = { zones = [\"az2\"] }"),
    ("busy", "processor = { zones = [\"az1\"], left = \"50%\" }"),
    ("filled", "memory = { zones = [\"az1\"], fill = \"80%\" }"),
    ("full", "disk-full = { zones = [\"az1\"] }"),
    ("parted", "cut = { from = { zones = [\"az3\"] }, to = { zones = [\"az1\"] } }"),
];

#[test]
fn faults_that_somebody_undoes_have_ended_early() {
    let Some(_machine) = beside_another() else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let faults: Vec<String> = UNDONE.iter().map(|(name, kind)| fault(name, kind, "lasts = \"12s\"")).collect();
    let mut running = Running::start(&[&scenario(folder.path(), &faults)]);
    running.await_phase("outage");
    let run = running.run_id();
    // What was undone before anybody saw it would never have had an effect.
    await_and_undo("the effect of every fault", || UNDONE.iter().all(|(name, _)| was_seen(&running, name)));
    let short = run.rsplit('-').next().expect("an id");
    for (what, undo) in [
        ("the pause", thaw as fn(&str) -> bool),
        ("what burns the processor", |short| kill_helpers(short, "burn")),
        ("what fills the memory", |short| kill_helpers(short, "hog")),
        ("the file that fills the disk", remove_filler),
        ("the rules of the cut", flush_cut),
    ] {
        await_and_undo(what, || undo(short));
    }
    let ended = running.end();
    let names: Vec<&str> = UNDONE.iter().map(|(name, _)| *name).collect();
    let wanted = names.iter().map(|name| ((*name).to_owned(), "fault-ended-early".to_owned())).collect();
    assert_eq!(told(&ended, &names), wanted);
}

/// Whether a look has found a fault in force.
fn was_seen(running: &Running, fault: &str) -> bool {
    let mut entries = std::fs::read_dir(running.out.path()).into_iter().flatten().flatten();
    let folder = entries.find(|entry| entry.path().is_dir());
    let text = folder.and_then(|folder| std::fs::read_to_string(folder.path().join("events.jsonl")).ok());
    let (name, holds) = (format!("\"fault\":\"{fault}\""), "\"holds\":true");
    text.unwrap_or_default().lines().any(|line| line.contains(&name) && line.contains(holds))
}

/// Tries until it succeeds.
fn await_and_undo(what: &str, undo: impl Fn() -> bool) {
    let began = mono_ns();
    while !undo() {
        assert!(Duration::from_nanos(mono_ns() - began) < Duration::from_secs(10), "{what} is nowhere");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn thaw(short: &str) -> bool {
    let mut thawed = false;
    for group in groups(short) {
        for (file, on, off) in [("freezer.state", "FROZEN", "THAWED"), ("cgroup.freeze", "1", "0")] {
            let file = group.join(file);
            if std::fs::read_to_string(&file).is_ok_and(|text| text.trim() == on) {
                thawed |= std::fs::write(&file, off).is_ok();
            }
        }
    }
    thawed
}

/// Processes of the run, with their arguments.
fn processes(short: &str) -> Vec<(u32, String)> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let read = |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let ours = pids.filter(|pid| read(*pid, "cgroup").contains(short));
    ours.map(|pid| (pid, read(pid, "cmdline").replace('\0', " "))).collect()
}

fn kill_helpers(short: &str, word: &str) -> bool {
    let helpers: Vec<String> = processes(short)
        .into_iter()
        .filter(|(_, arguments)| arguments.split(' ').any(|argument| argument == word))
        .map(|(pid, _)| pid.to_string())
        .collect();
    !helpers.is_empty()
        && Command::new("kill").args(["-s", "KILL"]).args(&helpers).status().is_ok_and(|done| done.success())
}

/// Through the eyes of a host: the disk is mounted there.
fn remove_filler(short: &str) -> bool {
    let pids: BTreeSet<u32> = processes(short).into_iter().map(|(pid, _)| pid).collect();
    pids.iter().any(|pid| std::fs::remove_file(format!("/proc/{pid}/root/state/.blackstart-full")).is_ok())
}

fn flush_cut(short: &str) -> bool {
    let listing = Command::new("iptables").args(["-w", "-S"]).output().expect("iptables is there");
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    let chain = format!("-A BSF-{short}-");
    let chains: BTreeSet<&str> = listing
        .lines()
        .filter(|line| line.starts_with(&chain) && line.ends_with("-j DROP"))
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    let flush =
        |chain: &&str| Command::new("iptables").args(["-w", "-F", chain]).status().is_ok_and(|done| done.success());
    !chains.is_empty() && chains.iter().all(flush)
}

/// Faults that nobody may do here have no effect: the run says so, and judges nothing.
#[test]
fn faults_that_cannot_be_had_end_the_run_inconclusive_with_the_reason() {
    let Some(_machine) = beside_another() else { return };
    let ended = Running::start(&["network-cut", "--no-rights"]).end();
    ended.expect_status(3);
    let record = ended.record();
    assert_eq!(record.inconclusive.len(), 1);
    assert_eq!(record.inconclusive[0].code, "fault-without-effect");
    assert!(record.inconclusive[0].text.contains("no rights"), "{}", record.inconclusive[0].text);
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}
