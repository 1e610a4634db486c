//! Owns the claims about messages: signed so that others can verify it, tried again while that helps and no longer, never in
//! anybody's way, and silent about what is secret. Receivers are real sockets; refuses to trust our own signature: Python
//! verifies it.

use crate::prometheus::{has, record};
use harness::clock::Clock;
use harness::courier::attempt::Patience;
use harness::courier::{BODY_MAX, Courier, Letter, QUEUE_MAX, Receiver};
use harness::metrics::Metrics;
use harness::notify::{Settings, Webhook};
use harness::traces::{self, Traces};
use reports::notice::{FINDINGS_MAX, Notice, Span};
use reports::record::Record;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What a receiver does with one connection.
#[derive(Clone, Copy)]
enum Does {
    Answers(&'static str),
    NeverAnswers,
    Hangs(&'static str),
}

struct Request {
    head: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("{name} in {}", self.head))
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let request = Request { head: head.to_lowercase(), body: String::new() };
    let mut body = vec![0; request.header("content-length").trim().parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { body: String::from_utf8(body).ok()?, ..request })
}

/// Does each in turn, the last one for ever; tells what it was asked.
fn receiver(script: &'static [Does]) -> (SocketAddr, mpsc::Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let mut stream = stream;
            let Some(request) = read(&stream) else { continue };
            let does = script[number.min(script.len() - 1)];
            // Told before it is answered: who was answered knows that it was told. A test that has ended hears nothing.
            let _gone = tell.send(request);
            match does {
                Does::Answers(head) => {
                    let _gone = write!(stream, "HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                }
                Does::Hangs(part) => {
                    let _gone = stream.write_all(part.as_bytes());
                    hanging.push(stream);
                }
                Does::NeverAnswers => hanging.push(stream),
            }
        }
    });
    (address, told)
}

fn patience() -> Patience {
    let pause = Duration::from_millis(20);
    Patience {
        attempts: 3,
        pause,
        pause_max: Duration::from_millis(100),
        timeout: Duration::from_millis(400),
        ..Patience::USUAL
    }
}

fn secret(folder: &Path) -> PathBuf {
    let path = folder.join("secret");
    std::fs::write(&path, format!("{SECRET}\n")).expect("it can be written");
    path
}

fn notice() -> Notice {
    let day = record("github-2016");
    let (started, ended) = ("2026-11-30T01:00:00.000Z", "2026-11-30T01:01:00.000Z");
    let notice =
        Notice::of(&day, "violated", Span { started_utc: started, ended_utc: ended }).of_schedule(Some("nightly"));
    notice.with_report("https://blackstart.test/runs/1")
}

/// Sends one notice to this receiver and waits for the end of it; what the counts say: delivered, failed, dropped, retries.
fn sent(url: String, notice: &Notice, roots: Option<PathBuf>, patience: Patience) -> [f64; 4] {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let metrics = Arc::new(Metrics::new());
    let webhook = Webhook::start(Settings { url, secret: secret(folder.path()), roots, patience }, metrics.clone());
    let webhook = webhook.expect("it starts");
    webhook.notify(notice);
    webhook.finish(Duration::from_secs(30));
    counts(&metrics, "webhook")
}

fn counts(metrics: &Metrics, receiver: &str) -> [f64; 4] {
    let text = metrics.render();
    let value = |series: String| {
        let line = text.lines().find_map(|line| line.strip_prefix(&series)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("{series} in {text}"))
    };
    let of = |result| value(format!("blackstart_deliveries_total{{receiver=\"{receiver}\",result=\"{result}\"}}"));
    let retries = value(format!("blackstart_delivery_retries_total{{receiver=\"{receiver}\"}}"));
    [of("delivered"), of("failed"), of("dropped"), retries]
}

const VERIFY: &str = "
import hashlib, hmac, sys
parts = dict(part.split('=') for part in sys.argv[2].split(','))
wanted = hmac.new(sys.argv[1].encode(), parts['t'].encode() + b'.' + sys.stdin.buffer.read(), hashlib.sha256).hexdigest()
sys.exit(0 if hmac.compare_digest(wanted, parts['v1']) else 1)
";

/// Whether another implementation believes a signature.
fn verified(signature: &str, body: &str) -> bool {
    let mut child = Command::new("python3")
        .args(["-c", VERIFY, SECRET, signature])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it was there before");
    child.stdin.take().expect("it is piped").write_all(body.as_bytes()).expect("it reads");
    child.wait().expect("it ends").success()
}

