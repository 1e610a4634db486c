//! Owns the claims about the command line: errors that say what, where and what to do, and documented exit statuses.
//! Refuses to start containers; engines that fail are played by the test.

use assert_cmd::Command;
use std::io::{Read, Write};
use std::path::Path;

fn blackstart(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("blackstart").expect("the executable was built");
    command.args(arguments).env_remove("DOCKER_HOST").env("NO_COLOR", "1");
    command
}

/// Runs and returns exit status, standard output, standard error.
#[track_caller]
fn outcome(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("it can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}

/// A file with this content is refused by `check` and by `run` alike: exit 64 and every one of the words.
#[track_caller]
fn refused(content: &[u8], words: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("day.toml");
    std::fs::write(&path, content).expect("a file can be written");
    let path = path.to_str().expect("a path of ours is UTF-8");
    for arguments in [["check", path].as_slice(), ["run", path].as_slice(), ["plan", path].as_slice()] {
        let (status, out, err) = outcome(&mut blackstart(arguments));
        assert_eq!(status, 64, "{arguments:?}: {err}");
        assert_eq!(out, "", "nothing is on standard output");
        for word in words {
            assert!(err.contains(word), "{arguments:?}: {word:?} is missing in:\n{err}");
        }
    }
}

const DAY: &str = "name = 'day'\ntopology = 'us-test-1'\ngraph = 'minimal'\n";
const FAULT: &str = "[[faults]]\nname = 'dark'\nlasts = '5s'\npower-off = { zones = ['az1'] }\n";

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    refused(format!("{DAY}colour = 'red'\n{FAULT}").as_bytes(), &["unknown", "colour", "day.toml:4:1"]);
}

#[test]
fn a_zone_that_does_not_exist_is_refused() {
    refused(format!("{DAY}{}", FAULT.replace("az1", "az9")).as_bytes(), &["az9", "day.toml:7"]);
}

#[test]
fn a_duration_without_unit_or_below_zero_is_refused() {
    refused(format!("{DAY}{}", FAULT.replace("5s", "5")).as_bytes(), &["lasts", "250ms", "day.toml:6"]);
    refused(format!("{DAY}{}", FAULT.replace("5s", "-5s")).as_bytes(), &["-5s"]);
}

#[test]
fn several_problems_are_told_at_once() {
    let text = format!("{DAY}colour = 'red'\nshape = 'round'\n{}", FAULT.replace("5s", "5"));
    refused(text.as_bytes(), &["colour", "shape", "lasts"]);
}

#[test]
fn what_is_no_text_or_empty_or_noise_is_refused() {
    refused(&[b'n', b'a', 0xff, 0xfe, b'\n'], &["UTF-8"]);
    refused(b"", &["empty"]);
    let noise: Vec<u8> = (0_u32..17 * 1024 * 1024).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    refused(&noise, &["16 MiB"]);
}

#[test]
fn a_missing_file_and_an_unknown_name_are_refused_with_what_there_is() {
    for name in ["no-such-file.toml", "./nowhere/day.toml"] {
        let (status, _, err) = outcome(&mut blackstart(&["check", name]));
        assert_eq!(status, 64);
        assert!(err.contains("cannot be read") && err.contains(name), "{err}");
    }
    let (status, _, err) = outcome(&mut blackstart(&["run", "minimall"]));
    assert_eq!(status, 64);
    assert!(err.contains("did you mean `minimal`") && err.contains("`blackstart list`"), "{err}");
}

/// A scenario that is named from the folder it lies in finds the graph that lies beside it, as from anywhere else.
#[test]
fn a_scenario_in_the_current_folder_finds_its_graph() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file can be written");
    write("day.toml", &format!("{}{FAULT}", DAY.replace("'minimal'", "'own'")));
    let (status, _, err) = outcome(blackstart(&["check", "day.toml"]).current_dir(&folder));
    assert_eq!(status, 64);
    assert!(err.contains("no built-in graph `own`, and no own.toml here"), "{err}");
    let graph = fixtures::builtin::graph("minimal").expect("it is built in").text;
    write("own.toml", &graph.replace("name = \"minimal\"", "name = \"own\""));
    let (status, _, err) = outcome(blackstart(&["check", "day.toml"]).current_dir(&folder));
    assert_eq!((status, err.as_str()), (0, ""));
}

