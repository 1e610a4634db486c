//! Owns the house rules that a program can check. All breaches are told at once, each with its remedy. Refuses to fix
//! anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const PURE: [&str; 3] = ["fixtures", "scenarios", "reports"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file of the five crates: its path from the root, and its text.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for name in ["fixtures", "scenarios", "reports", "agents", "harness"] {
        walk(&root().join(name), &mut files);
    }
    let relative = |path: &PathBuf| path.strip_prefix(root()).expect("it is below").to_string_lossy().into_owned();
    files.iter().map(|path| (relative(path), std::fs::read_to_string(path).expect("it is text"))).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breach(es):\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
fn every_file_is_short_and_opens_with_what_it_owns() {
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            breaches.push(format!("{path}: open it with `//!`: what it owns and what it refuses to know"));
        }
        if text.lines().count() > FILE_LINES_MAX {
            breaches.push(format!("{path}: more than {FILE_LINES_MAX} lines: split it by what it owns"));
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        if ["util.rs", "utils.rs", "misc.rs", "common.rs", "helpers.rs"].contains(&name) {
            breaches.push(format!("{path}: name it after what is in it"));
        }
    }
    none(&breaches);
}

/// Functions as rustfmt lays them out: from a line with `fn` to the closing brace at the same depth.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let starts = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "pub(super) async fn ",
        ];
        if !starts.iter().any(|word| body.starts_with(word)) {
            continue;
        }
        let indent = " ".repeat(line.len() - body.len());
        let end = lines[start..].iter().position(|line| *line == format!("{indent}}}"));
        if let Some(length) = end.filter(|_| !body.trim_end().ends_with(';')) {
            found.push((body.to_owned(), length + 1));
        }
    }
    found
}

#[test]
fn functions_are_short() {
    assert_eq!(functions("fn a() {\n    b();\n}\n"), [("fn a() {".to_owned(), 3)]);
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        let long = functions(&text).into_iter().filter(|(_, length)| *length > FUNCTION_LINES_MAX);
        breaches.extend(long.map(|(name, length)| format!("{path}: {length} lines: {name}: split it")));
    }
    none(&breaches);
}

#[test]
fn nothing_is_left_unfinished() {
    // Spelt in halves, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("#[ig", "nore"),
    ];
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        for word in words.iter().filter(|word| text.contains(*word)) {
            breaches.push(format!("{path}: `{word}`: finish it, or say so on an issue"));
        }
        let prints = text.contains(concat!("println", "!(")) && !text.contains(concat!("eprintln", "!("));
        if prints && path.contains("/src/") {
            breaches.push(format!("{path}: results are printed by commands::print"));
        }
    }
    none(&breaches);
}

#[test]
fn the_engine_is_named_in_one_module_and_time_comes_through_one_door() {
    let mut breaches = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| path.contains("/src/")) {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let names = |word: &str| code.iter().any(|line| line.contains(word));
        // The module, with its submodules.
        if names("bollard") && !path.starts_with("harness/src/world/docker/engine") {
            breaches.push(format!("{path}: only world/docker/engine.rs names bollard"));
        }
        let pure = PURE.iter().any(|name| path.starts_with(name));
        for word in ["std::fs", "std::net", "tokio", "Instant::now", "SystemTime"] {
            if pure && names(word) {
                breaches.push(format!("{path}: `{word}`: this crate opens nothing and knows no clock"));
            }
        }
        let sans_io = path.starts_with("agents/src/machine")
            || path.starts_with("agents/src/consensus")
            || path.starts_with("agents/src/canary")
            || path.starts_with("agents/src/commons")
            || path.starts_with("harness/src/controller");
        for word in ["tokio", "std::fs", "Instant", "mono_ns", "std::thread"] {
            if sans_io && names(word) {
                breaches.push(format!("{path}: `{word}`: sans-IO machines are handed time and bytes"));
            }
        }
    }
    none(&breaches);
}