#[test]
fn a_notice_arrives_signed_and_says_what_was_found() {
    let (address, told) = receiver(&[Does::Answers("204 No Content")]);
    assert_eq!(sent(format!("http://{address}/hook?key=1"), &notice(), None, patience()), [1.0, 0.0, 0.0, 0.0]);
    let request = told.recv().expect("it was asked");
    assert!(request.head.starts_with("post /hook?key=1 http/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("x-blackstart-delivery").len(), 32);
    let body: serde_json::Value = serde_json::from_str(&request.body).expect("it is JSON");
    let text = |key: &str| body[key].as_str().unwrap_or_else(|| panic!("{key} in {body}")).to_owned();
    assert_eq!(
        (body["schema"].as_u64(), text("scenario"), text("schedule")),
        (Some(1), "github-2016".into(), "nightly".into())
    );
    assert_eq!(
        (text("outcome"), body["fails"].as_bool(), text("ended_utc")),
        ("violated".into(), Some(true), "2026-11-30T01:01:00.000Z".into())
    );
    assert_eq!(text("report"), "https://blackstart.test/runs/1");
    let found = body["findings"][0].as_str().expect("there is one");
    assert!(found.starts_with("S5 app leans on cache (team application; suspected): `app` cannot start"), "{found}");
    if has("python3") {
        let signature = request.header("x-blackstart-signature");
        assert!(verified(signature, &request.body));
        assert!(!verified(signature, &request.body.replace("violated", "held")), "it signs the body");
        let (moment, tag) = signature.split_once(",v1=").expect("it has both");
        let second: i64 = moment.strip_prefix("t=").and_then(|second| second.parse().ok()).expect("it is a moment");
        assert!(!verified(&format!("t={},v1={tag}", second + 1), &request.body), "it signs the moment");
    }
}

#[test]
fn trouble_is_tried_again_with_the_same_id_until_it_is_over() {
    let (address, told) = receiver(&[Does::Answers("503 Busy"), Does::NeverAnswers, Does::Answers("200 OK")]);
    assert_eq!(sent(format!("http://{address}/"), &notice(), None, patience()), [1.0, 0.0, 0.0, 2.0]);
    let asked: Vec<Request> = told.try_iter().collect();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| request.body == asked[0].body));
    let id = asked[0].header("x-blackstart-delivery");
    assert!(asked.iter().all(|request| request.header("x-blackstart-delivery") == id));
}

#[test]
fn what_does_not_help_is_given_up() {
    for (answers, attempts) in [
        ("503 Busy", 3),
        ("429 Too Many\r\nretry-after: 9999", 3),
        ("401 Go away", 1),
        ("307 There\r\nlocation: http://127.0.0.1:1/", 1),
    ] {
        let script: &'static [Does] = Box::leak(Box::new([Does::Answers(answers)]));
        let (address, told) = receiver(script);
        let retries = f64::from(attempts - 1);
        assert_eq!(
            sent(format!("http://{address}/"), &notice(), None, patience()),
            [0.0, 1.0, 0.0, retries],
            "{answers}"
        );
        assert_eq!(told.try_iter().count(), usize::try_from(attempts).expect("it is small"), "{answers}");
    }
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    assert_eq!(sent(format!("http://{closed}/"), &notice(), None, patience()), [0.0, 1.0, 0.0, 2.0]);
}

#[test]
fn a_receiver_that_never_answers_or_never_ends_holds_nobody_up() {
    for does in [Does::NeverAnswers, Does::Hangs("HTTP/1.1 200 OK\r\nx-"), Does::Hangs("no HTTP at all\r\n\r\n")] {
        let script: &'static [Does] = Box::leak(Box::new([does]));
        let (address, _told) = receiver(script);
        let clock = Clock::start();
        assert_eq!(sent(format!("http://{address}/"), &notice(), None, patience()), [0.0, 1.0, 0.0, 2.0]);
        assert!(clock.now() < 10_000_000_000, "three attempts of 0.4 s each took {} ns", clock.now());
    }
    let (address, told) = receiver(&[Does::NeverAnswers]);
    let (metrics, clock) = (Arc::new(Metrics::new()), Clock::start());
    let long = Patience { timeout: Duration::from_secs(600), ..patience() };
    let receiver = Receiver {
        name: "webhook",
        url: format!("http://{address}/"),
        headers: vec![],
        secret: None,
        patience: long,
        roots: None,
    };
    let courier = Courier::start(receiver, metrics.clone()).expect("it starts");
    let letter = |number: usize| Letter { id: number.to_string(), body: "{}".to_owned() };
    courier.send(letter(0));
    // The thread has it, and is held up by it: the queue is empty again.
    told.recv().expect("it was asked");
    for number in 0..QUEUE_MAX + 5 {
        courier.send(letter(number));
    }
    courier.send(Letter { id: "large".to_owned(), body: " ".repeat(BODY_MAX + 1) });
    assert_eq!(counts(&metrics, "webhook"), [0.0, 0.0, 6.0, 0.0]);
    courier.finish(Duration::from_millis(1));
    assert!(clock.now() < 60_000_000_000, "nobody waits for a receiver");
}