/// The graph and topology problems of the issue, each through a scenario that names files beside it.
#[test]
fn problems_of_graph_and_topology_are_told_through_the_scenario() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it can be written");
    write("day.toml", &format!("{}{FAULT}", DAY.replace("us-test-1", "place").replace("minimal", "web")));
    write(
        "place.toml",
        "name = 'place'\npartition = 'test'\n[[regions]]\nname = 'r'\n[[regions.zones]]\nname = 'az1'\n[[regions.zones]]\n\
         name = 'az2'\n[[regions.zones]]\nname = 'az3'\n[[regions.zones]]\nname = 'lz1'\nkind = 'local'\n",
    );
    write(
        "web.toml",
        "name = 'web'\nentry = { service = 'a' }\n[[services]]\nname = 'a'\nteam = 't'\n\
         needs = [{ kind = 'x', from = 'b' }]\n[[services.calls]]\nto = 'nobody'\n[[services]]\nname = 'b'\nteam = 't'\n\
         needs = [{ kind = 'y', from = 'a' }]\n",
    );
    let path = folder.path().join("day.toml");
    let (status, _, err) = outcome(&mut blackstart(&["check", path.to_str().expect("UTF-8")]));
    assert_eq!(status, 64);
    for word in ["`parent`", "nobody", "a needs b needs a", "place.toml:11", "web.toml:6"] {
        assert!(err.contains(word), "{word} is missing in:\n{err}");
    }
}

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    assert_eq!(outcome(&mut blackstart(&["run"])).0, 64);
    assert_eq!(outcome(&mut blackstart(&["frobnicate"])).0, 64);
    let (status, out, _) = outcome(&mut blackstart(&["--help"]));
    assert_eq!(status, 0);
    for word in ["run", "check", "plan", "clean", "130 interrupted"] {
        assert!(out.contains(word), "{word}");
    }
}

#[test]
fn everything_built_in_is_fine_and_planned_without_an_engine() {
    let (status, out, err) = outcome(&mut blackstart(&["check"]));
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    for scenario in scenarios::builtin::scenario_names() {
        let (status, out, _) = outcome(&mut blackstart(&["plan", scenario]));
        assert_eq!(status, 0);
        assert!(out.contains(" inject ") || out.contains(" power off "), "{scenario}: {out}");
    }
}

/// The region of three hundred services is committed as its command makes it.
#[test]
fn the_region_of_three_hundred_services_is_what_its_header_says_it_is_made_by() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let graph = read(&fixtures.join("graphs/run-instances-300.toml"));
    let line = graph.lines().find_map(|line| line.strip_prefix("# blackstart ")).expect("its header has the command");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().to_str().expect("UTF-8");
    let arguments: Vec<&str> = line.split(' ').chain(["--out", path]).collect();
    let (status, out, err) = outcome(&mut blackstart(&arguments));
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("300 services") && out.contains("900 instances on 45 hosts"), "{out}");
    for (made, committed) in [
        ("run-instances-300.toml", "graphs/run-instances-300.toml"),
        ("run-instances-300-zones.toml", "topologies/run-instances-300-zones.toml"),
        ("run-instances-300-labels.json", "labels/run-instances-300.json"),
    ] {
        assert!(read(&folder.path().join(made)) == read(&fixtures.join(committed)), "{committed} was made otherwise");
    }
}

/// What a search prints can be typed: the smallest case fails again, and its twin with only the culprit repaired is held.
#[test]
fn a_search_writes_a_case_that_fails_and_its_twin_that_is_held() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let search = ["explore", "github-2016", "--seeds", "4", "--cases", "1", "--out", "cases"];
    let (status, out, err) = outcome(blackstart(&search).current_dir(folder.path()));
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("confirmed: with only that repaired the same day is held"), "{out}");
    for (line, expected) in [("replay: blackstart ", 1), ("with only that repaired: blackstart ", 0)] {
        let told =
            out.lines().find_map(|told| told.trim().strip_prefix(line)).unwrap_or_else(|| panic!("{line}: {out}"));
        let arguments: Vec<&str> = told.split(' ').collect();
        let (status, out, err) = outcome(blackstart(&arguments).current_dir(folder.path()));
        assert_eq!(status, expected, "{told}\n{out}\n{err}");
    }
}

