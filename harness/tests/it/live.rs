//! Owns the claims about the live view: what is sent, to how many, to those who are slow, who come back and who come too
//! many; and `run --live` and `run --tui` as a person meets them. Refuses to look at the page: see `browser.rs`.

use harness::live::follow::{Source, Stage};
use harness::live::{Hub, Limits, Over, Runs, Viewer, follow, router, tune};
use reports::live::now::{Delta, How, Now};
use reports::live::page::Offer;
use reports::live::region::{About, Region};
use reports::live::{Picture, TIMELINE_MAX};
use scenarios::event::{By, Detail, Event, EventId, Life, Phase, Place};
use scenarios::judge::Case;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Patience with a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn region(run: &str) -> Region {
    let loaded = harness::load::scenario("minimal", false).expect("it is built in");
    let harness::load::Loaded { scenario, topology, graph, placement, plan, .. } = &loaded;
    let about = About { run: run.to_owned(), world: "sim".to_owned(), seed: 7 };
    Region::of_case(about, &Case { scenario, plan, topology, graph, placement })
}

fn picture() -> Picture {
    Picture::new(Arc::new(region("run-1")))
}

fn hub(frames: usize, viewers: usize) -> Arc<Hub> {
    Hub::new(picture(), Limits { frames, viewers, heartbeat: Duration::from_millis(50) })
}

/// One change: the number tells which.
fn change(hub: &Hub, number: u64) {
    let detail = Detail::Phase { phase: Phase::Quiet, round: usize::try_from(number).expect("few") };
    let event = Event {
        id: EventId(number),
        t_ns: number * 1_000_000,
        utc: String::new(),
        by: By::Controller,
        place: Place::default(),
        detail,
    };
    hub.feed(|picture| picture.event(&event));
}

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("it comes in time") })
}

/// One block of the stream: its id, its kind, its data.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    id: String,
    kind: String,
    data: String,
}

fn parse(text: &str) -> Block {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    Block { id: field("id: "), kind: field("event: "), data: field("data: ") }
}

async fn next(viewer: &mut Viewer) -> Option<Block> {
    let frame = viewer.frame().await?;
    Some(parse(std::str::from_utf8(&frame).expect("it is text")))
}

/// What a viewer that keeps up with the blocks knows, and how many blocks of each kind came.
#[derive(Debug, Default)]
struct Known {
    now: Option<Now>,
    last: String,
    kinds: Vec<String>,
}

impl Known {
    fn take(&mut self, block: Block) {
        match block.kind.as_str() {
            "now" => self.now = Some(serde_json::from_str(&block.data).expect("it is a picture")),
            "delta" => {
                let delta: Delta = serde_json::from_str(&block.data).expect("it is a delta");
                self.now.as_mut().expect("a delta follows a picture").apply(&delta);
            }
            _ => {}
        }
        if !block.id.is_empty() {
            self.last = block.id;
        }
        self.kinds.push(block.kind);
    }

    /// Until there is nothing but heartbeats, or the end.
    async fn drain(&mut self, viewer: &mut Viewer) {
        while let Some(block) = next(viewer).await {
            if block.kind == "beat" {
                return;
            }
            self.take(block);
        }
    }

    fn count(&self, kind: &str) -> usize {
        self.kinds.iter().filter(|own| *own == kind).count()
    }
}

#[track_caller]
fn knows(known: &Known, hub: &Hub) {
    let (mut own, whole) = (known.now.clone().expect("it was told"), hub.feed(|picture| picture.snapshot()));
    own.t_ms = whole.t_ms;
    assert_eq!(own, whole);
}