#[test]
fn a_notice_is_short_whatever_was_found() {
    let mut day = record("github-2016");
    let one = day.findings[0].clone();
    let many = (0..500).map(|number| scenarios::judgement::Finding {
        text: format!("{number} {}", "é\n\u{202e}".repeat(10_000)),
        ..one.clone()
    });
    day.findings = many.collect();
    let span = Span { started_utc: "a", ended_utc: "b" };
    let notice = Notice::of(&day, "violated", span).because(&"why ".repeat(10_000));
    assert_eq!((notice.findings.len(), notice.findings_left_out), (FINDINGS_MAX, 500 - FINDINGS_MAX));
    let body = notice.to_json();
    assert!(body.len() < 64 << 10, "{}", body.len());
    assert!(body.is_ascii() || !body.contains('\u{202e}'));
    let refused = Notice::refused("minimal", "docker", "halted", "2026-11-30T01:00:00.000Z").to_json();
    assert!(refused.contains("\"outcome\":\"refused\"") && !refused.contains("\"run\""), "{refused}");
}

#[test]
fn nothing_secret_is_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let metrics = || Arc::new(Metrics::new());
    let file = |text: &str| {
        let path = folder.path().join("file");
        std::fs::write(&path, text).expect("it can be written");
        path
    };
    let start = |url: &str, secret: PathBuf| {
        let settings = Settings { url: url.to_owned(), secret, roots: None, patience: patience() };
        Webhook::start(settings, metrics()).map(|webhook| format!("{webhook:?}"))
    };
    let errors = [
        start("http://127.0.0.1:1/", file("T0K3N")).expect_err("it is too short"),
        start("http://127.0.0.1:1/", file(&"T0K3N".repeat(2000))).expect_err("it is too long"),
        start("http://127.0.0.1:1/", folder.path().join("nowhere")).expect_err("it is not there"),
        start("gopher://h/T0K3N", file(&"T0K3N".repeat(8))).expect_err("it is no address for it"),
        traced("http://127.0.0.1:1", &file("authorization T0K3N")).expect_err("it is no header"),
        traced("http://127.0.0.1:1", &file("authorization: T0K3N\u{1}")).expect_err("it is no header"),
    ];
    for error in errors {
        let told = format!("{error:#} {error:?}");
        assert!(!told.contains("T0K3N"), "{told}");
    }
    let shown = start("http://127.0.0.1:1/", file(&"T0K3N".repeat(8))).expect("it starts");
    assert!(!shown.contains("T0K3N"), "{shown}");
}

fn traced(endpoint: &str, headers: &Path) -> anyhow::Result<Traces> {
    let settings = traces::Settings {
        endpoint: endpoint.to_owned(),
        headers: Some(headers.to_owned()),
        roots: None,
        patience: patience(),
    };
    Traces::start(settings, Arc::new(Metrics::new()))
}

const HTTPS: &str = "
import hashlib, hmac, http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        parts = dict(part.split('=') for part in self.headers['X-Blackstart-Signature'].split(','))
        wanted = hmac.new(sys.argv[2].encode(), parts['t'].encode() + b'.' + body, hashlib.sha256).hexdigest()
        self.send_response(200 if hmac.compare_digest(wanted, parts['v1']) else 401)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '/cert.pem', sys.argv[1] + '/key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

/// A receiver in another language, with a certificate that only its file vouches for.
#[test]
fn https_is_for_those_whose_certificate_is_trusted() {
    if !has("python3") || !has("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let made = Command::new("openssl")
        .current_dir(folder.path())
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(' '))
        .args("-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE".split(' '))
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    let mut server = Command::new("python3")
        .args(["-c", HTTPS, folder.path().to_str().expect("a path of ours is UTF-8"), SECRET])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it was there before");
    let mut port = String::new();
    BufReader::new(server.stdout.take().expect("it is piped")).read_line(&mut port).expect("it says where it listens");
    let url = format!("https://localhost:{}/", port.trim());
    let slow = Patience { timeout: Duration::from_secs(10), ..patience() };
    let trusted = sent(url.clone(), &notice(), Some(folder.path().join("cert.pem")), slow.clone());
    let strange = sent(url, &notice(), None, slow);
    server.kill().expect("it is ours");
    server.wait().expect("it ends");
    assert_eq!((trusted, strange), ([1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 2.0]));
}

#[test]
fn a_trace_arrives_at_its_collector_with_its_headers() {
    let (address, told) = receiver(&[Does::Answers("200 OK")]);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "# of the collector\nX-Token: abc\n").expect("it can be written");
    let (day, events): (Record, _) = crate::prometheus::held("github-2016");
    let traces = traced(&format!("http://{address}/otlp/"), &headers).expect("it starts");
    traces.send(&day, &events);
    traces.finish(Duration::from_secs(30));
    let request = told.recv().expect("it was asked");
    assert!(request.head.starts_with("post /otlp/v1/traces http/1.1\r\n"), "{}", request.head);
    assert_eq!((request.header("content-type"), request.header("x-token")), ("application/json", "abc"));
    assert_eq!(request.body, reports::otlp::traces(&day, &events));
}