/// A bring-up in buckets is told where it is held, and left beside the record.
#[test]
fn a_bring_up_in_buckets_is_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let run = ["run", "batch-bring-up", "--world", "sim", "--seed", "7", "--quiet"];
    let (status, out, err) = outcome(blackstart(&run).current_dir(folder.path()));
    assert_eq!(status, 0, "{out}\n{err}");
    assert!(out.contains("bring-up in buckets\n  foundation: 9 launched, all of them active within "), "{out}");
    let runs = std::fs::read_dir(folder.path().join("reports/runs")).expect("a run was left");
    let left = runs.flatten().map(|run| run.path().join("bring-up.txt")).find(|story| story.is_file()).expect("one");
    let text = std::fs::read_to_string(left).expect("it is left");
    assert!(out.contains(text.trim()), "{text}");
}

/// The order of a bring-up is told of every graph, and a cycle is an answer with a status of its own.
#[test]
fn the_order_of_a_bring_up_is_told_from_the_graph_alone() {
    let (status, out, err) = outcome(&mut blackstart(&["check", "--order", "run-instances"]));
    assert_eq!((status, err.as_str()), (0, ""));
    for line in [
        "start-up cycles: none",
        "  names (needed by 23): starts by itself",
        "  1. foundation (3): names, certificates, credentials",
        "  3. api (2): telemetry, api",
    ] {
        assert!(out.lines().any(|told| told == line), "{line:?} is missing in:\n{out}");
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().to_str().expect("UTF-8");
    let made = ["generate", "--services", "40", "--startup-cycle", "--out", path, "--name", "knot"];
    assert_eq!(outcome(&mut blackstart(&made)).0, 0);
    let (status, out, _) = outcome(&mut blackstart(&["check", "--order", &format!("{path}/knot.toml")]));
    assert_eq!(status, 1);
    assert!(out.contains("  credentials needs store-0 needs credentials"), "{out}");
    assert!(out.contains("  credentials (needed by 37): has to come from outside"), "{out}");
    let (status, _, err) = outcome(&mut blackstart(&["check", "--order", "run-instancesss"]));
    assert_eq!(status, 64);
    assert!(err.contains("did you mean `run-instances`"), "{err}");
}

#[test]
fn no_engine_is_2_with_what_to_do_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut command = blackstart(&["run", "minimal", "--world", "docker"]);
    let (status, out, err) =
        outcome(command.env("DOCKER_HOST", "unix:///nowhere/engine.sock").current_dir(folder.path()));
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("no container engine answers") && err.contains("DOCKER_HOST"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0, "nothing is left behind");
}

#[cfg(unix)]
#[test]
fn an_engine_without_permission_is_2_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("engine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket can be made");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let executable = assert_cmd::cargo::cargo_bin("blackstart");
    let mut command = std::process::Command::new(&executable);
    command.args(["run", "minimal"]).env("DOCKER_HOST", format!("unix://{}", path.display()));
    if is_root() {
        // Root may open any socket: somebody else has to try, and must be able to reach the executable.
        let copy = folder.path().join("blackstart");
        std::fs::copy(&executable, &copy).expect("it can be copied");
        command = std::process::Command::new(&copy);
        command.args(["run", "minimal"]).env("DOCKER_HOST", format!("unix://{}", path.display()));
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    } else {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("it is ours");
    }
    let output = command.current_dir("/").output().expect("it can be started");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("no permission") && err.contains("docker group") || err.contains("-aG docker"), "{err}");
}

#[cfg(unix)]
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_ascii_whitespace().nth(1) == Some("0"))
}

/// The first command of the readme does its job on a machine without an engine, and says how.
#[test]
fn without_an_engine_auto_simulates_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut command = blackstart(&["run", "github-2016", "minimal", "--seed", "7"]);
    let (status, out, err) =
        outcome(command.env("DOCKER_HOST", "unix:///nowhere/engine.sock").current_dir(folder.path()));
    assert_eq!(status, 1, "{err}");
    assert!(out.contains("world sim") && out.contains("session-cache"), "{out}");
    assert!(err.contains("no engine answers, so this is simulated"), "{err}");
    let entries = std::fs::read_dir(folder.path().join("reports/runs")).expect("runs were left").flatten();
    let folders = entries.filter(|entry| entry.path().is_dir()).count();
    assert_eq!(folders, 3, "two runs, and their result together");
}