#[test]
fn a_viewer_is_told_the_region_then_everything_then_what_changes() {
    block(async {
        let hub = hub(16, 4);
        change(&hub, 1);
        let (mut viewer, mut known) = (hub.watch(None).expect("there is room"), Known::default());
        known.drain(&mut viewer).await;
        assert_eq!(known.kinds, ["region", "now"]);
        (2..6).for_each(|number| change(&hub, number));
        known.drain(&mut viewer).await;
        assert_eq!((known.count("delta"), hub.missed()), (4, 0));
        knows(&known, &hub);
        // Nothing changed: no frame.
        hub.feed(|_| ());
        known.drain(&mut viewer).await;
        assert_eq!(known.count("delta"), 4);
        hub.end();
        known.drain(&mut viewer).await;
        assert_eq!(known.kinds.last().map(String::as_str), Some("end"));
        assert_eq!(viewer.frame().await, None);
    });
}

#[test]
fn who_falls_behind_is_told_everything_anew_and_what_it_missed_is_counted() {
    block(async {
        let hub = hub(8, 4);
        let (mut slow, mut known) = (hub.watch(None).expect("there is room"), Known::default());
        known.drain(&mut slow).await;
        // Eight behind is nothing yet,
        (0..8).for_each(|number| change(&hub, number));
        known.drain(&mut slow).await;
        assert_eq!((known.count("now"), known.count("delta"), hub.missed()), (1, 8, 0));
        // and a thousand is told at once.
        (0..1_000).for_each(|number| change(&hub, number));
        known.drain(&mut slow).await;
        assert_eq!((known.count("now"), known.count("delta"), known.count("behind"), hub.missed()), (2, 8, 1, 1_000));
        knows(&known, &hub);
        assert_eq!(known.now.as_ref().map(|now| now.timeline.len()), Some(TIMELINE_MAX));
        change(&hub, 1);
        known.drain(&mut slow).await;
        assert_eq!(known.count("delta"), 9);
        knows(&known, &hub);
    });
}

#[test]
fn frames_are_encoded_once_for_all_viewers() {
    block(async {
        let hub = hub(8, 300);
        change(&hub, 1);
        let mut viewers: Vec<Viewer> = (0..200).map(|_| hub.watch(None).expect("there is room")).collect();
        change(&hub, 2);
        let mut places = std::collections::BTreeSet::new();
        for viewer in &mut viewers {
            for _ in 0..3 {
                places.insert(viewer.frame().await.expect("there are three").as_ptr() as usize);
            }
        }
        assert_eq!(places.len(), 3, "region, picture and delta");
    });
}

#[test]
fn who_comes_back_goes_on_where_it_was_and_who_was_away_too_long_is_told_everything() {
    block(async {
        let hub = hub(8, 4);
        let (mut viewer, mut known) = (hub.watch(None).expect("there is room"), Known::default());
        change(&hub, 1);
        known.drain(&mut viewer).await;
        drop(viewer);
        assert_eq!(hub.viewers(), 0);
        (2..6).for_each(|number| change(&hub, number));
        let mut again = hub.watch(Some(&known.last)).expect("there is room");
        known.drain(&mut again).await;
        assert_eq!((known.count("region"), known.count("now"), known.count("delta")), (1, 1, 5));
        knows(&known, &hub);
        drop(again);
        (6..50).for_each(|number| change(&hub, number));
        let mut again = hub.watch(Some(&known.last)).expect("there is room");
        known.drain(&mut again).await;
        assert_eq!((known.count("region"), known.count("now"), known.count("behind")), (1, 2, 1));
        knows(&known, &hub);
        // What no frame of this hub is called begins anew.
        for other in ["", "1", "1-1", "x-y", &format!("{}0", known.last), "99999999999999999999-1"] {
            let (mut viewer, mut known) = (hub.watch(Some(other)).expect("there is room"), Known::default());
            known.drain(&mut viewer).await;
            assert_eq!(known.kinds, ["region", "now"], "{other}");
        }
    });
}

#[test]
fn no_more_than_so_many_are_let_in_and_a_place_that_is_left_is_free() {
    let hub = hub(8, 2);
    let (one, _two) = (hub.watch(None).expect("there is room"), hub.watch(None).expect("there is room"));
    assert_eq!(hub.watch(None).expect_err("there is none").viewers, 2);
    assert_eq!((hub.viewers(), hub.refused()), (2, 1));
    drop(one);
    assert!(hub.watch(None).is_ok());
}