/// Names of the dependencies in one section of a manifest.
fn dependencies(manifest: &str, section: &str) -> BTreeSet<String> {
    let body = manifest.split(&format!("[{section}]\n")).nth(1).unwrap_or_default();
    let lines = body.lines().take_while(|line| !line.starts_with('['));
    let name = |line: &str| line.split(['=', '.', ' ']).next().unwrap_or_default().to_owned();
    lines.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())).map(name).collect()
}

#[test]
fn crates_depend_one_way_and_pure_ones_stay_pure() {
    let allowed: [(&str, &[&str]); 4] = [
        ("fixtures", &[]),
        ("scenarios", &["fixtures"]),
        ("reports", &["fixtures", "scenarios"]),
        ("agents", &["fixtures"]),
    ];
    let mut breaches = Vec::new();
    for (name, edges) in allowed {
        let found = dependencies(&read(&format!("{name}/Cargo.toml")), "dependencies");
        assert!(!found.is_empty(), "{name}: the manifest was not understood");
        for other in ["fixtures", "scenarios", "reports", "agents", "blackstart"] {
            if found.contains(other) && !edges.contains(&other) {
                breaches.push(format!("{name} depends on {other}: the chain goes one way"));
            }
        }
        for word in ["tokio", "bollard", "hyper", "rustix"] {
            if PURE.contains(&name) && found.contains(word) {
                breaches.push(format!("{name} depends on {word}: it is pure"));
            }
        }
    }
    none(&breaches);
}

#[test]
fn banned_crates_are_not_in_the_lock_file() {
    let lock = read("Cargo.lock");
    let banned = ["aws-lc-sys", "openssl-sys", "serde_yaml", "madsim"];
    let found = banned.iter().filter(|name| lock.contains(&format!("name = \"{name}\"\n")));
    none(&found.map(|name| format!("{name}: deny.toml says why not")).collect::<Vec<_>>());
}

#[test]
fn the_readme_tells_every_command_and_exit_status_and_its_scenario_loads() {
    let (readme, cli) = (read("README.md"), read("harness/src/cli.rs"));
    let commands = cli.split("pub enum Command {").nth(1).expect("it is there").split("\n}").next().expect("it ends");
    let mut breaches = Vec::new();
    for line in commands
        .lines()
        .filter(|line| line.starts_with("    ") && line.trim_start().starts_with(|c: char| c.is_ascii_uppercase()))
    {
        let name = line.trim().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        // `OpsReview` is typed `ops-review`.
        let word = |(at, c): (usize, char)| if at > 0 && c.is_uppercase() { format!("-{c}") } else { c.to_string() };
        let name = name.chars().enumerate().map(word).collect::<String>().to_lowercase();
        if !readme.contains(&format!("blackstart {name}")) {
            breaches.push(format!("README.md does not tell of `blackstart {name}`"));
        }
    }
    for status in ["0", "1", "2", "3", "64", "130"] {
        if !readme.contains(&format!("| {status} |")) {
            breaches.push(format!("README.md does not tell exit status {status}"));
        }
    }
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for text in blocks {
        let source = fixtures::diagnostic::Source { name: "README.md".to_owned(), text: text.to_owned() };
        if let Err(errors) = scenarios::load::load_scenario(&source) {
            breaches.push(fixtures::diagnostic::render(&errors, &[source], false));
        }
    }
    none(&breaches);
}

#[test]
fn every_data_file_is_built_in() {
    let mut breaches = Vec::new();
    for (folder, table) in [
        ("fixtures/topologies", "fixtures/src/builtin.rs"),
        ("fixtures/graphs", "fixtures/src/builtin.rs"),
        ("scenarios/game-days", "scenarios/src/builtin.rs"),
    ] {
        let table_text = read(table);
        for entry in std::fs::read_dir(root().join(folder)).expect("it is there").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.trim_end_matches(".toml");
            if !table_text.contains(&format!("\"{stem}\"")) {
                breaches.push(format!("{folder}/{name} is not in {table}"));
            }
        }
    }
    none(&breaches);
}