/// An engine of another age, played by a listener that answers every request with the same version.
#[test]
fn an_engine_that_is_too_old_is_2_with_what_to_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _request = stream.read(&mut [0; 4096]);
            let body = r#"{"Version":"19.03.1","ApiVersion":"1.40"}"#;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
            let _sent = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
        }
    });
    let mut command = blackstart(&["run", "minimal", "--world", "docker"]);
    let (status, _, err) = outcome(command.env("DOCKER_HOST", format!("tcp://{address}")));
    assert_eq!(status, 2);
    assert!(err.contains("1.40") && err.contains("1.41") && err.contains("Upgrade"), "{err}");
}

#[test]
fn a_record_is_rendered_again_from_its_folder() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/samples");
    let samples = samples.to_str().expect("UTF-8");
    for (format, word) in [("table", "VIOLATED"), ("coe", "# "), ("junit", "<testsuites"), ("json", "\"schema\"")] {
        let (status, out, err) = outcome(&mut blackstart(&["report", samples, "--format", format]));
        assert_eq!(status, 0, "{err}");
        assert!(out.contains(word), "{format}: {out}");
    }
    let (status, _, err) = outcome(&mut blackstart(&["report", "/nowhere"]));
    assert_eq!(status, 2);
    assert!(err.contains("record.json"), "{err}");
}

#[test]
fn defects_of_another_kind_of_build_and_wrong_names_are_refused_at_once() {
    let arguments = ["build", "No Region", "--from", "9-old", "--graph", "run-instanecs", "--world", "docker"];
    let (status, out, err) = outcome(&mut blackstart(&arguments));
    assert_eq!((status, out.as_str()), (64, ""), "{err}");
    for word in ["No Region", "9-old", "run-instanecs", "run-instances"] {
        assert!(err.contains(word), "{word:?} is missing in:\n{err}");
    }
    for (arguments, word) in [
        (&["build", "us-test-1"][..], "is the bootstrap region"),
        (&["build", "us-test-7", "--defect", "two-zones-a-day"][..], "it is one of a zone"),
        (&["build", "us-test-1", "--zone", "az4", "--defect", "unasked"][..], "it is one of a region"),
        (&["build", "us-test-1", "--zone", "az4", "--defect", "backup:resident-data:store"][..], "`resident-data`"),
        (&["build", "us-test-7", "--defect", "pinned:quota:no-such"][..], "no service `no-such`"),
        (&["build", "us-test-7", "--take-up", "no-such-run"][..], "is no build that could be taken up"),
        (&["build", "us-test-1", "--zone", "az1"][..], "stands already"),
        (
            &["build", "us-test-1", "--zone", "lz1", "--parent", "az7"][..],
            "us-test-1-az1, us-test-1-az2, us-test-1-az3",
        ),
        (&["build", "us-test-1", "--zone", "No Zone"][..], "No Zone"),
        (&["build", "us-test-1", "--zone", "az4", "--from", "us-test-2"][..], "--from"),
        (&["build", "us-test-1", "--parent", "az1"][..], "--zone"),
    ] {
        let (status, out, err) = outcome(&mut blackstart(arguments));
        assert_eq!((status, out.as_str()), (64, ""), "{arguments:?}: {err}");
        assert!(err.contains(word), "{word:?} is missing for {arguments:?} in:\n{err}");
    }
}

#[test]
fn a_build_leaves_its_report_and_what_was_generated() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().to_str().expect("a path of ours is UTF-8");
    let (status, told, err) = outcome(&mut blackstart(&["build", "never-seen-5", "--seed", "3", "--out", out]));
    assert_eq!(status, 0, "{told}\n{err}");
    assert!(told.contains("open to customers") && told.contains("held"), "{told}");
    let entries = std::fs::read_dir(folder.path()).expect("it is there").flatten().map(|entry| entry.path());
    let run = entries.into_iter().find(|path| path.is_dir()).expect("one build");
    let trend = std::fs::read_to_string(folder.path().join("trend.md")).expect("what all builds say together");
    assert!(trend.contains("Met by 1 build, all there are."), "{trend}");
    let read = |name: &str| std::fs::read_to_string(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let events = reports::journal::read(&read("events.jsonl")).expect("it is whole").events;
    assert!(!reports::build::told(&events).phases.is_empty());
    assert!(harness::builder::ledger::Ledger::read(&read("ledger.jsonl")).expect("it is whole").ended.is_some());
    for (name, word) in [
        ("build.json", "\"verdict\": \"held\""),
        ("build.md", "Steps that needed a hand: **none**"),
        ("build.html", "<svg"),
        ("region/regional.json", "never-seen-5-az2"),
        ("region/README.md", "api.never-seen-5-az1.never-seen-5.blackstart.test"),
        ("region/services/table-store.md", "table-store"),
        ("region/blackstart-rules.yml", "README.md#"),
    ] {
        assert!(read(name).contains(word), "{word:?} is missing in {name}");
    }
}