#[test]
fn the_end_comes_with_the_verdict_or_with_the_word_that_there_is_none() {
    let folder = tempfile::tempdir().expect("there is room");
    let (mut source, mut picture) = (Source::new(folder.path()), picture());
    assert_eq!(source.turn(&mut picture, false), Stage::Open, "nothing is there yet");
    std::fs::write(folder.path().join("events.jsonl"), "{\"id\":\"e1\",\"t_ns\":0,\"utc\":\"\",\"by\":\"con")
        .expect("room");
    assert_eq!(source.turn(&mut picture, false), Stage::Open);
    assert_eq!(picture.now().unread, 0, "a half line may still be written");
    std::fs::write(folder.path().join("record.json"), "{\"schema\":1,").expect("there is room");
    for _ in 0..3 {
        assert_eq!(source.turn(&mut picture, false), Stage::Open, "a record that is half there is none");
    }
    assert_eq!(source.turn(&mut picture, true), Stage::Closed);
    let now = picture.now();
    assert_eq!((now.unread, now.ending.as_ref().map(|ending| ending.how)), (1, Some(How::Lost)));
    let record = include_str!("../../../reports/samples/record.json");
    std::fs::write(folder.path().join("record.json"), record).expect("there is room");
    let mut source = Source::new(folder.path());
    assert_eq!(source.turn(&mut picture, false), Stage::Open, "it may still grow");
    assert_eq!(source.turn(&mut picture, false), Stage::Closed);
    assert_eq!(picture.now().ending.as_ref().map(|ending| ending.how), Some(How::Judged));
}

/// A server of one hub, on a thread of its own.
struct Served(Arc<Hub>);

impl Runs for Served {
    fn hub(&self, run: &str) -> Option<Arc<Hub>> {
        (run == "run-1").then(|| Arc::clone(&self.0))
    }

    fn offer(&self) -> Offer {
        Offer { halt: false, home: true }
    }
}

fn serve(hub: &Arc<Hub>) -> SocketAddr {
    use axum::serve::ListenerExt;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it can be");
    let address = listener.local_addr().expect("it has one");
    let app = router(Arc::new(Served(Arc::clone(hub))));
    std::thread::spawn(move || {
        block_for_ever(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
            axum::serve(listener.tap_io(tune), app).await
        })
    });
    address
}

fn block_for_ever<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
    runtime.block_on(future)
}

/// A request, and a reader of what comes back.
fn ask(address: SocketAddr, path: &str, more: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).expect("it is read");
    BufReader::new(stream)
}

/// Everything, of what ends.
fn answer(address: SocketAddr, path: &str) -> String {
    let mut text = String::new();
    ask(address, path, "Connection: close\r\n").read_to_string(&mut text).expect("it is text");
    text
}

/// Lines until one that begins so.
fn until(reader: &mut impl BufRead, wanted: &str) -> String {
    let mut lines = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(reader.read_line(&mut line).expect("it is text, in time"), 0, "it ended: {lines}");
        lines += &line;
        if line.starts_with(wanted) {
            return lines;
        }
    }
}

