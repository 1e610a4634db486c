//! Owns the claim that a game day can be begun, watched and halted on the server's pages: in a real browser, on a real
//! engine, by pointer and by keys alone; `serve.py` says what is wrong. Refuses to know how the pages are made.

use crate::server::Server;
use std::path::Path;
use std::process::Command;

/// Whether there is an engine to hold a game day on.
fn has_engine() -> bool {
    let engine = std::process::Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    let there = engine.is_ok_and(|output| output.status.success());
    let required = std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_some_and(|value| value == "1");
    assert!(there || !required, "BLACKSTART_REQUIRE_DOCKER is set, and no engine answers");
    there
}

#[test]
fn a_game_day_is_begun_watched_and_halted_by_clicks_and_by_keys_alone() {
    let Some(tools) = crate::tools("serve") else { return };
    if !has_engine() {
        eprintln!("NOT RUN: browser test `serve`: no container engine answers");
        return;
    }
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made");
    let server = Server::start(out.path(), &["--private"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/serve.py");
    let mut command = Command::new(&tools.python);
    // The token is in the environment: a list of processes must not show it.
    command.arg(&script).arg(&server.address).env("BLACKSTART_TOKEN", server.token("run"));
    command.env("BLACKSTART_CHROMIUM", &tools.chromium);
    let output = command.output().expect("Python was there a moment ago");
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{told}");
    let (status, said) = server.end();
    assert_eq!(status, Some(0), "{said}");
}