#[test]
fn a_build_is_paused_taken_up_by_another_process_and_over_once() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().to_str().expect("a path of ours is UTF-8");
    let pause = ["build", "never-seen-6", "--seed", "3", "--out", out, "--pause-before", "access-list"];
    let (status, told, err) = outcome(&mut blackstart(&pause));
    assert_eq!(status, 3, "{told}\n{err}");
    let lines: Vec<&str> = err.lines().filter(|line| line.contains(" phase ")).collect();
    assert_eq!(lines.len(), 11, "a line at each border, where there is no terminal:\n{err}");
    assert!(lines[0].contains("phase 1 of 16: bootstrap network (0 of "), "{err}");
    let (_, run) = told.split_once("--take-up ").expect("how it goes on");
    let run = run.split_whitespace().next().expect("its id").to_owned();
    assert!(told.contains("paused before access list"), "{told}");
    // A process that was killed has left no more than what was asked for and its ledger, whose last line may be torn.
    let read = |run: &str, name: &str| std::fs::read_to_string(folder.path().join(run).join(name)).expect(name);
    let dead = folder.path().join("dead");
    std::fs::create_dir(&dead).expect("it can be made");
    let whole: String = read(&run, "ledger.jsonl").split_inclusive('\n').take(20).collect();
    std::fs::write(dead.join("ledger.jsonl"), whole.clone() + "{\"done\":{\"st").expect("it can be written");
    std::fs::write(dead.join("asked.json"), read(&run, "asked.json")).expect("it can be written");
    for (id, hands) in [(run.as_str(), "by hand, at border.refused: it was paused"), ("dead", "it was taken up after")]
    {
        let (status, told, err) =
            outcome(&mut blackstart(&["--quiet", "build", "never-seen-6", "--take-up", id, "--out", out]));
        assert_eq!((status, err.as_str()), (0, ""), "{told}");
        assert!(told.contains(hands) && told.contains("(team "), "{told}");
        assert!(read(id, "build.md").contains("Steps that needed a hand: **1 act**"), "{}", read(id, "build.md"));
        assert!(read(id, "build.json").contains("\"verdict\": \"held\""));
        let (status, out, err) = outcome(&mut blackstart(&["build", "never-seen-6", "--take-up", id, "--out", out]));
        assert_eq!((status, out.as_str()), (64, ""), "it is over: {err}");
    }
    assert!(read("dead", "ledger.jsonl").starts_with(&whole), "what was written stands");
    let ledger = |run: &str| harness::builder::ledger::Ledger::read(&read(run, "ledger.jsonl")).expect("it is whole");
    assert_eq!(ledger("dead").ended, ledger(&run).ended);
    assert!(ledger("dead").done.keys().eq(ledger(&run).done.keys()), "the same steps were done");
    for (arguments, word) in [
        (&["build", "never-seen-6", "--take-up", "nothing", "--out", out][..], "nothing is no build"),
        (&["build", "never-seen-7", "--take-up", "dead", "--out", out][..], "and not `never-seen-7`"),
        (&["build", "never-seen-6", "--take-up", "dead", "--seed", "4", "--out", out][..], "--seed"),
        (&["build", "never-seen-6", "--pause-before", "peering", "--out", out][..], "identity, control-plane, launch"),
        (&["build", "never-seen-6", "--pause-before", "lunch", "--out", out][..], "access-list"),
    ] {
        let (status, out, err) = outcome(&mut blackstart(arguments));
        assert_eq!((status, out.as_str()), (64, ""), "{arguments:?}: {err}");
        assert!(err.contains(word), "{word:?} is missing for {arguments:?} in:\n{err}");
    }
}