#[test]
fn over_the_wire_it_is_a_stream_of_events_that_ends_with_the_run() {
    let hub = hub(8, 1);
    let address = serve(&hub);
    let mut reader = ask(address, "/api/runs/run-1/live", "");
    let head = until(&mut reader, "\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    until(&mut reader, "event: region");
    until(&mut reader, "event: now");
    until(&mut reader, ": still here");
    change(&hub, 1);
    let told = until(&mut reader, "event: delta");
    let id = told.lines().find_map(|line| line.strip_prefix("id: ")).expect("it has an id").to_owned();
    let full = answer(address, "/api/runs/run-1/live");
    assert!(full.starts_with("HTTP/1.1 503 ") && full.contains("retry-after: 15\r\n"), "{full}");
    drop(reader);
    change(&hub, 2);
    // The place is free as soon as the server has noticed.
    while hub.viewers() > 0 {
        change(&hub, 3);
        std::thread::yield_now();
    }
    for more in [format!("Last-Event-ID: {id}\r\n"), String::new()] {
        let query = if more.is_empty() { format!("?x=1&after={id}") } else { String::new() };
        let mut reader = ask(address, &format!("/api/runs/run-1/live{query}"), &more);
        let told = until(&mut reader, "event: ");
        assert!(!told.contains("event: region"), "{told}");
        drop(reader);
        while hub.viewers() > 0 {
            change(&hub, 4);
            std::thread::yield_now();
        }
    }
    hub.end();
    assert!(answer(address, "/api/runs/run-1/live").contains("event: end\n"));
}

#[test]
fn a_viewer_who_reads_nothing_delays_nobody_and_costs_no_memory_of_its_own() {
    let hub = hub(8, 4);
    let address = serve(&hub);
    let deaf = ask(address, "/api/runs/run-1/live", "");
    let mut reader = ask(address, "/api/runs/run-1/live", "");
    until(&mut reader, "event: now");
    // More than the buffers of both ends hold.
    for number in 0..20_000 {
        change(&hub, number);
        if number % 200 == 0 {
            until(&mut reader, "event: ");
        }
    }
    change(&hub, 77_777);
    until(&mut reader, "data: {\"t_ms\":77777");
    drop(deaf);
}

#[test]
fn the_page_asks_for_its_own_files_alone_and_names_nothing_as_markup() {
    let region = Region { title: "<b>\"&' {{run}}".to_owned(), ..region("run-1") };
    let hub = Hub::new(Picture::new(Arc::new(region)), Limits::default());
    let address = serve(&hub);
    let page = answer(address, "/runs/run-1");
    assert!(page.contains("content-type: text/html; charset=utf-8\r\n"), "{page}");
    assert!(page.contains("&lt;b&gt;&quot;&amp;&#39; {{run}}") && !page.contains("<b>\"&"), "{page}");
    assert!(page.contains("data-halt=\"no\"") && page.contains("<a href=\"/\">All runs</a>"), "{page}");
    for never in ["<style", "style=", "onclick", "http://", "https://", "javascript:"] {
        assert!(!page.contains(never), "{never} is in the page");
    }
    assert_eq!(page.matches("<script").count(), 1);
    for (path, kind) in [("/assets/live.css", "text/css"), ("/assets/live.js", "text/javascript")] {
        let file = answer(address, path);
        assert!(file.starts_with("HTTP/1.1 200") && file.contains(kind), "{path}");
        assert!(page.contains(path), "{path} is asked for");
    }
    for missing in ["/runs/run-2", "/api/runs/run-2/live", "/runs/%3Cb%3E", "/nothing"] {
        let told = answer(address, missing);
        assert!(told.starts_with("HTTP/1.1 404") && !told.contains("<b>"), "{told}");
    }
}

#[test]
fn a_file_that_grows_is_followed_to_its_verdict() {
    block(async {
        let folder = tempfile::tempdir().expect("there is room");
        let (hub, over) = (hub(64, 4), Over::default());
        let (mut viewer, mut known) = (hub.watch(None).expect("there is room"), Known::default());
        let following = tokio::spawn(follow(Arc::clone(&hub), folder.path().to_path_buf(), over.clone()));
        let instance = hub.region().instances[0].name.clone();
        let state = |to: Life, id: u64| Event {
            id: EventId(id),
            t_ns: id,
            utc: String::new(),
            by: By::Witness,
            place: Place { instance: Some(instance.clone()), ..Place::default() },
            detail: Detail::State { to, degraded: false, missing: Vec::new() },
        };
        let mut file = std::fs::File::create(folder.path().join("events.jsonl")).expect("there is room");
        let text = reports::journal::to_line(&state(Life::Active, 1)) + "\n";
        let (head, rest) = text.split_at(text.len() / 2);
        file.write_all(head.as_bytes()).expect("there is room");
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(hub.feed(|picture| picture.now().instances.get_byte(0)), b'o');
        file.write_all(rest.as_bytes()).expect("there is room");
        while known.now.as_ref().is_none_or(|now| now.instances.get_byte(0) != b'a') {
            known.take(next(&mut viewer).await.expect("it goes on"));
        }
        over.say();
        following.await.expect("it ends");
        while let Some(block) = next(&mut viewer).await {
            known.take(block);
        }
        assert_eq!(known.now.and_then(|now| now.ending).map(|ending| ending.how), Some(How::Lost));
    });
}

fn blackstart() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("blackstart"));
    let folder = tempfile::tempdir().expect("there is room").keep();
    command
        .args(["run", "minimal", "--world", "sim", "--seed", "7", "--assumptions-within", "0s", "--out"])
        .arg(folder);
    command
}

