//! Claims about `blackstart serve` where no engine is needed: who may do what, what is left on the disk, how it ends.

use crate::server::{Server, command, until};
use axum::http::Method;
use harness::schedule::ledger::Entry;
use harness::schedule::moment::Moment;
use harness::serve::Folders;
use harness::serve::ledger_file::LedgerFile;
use harness::web::access::Needs;
use harness::web::routes::{BODY_MAX, ROUTES, Route};
use std::io::{Read, Write};
use std::net::TcpStream;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

/// A path that fits a route.
fn path_of(route: &Route) -> String {
    route.path.replace("{run}", "20261130T000000Z-abcdef").replace("{file}", "record.json")
}

#[test]
fn every_request_that_changes_anything_is_refused_unless_it_may() {
    let out = folder();
    let server = Server::start(out.path(), &[]);
    let (run, view) = (format!("Bearer {}", server.token("run")), format!("Bearer {}", server.token("view")));
    let cookie = log_in(&server);
    let own = server.address.clone();
    let changing: Vec<&Route> = ROUTES.iter().filter(|route| route.method == Method::POST).collect();
    assert!(changing.len() >= 5, "the table is walked");
    for route in &changing {
        let path = path_of(route);
        let ask = |headers: &[(&str, &str)], body: &[u8]| server.ask("POST", &path, headers, body).status;
        let json: &[u8] = br#"{"scenario":"minimal","world":"sim"}"#;
        let wrong = ["Bearer 00000000000000000000000000000000", "Bearer ", "Bearer", "Basic b3BlcmF0b3I6cnVu", ""];
        if route.needs == Needs::Run {
            assert_eq!(ask(&[], json), 403, "{path} without a token");
            assert_eq!(ask(&[("x-blackstart", "1")], json), 401, "{path} from our page, not logged in");
            assert_eq!(ask(&[("authorization", &view)], json), 403, "{path} with a token that may look");
            for token in wrong {
                assert!([401, 403].contains(&ask(&[("authorization", token)], json)), "{path} with {token:?}");
            }
            assert_eq!(ask(&[("cookie", &cookie)], json), 403, "{path} with a cookie alone");
        }
        for origin in ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1.evil.example"] {
            assert_eq!(ask(&[("authorization", &run), ("origin", origin)], json), 403, "{path} from {origin}");
            let page = [("cookie", cookie.as_str()), ("x-blackstart", "1"), ("origin", origin)];
            assert_eq!(ask(&page, json), 403, "{path} from {origin}");
        }
        assert_eq!(ask(&[("authorization", &run), ("host", "evil.example")], json), 421, "{path} by another name");
        malformed(&server, route, &[("authorization", &run), ("origin", &own)]);
    }
    let runs = server.get("/api/runs").json();
    assert_eq!((&runs["runs"], &runs["passed"]), (&serde_json::json!([]), &serde_json::json!([])), "nothing was begun");
    assert_eq!(server.get("/api/status").json()["halt"], serde_json::Value::Null, "nothing was halted");
}

