//! Owns the claims about services that are real images where no engine is asked: the three systems can be read, virtual time
//! refuses them, and plays them as mock software where that is asked for.

use assert_cmd::Command;
use std::path::{Path, PathBuf};

fn systems() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systems")
}

/// The game days of the three systems.
fn days() -> Vec<PathBuf> {
    let files = std::fs::read_dir(systems()).expect("it is there").flatten().map(|entry| entry.path());
    let is_day = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "toml")
            && std::fs::read_to_string(path).expect("text").contains("[[faults]]")
    };
    files.filter(is_day).collect()
}

fn blackstart(arguments: &[&str]) -> std::process::Output {
    Command::cargo_bin("blackstart").expect("it is built").args(arguments).output().expect("it runs")
}

#[test]
fn every_system_passes_check() {
    let days = days();
    assert_eq!(days.len(), 12);
    for day in days {
        let ended = blackstart(&["check", &day.display().to_string()]);
        let told = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        assert!(!told.contains("error"), "{told}");
    }
}

#[test]
fn virtual_time_refuses_real_software_and_plays_its_shape_where_asked() {
    let day = systems().join("etcd-zone-dark.toml").display().to_string();
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().display().to_string();
    for command in [vec!["run", &day, "--world", "sim", "--out", &folder], vec!["explore", &day]] {
        let ended = blackstart(&command);
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(64), "{told}");
        assert!(told.contains("real images (db)") && told.contains("--mock"), "{told}");
    }
    let ended = blackstart(&["run", &day, "--world", "sim", "--mock", "--seed", "1", "--out", &folder]);
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stdout));
}

#[test]
fn a_file_that_a_graph_names_and_nobody_wrote_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["redis-always", "redis-always-black-start"] {
        let file = format!("{name}.toml");
        std::fs::copy(systems().join(&file), folder.path().join(&file)).expect("it is copied");
    }
    let day = folder.path().join("redis-always-black-start.toml").display().to_string();
    let ended = blackstart(&["run", &day, "--mock", "--world", "sim"]);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(64), "{told}");
    assert!(told.contains("redis.sh cannot be read") && told.contains("sentinel.sh cannot be read"), "{told}");
}