#[test]
fn run_live_shows_the_run_and_its_verdict_and_ends_at_once_when_asked() {
    let mut child =
        blackstart().arg("--live").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut told = BufReader::new(child.stderr.take().expect("it is piped"));
    let lines = until(&mut told, "live at ");
    let url = lines.lines().find_map(|line| line.strip_prefix("live at http://")).expect("it was told");
    let (address, path) = url.split_at(url.find('/').expect("it has a path"));
    let address: SocketAddr = address.parse().expect("it is an address");
    assert!(address.ip().is_loopback());
    let page = answer(address, path);
    assert!(
        page.contains("content-security-policy: default-src 'none'") && page.contains("data-halt=\"no\""),
        "{page}"
    );
    assert!(answer(address, "/").contains(&format!("location: {path}\r\n")));
    let stream = answer(address, &format!("/api{path}/live"));
    assert!(stream.contains("\"verdict\":\"held\"") && stream.contains("event: end\n"), "{stream}");
    assert!(answer(address, &format!("{path}/report")).contains("<h1>"));
    let mut other = TcpStream::connect(address).expect("it listens");
    other.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n").expect("it is read");
    let mut refused = String::new();
    other.read_to_string(&mut refused).expect("it is text");
    assert!(refused.starts_with("HTTP/1.1 421"), "{refused}");
    until(&mut told, "the page is still there");
    let asked = std::time::Duration::from_secs(9);
    let clock = harness::clock::Clock::start();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0), "its verdict is its status");
    assert!(Duration::from_nanos(clock.now()) < asked, "it waited for its time to pass");
}

#[test]
fn a_page_for_others_than_this_machine_is_refused_and_a_terminal_that_is_none_is_said_to_be() {
    let told = |more: &str| {
        let output = blackstart().arg(more).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, text) = told("--live=0.0.0.0:8080");
    assert!(status == Some(64) && text.contains("this machine alone"), "{text}");
    let (status, text) = told("--live=nonsense");
    assert!(status == Some(64) && text.contains("such as 127.0.0.1:8080"), "{text}");
    let (status, text) = told("--tui");
    assert!(status == Some(0) && text.contains("--tui is ignored") && !text.contains("\u{1b}[?"), "{text}");
}

/// In a terminal that `script` (of Debian's bsdutils) makes.
#[test]
fn run_tui_draws_and_gives_the_terminal_back() {
    let run = blackstart();
    let words: Vec<String> = [run.get_program()]
        .into_iter()
        .chain(run.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .chain(["--tui".to_owned()])
        .collect();
    let output = match Command::new("script").args(["-qec", &words.join(" "), "/dev/null"]).output() {
        Ok(output) => output,
        Err(error) => return eprintln!("NOT RUN: run_tui_draws_and_gives_the_terminal_back: script: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let (enter, leave) = ("\u{1b}[?1049h\u{1b}[?25l", "\u{1b}[?25h\u{1b}[?1049l");
    assert_eq!((text.matches(enter).count(), text.matches(leave).count()), (1, 1), "{text}");
    let after = text.split(leave).nth(1).unwrap_or_default();
    assert!(after.contains("files: ") && text.contains("minimal"), "results come after it: {after}");
}