/// The cookie of somebody who has logged in.
fn log_in(server: &Server) -> String {
    let body = format!(r#"{{"token":"{}"}}"#, server.token("run"));
    let answer = server.ask("POST", "/api/login", &[("x-blackstart", "1")], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a pair").to_owned()
}

/// Bodies of any size that are not what is wanted.
fn malformed(server: &Server, route: &Route, may: &[(&str, &str)]) {
    let deep = "[".repeat(BODY_MAX - 1);
    let long = format!(r#"{{"scenario":"{}"}}"#, "a".repeat(BODY_MAX - 64));
    let bodies: Vec<Vec<u8>> = [
        "{",
        "null",
        "[]",
        "\"minimal\"",
        r#"{"scenario":"minimal"}"#,
        r#"{"scenario":"../../etc/passwd","world":"sim"}"#,
        r#"{"scenario":"minimal","world":"mars"}"#,
        r#"{"scenario":"minimal","world":"sim","turn":-1}"#,
        r#"{"scenario":"minimal","world":"sim","colour":"red"}"#,
        r#"{"token":"no"}"#,
        &deep,
        &long,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([vec![0xFF, 0xFE, 0], vec![b' '; BODY_MAX - 1]])
    .collect();
    for body in bodies {
        let status = server.ask("POST", route.path, may, &body).status;
        assert!(
            [400, 401].contains(&status),
            "{}: {status} to {}",
            route.path,
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    for size in [BODY_MAX + 1, 1 << 20] {
        assert_eq!(too_large(server, route, may, size), 413, "{} with {size} bytes", route.path);
    }
}

/// A server that refuses a body without reading it may close while it is still sent: the answer is read all the same.
fn too_large(server: &Server, route: &Route, may: &[(&str, &str)], size: usize) -> u16 {
    let address = server.address.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).expect("it listens");
    let mut head =
        format!("POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {size}\r\nconnection: close\r\n", route.path);
    for (name, value) in may {
        head += &format!("{name}: {value}\r\n");
    }
    socket.write_all(format!("{head}\r\n").as_bytes()).expect("a head can be sent");
    let _refused = socket.write_all(&vec![b' '; size]);
    let mut answer = [0; 64];
    let read = socket.read(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

#[test]
fn every_answer_tells_browsers_to_load_nothing_from_elsewhere() {
    let out = folder();
    let server = Server::start(out.path(), &[]);
    for route in ROUTES.iter().filter(|route| route.method == Method::GET && !route.path.ends_with("/live")) {
        let answer = server.get(&path_of(route));
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{}", route.path));
        assert!(policy.starts_with("default-src 'none'"), "{}: {policy}", route.path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", route.path);
        assert!([200, 404].contains(&answer.status), "{}: {}", route.path, answer.status);
        if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            for word in ["style=", "onclick", "javascript:", "<style", "http://", "https://"] {
                assert!(!answer.body.contains(word), "{}: {word}", route.path);
            }
        }
    }
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.ask("DELETE", "/api/runs", &[], b"").status, 405);
    for path in
        ["/runs/..%2f..%2fetc/report", "/runs/20261130T000000Z-abcdef/files/..%2fserve%2ftokens", "/assets/..%2ftokens"]
    {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

#[test]
fn who_may_look_and_who_logs_in() {
    let out = folder();
    let server = Server::start(out.path(), &["--private"]);
    assert_eq!(server.get("/api/status").status, 401);
    assert_eq!(server.get("/healthz").status, 200);
    let page = server.ask("GET", "/", &[("accept", "text/html")], b"");
    assert_eq!((page.status, page.header("location")), (303, Some("/login")));
    let view = format!("Bearer {}", server.token("view"));
    assert_eq!(server.ask("GET", "/api/status", &[("authorization", &view)], b"").json()["may_run"], false);
    let mark = ("x-blackstart", "1");
    let wrong = server.ask("POST", "/api/login", &[mark], br#"{"token":"guessed-guessed-guessed-guessed"}"#);
    assert_eq!(wrong.status, 401);
    assert!(!wrong.body.contains("guessed"), "{}", wrong.body);
    let right =
        server.ask("POST", "/api/login", &[mark], format!(r#"{{"token":"{}"}}"#, server.token("run")).as_bytes());
    let cookie = right.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(&server.token("run")), "the token itself goes to nobody");
    let cookie = cookie.split(';').next().expect("a pair");
    let seen = server.ask("GET", "/api/status", &[("cookie", cookie)], b"").json();
    assert_eq!((&seen["who"], &seen["may_run"]), (&serde_json::json!("operator"), &serde_json::json!(true)));
    assert_eq!(server.ask("POST", "/api/logout", &[("cookie", cookie), mark], b"").status, 200);
    assert_eq!(server.ask("GET", "/api/status", &[("cookie", cookie)], b"").status, 401, "a session that has ended");
}

#[test]
fn a_run_that_is_asked_for_is_held_and_its_files_can_be_had() {
    let out = folder();
    let server = Server::start(out.path(), &[]);
    let run = server.begin("minimal", "sim");
    let held = server.ended(&run);
    assert_eq!((&held["outcome"], &held["by"]), (&serde_json::json!("held"), &serde_json::json!("operator")));
    let record = server.get(&format!("/runs/{run}/files/record.json")).json();
    assert_eq!((&record["run"], &record["seed"], &record["world"]), (&run.clone().into(), &7.into(), &"sim".into()));
    let report = server.get(&format!("/runs/{run}/report"));
    assert_eq!(report.status, 200);
    assert!(report.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
    let violated = server.begin("github-2016", "sim");
    assert_eq!(server.ended(&violated)["outcome"], "violated");
    // The same in the next zone.
    let turned = server.post("/api/runs", r#"{"scenario":"minimal","world":"sim","turn":1}"#).json();
    let turned = turned["run"].as_str().expect("an id").to_owned();
    assert_eq!(server.ended(&turned)["outcome"], "held");
    let replay = server.get(&format!("/runs/{turned}/files/record.json")).json()["replay"].to_string();
    assert!(replay.contains("--turn 1"), "{replay}");
    let (status, said) = server.end();
    assert_eq!(status, Some(0), "{said}");
    // What one server left the next one knows.
    let server = Server::start(out.path(), &[]);
    assert_eq!(server.run(&run).expect("it is known")["outcome"], "held");
    assert_eq!(server.get("/api/runs").json()["runs"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_schedule_is_kept_and_its_next_run_is_as_it_was_told() {
    let out = folder();
    let file = out.path().join("schedule.toml");
    let text = "[[schedules]]\nname = \"often\"\ncron = \"* * * * *\"\nworld = \"sim\"\nscenarios = [\"minimal\", \"github-2016\"]\n";
    std::fs::write(&file, text).expect("a file can be written");
    let server = Server::start(out.path(), &[file.to_str().expect("UTF-8")]);
    let ahead = server.get("/api/schedule?next=1").json()[0].clone();
    let first = until("the first run", || {
        let runs = server.get("/api/runs").json();
        runs["runs"].as_array().and_then(|runs| runs.last().cloned()).filter(|run| run["outcome"] != "pending")
    });
    // The minute may have turned before it was asked what is ahead.
    let told = until("the run that was told of", || {
        let runs = server.get("/api/runs").json();
        runs["runs"].as_array()?.iter().find(|run| run["slot"] == ahead["slot"]).cloned()
    });
    assert_eq!(told["choice"]["seed"], ahead["choice"]["seed"]);
    assert_eq!(first["choice"]["scenario"], "minimal");
    assert!(first["choice"]["why"].as_str().is_some_and(|why| why.contains("never held yet")), "{first}");
    let printed = command(&["schedule", file.to_str().expect("UTF-8"), "--next", "3", "--out"])
        .arg(out.path())
        .output()
        .expect("it ends");
    let printed = String::from_utf8(printed.stdout).expect("UTF-8");
    assert_eq!(printed.lines().count(), 4, "{printed}");
    assert!(printed.contains("`github-2016`") && printed.contains("often"), "{printed}");
}

#[test]
fn halt_is_one_command_and_outlives_the_server() {
    let out = folder();
    let server = Server::start(out.path(), &[]);
    let halt = |more: &[&str]| {
        let output = command(&["halt", "--out"]).arg(out.path()).args(more).output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (status, told) = halt(&[]);
    assert_eq!(status, Some(0), "{told}");
    let refused = server.post("/api/runs", r#"{"scenario":"minimal","world":"sim"}"#);
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("halted by operator"), "{}", refused.body);
    server.end();
    let (status, told) = halt(&[]);
    assert_eq!(status, Some(64), "{told}");
    let server = Server::start(out.path(), &[]);
    assert_eq!(server.get("/api/status").json()["halt"]["by"], "operator");
    let (status, told) = halt(&["--resume"]);
    assert_eq!(status, Some(0), "{told}");
    server.ended(&server.begin("minimal", "sim"));
}

#[test]
fn what_cannot_be_served_is_told_with_its_status() {
    let out = folder();
    let refused = |arguments: &[&str]| {
        let output = command(&["serve", "--out"]).arg(out.path()).args(arguments).output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, told) = refused(&["--listen", "0.0.0.0:0"]);
    assert_eq!(status, Some(64), "{told}");
    assert!(told.contains("--tokens"), "{told}");
    let schedule = out.path().join("schedule.toml");
    std::fs::write(&schedule, "[[schedules]]\nname = 'x'\ncron = '61 * * * *'\nscenarios = ['minimall']\n")
        .expect("writable");
    let (status, told) = refused(&[schedule.to_str().expect("UTF-8")]);
    assert_eq!(status, Some(64), "{told}");
    for word in ["no cron expression", "minimall", "schedule.toml:3", "schedule.toml:4"] {
        assert!(told.contains(word), "{word} in {told}");
    }
    let server = Server::start(out.path(), &[]);
    let (status, told) = refused(&["--listen", "127.0.0.1:0"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("another `blackstart serve`"), "{told}");
    drop(server);
    let tokens = out.path().join("serve/tokens");
    std::fs::set_permissions(&tokens, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("ours");
    let (status, told) = refused(&["--listen", "127.0.0.1:0"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("chmod 600"), "{told}");
}

#[test]
fn no_secret_is_in_a_log_a_record_or_the_list_of_processes() {
    let out = folder();
    let server = Server::start(out.path(), &[]);
    let secrets = [server.token("run"), server.token("view")];
    let run = server.begin("minimal", "sim");
    server.ended(&run);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", server.pid())).expect("it lives");
    let environment = std::fs::read(format!("/proc/{}/environ", server.pid())).expect("it lives");
    let mut texts = vec![arguments, environment];
    let mut folders = vec![out.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("it is there").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("serve/tokens") {
                texts.push(std::fs::read(path).expect("it can be read"));
            }
        }
    }
    assert!(texts.len() > 8, "there is something to look at");
    let (_, said) = server.end();
    texts.push(said.into_bytes());
    for text in &texts {
        let text = String::from_utf8_lossy(text);
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

/// A real collector scrapes a real server, evaluates the rules that are written for it, and tells of the run that broke.
#[test]
fn an_alert_fires_on_a_violated_run_of_a_server_that_prometheus_scrapes() {
    let out = folder();
    let server = Server::start(out.path(), &[]);
    let address = server.address.trim_start_matches("http://").parse().expect("an address");
    let Some(prometheus) = crate::prometheus::Prometheus::scraping(address, "/metrics") else { return };
    server.ended(&server.begin("minimal", "sim"));
    prometheus.expect(&[]);
    server.ended(&server.begin("github-2016", "sim"));
    prometheus.expect(&[("BlackstartRunViolated", "github-2016")]);
}

/// What `openssl` is told over TLS by a server with a certificate of its own.
#[test]
fn a_server_with_a_certificate_answers_by_tls_and_its_cookie_says_so() {
    if !crate::prometheus::has("openssl") {
        return;
    }
    let out = folder();
    let (certificate, key) = (out.path().join("certificate.pem"), out.path().join("key.pem"));
    let mut command = std::process::Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout"]).arg(&key);
    let made = command.arg("-out").arg(&certificate).output().expect("openssl was there a moment ago");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let server = Server::start(out.path(), &["--tls-certificate", &text(&certificate), "--tls-key", &text(&key)]);
    let address = server.address.strip_prefix("https://").expect("it says how it answers").to_owned();
    let body = format!(r#"{{"token":"{}"}}"#, server.token("run"));
    let request = format!(
        "POST /api/login HTTP/1.1\r\nhost: localhost\r\nx-blackstart: 1\r\norigin: https://localhost\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    let mut client = std::process::Command::new("openssl");
    client.args([
        "s_client",
        "-quiet",
        "-verify_return_error",
        "-verify_hostname",
        "localhost",
        "-connect",
        &address,
        "-CAfile",
    ]);
    let pipe = std::process::Stdio::piped;
    let mut client = client.arg(&certificate).stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn().expect("it is there");
    client.stdin.as_mut().expect("it is piped").write_all(request.as_bytes()).expect("it reads");
    let answer = String::from_utf8_lossy(&client.wait_with_output().expect("it ends").stdout).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("; Secure"), "{answer}");
    let mut plain = TcpStream::connect(&address).expect("it listens");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it can be sent");
    let mut told = Vec::new();
    let _reset = plain.read_to_end(&mut told);
    assert!(!told.starts_with(b"HTTP"), "nothing is answered in the clear");
}

#[test]
fn a_ledger_is_made_small_while_the_server_lives_and_says_the_same() {
    let out = folder();
    let folders = Folders::of(out.path());
    let (mut file, mut ledger) = LedgerFile::open(&folders).expect("a folder of ours");
    let at = Moment(1_800_000_000_000);
    let length = || std::fs::metadata(folders.ledger()).expect("it is there").len();
    for number in 0_u8..200 {
        // Long names, so that few entries are large.
        let by = format!("{number}").repeat(4_000);
        let entry = if number % 2 == 0 { Entry::Halted { by, at } } else { Entry::Resumed { by, at } };
        ledger.apply(&entry);
        file.write(entry).expect("there is room");
    }
    let before = length();
    file.make_small(&ledger).expect("there is room");
    assert!(before > 1 << 20 && length() < before / 10, "{before} and {}", length());
    let last = Entry::Halted { by: "ann".to_owned(), at };
    ledger.apply(&last);
    file.write(last).expect("there is room");
    assert!(LedgerFile::open(&folders).is_err(), "one server a folder");
    drop(file);
    assert_eq!(LedgerFile::open(&folders).expect("it is whole").1, ledger);
}
