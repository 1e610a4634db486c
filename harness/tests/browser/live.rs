//! Owns the claims about the live page that only a browser can show: a run that was held in virtual time is written again
//! into a growing file, half a line at a time, while Chromium looks; `live.py` says what is wrong. Refuses to hold runs.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use harness::live::{Hub, Limits, Over, Runs, follow, router};
use reports::live::Picture;
use reports::live::page::Offer;
use reports::live::region::Region;
use reports::record::from_json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::sync::Notify;

/// What whoever serves the page sets; the page must work under it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Into how many pieces a run's file is cut, and how long each waits for the next.
const PIECES: usize = 60;
const PAUSE: Duration = Duration::from_millis(100);

/// The page of one run.
struct One(Arc<Hub>);

impl Runs for One {
    fn hub(&self, run: &str) -> Option<Arc<Hub>> {
        (self.0.region().run == run).then(|| Arc::clone(&self.0))
    }

    fn offer(&self) -> Offer {
        Offer { halt: true, home: true }
    }
}

/// A run that is written again.
pub(super) struct Replay {
    /// The page.
    pub(super) url: String,
    /// What the page must show at the end.
    pub(super) expected: PathBuf,
    begin: Sender<()>,
    /// Lets the file grow beyond its middle, where a run is cut, and then to its end.
    go_on: Sender<()>,
    gone: Arc<Notify>,
    /// Lets a server that went away come back.
    back: Sender<()>,
}

impl Replay {
    /// Serves the page of a held run, of which nothing is written yet. With `cut`, its file grows to
    /// the middle until [`Replay::go_away`], and to three quarters until [`Replay::go_on`].
    pub(super) fn of(record_file: &Path, cut: bool) -> Self {
        let held = record_file.parent().expect("it lies in a folder").to_path_buf();
        let record = from_json(&std::fs::read_to_string(record_file).expect("it is there")).expect("it is a record");
        // Tests run beside each other, and a replay goes on when its test has seen enough.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("it can be made").keep();
        let events = std::fs::read(held.join("events.jsonl")).expect("it is there");
        let mut picture = Picture::new(Arc::new(Region::of_record(&record)));
        String::from_utf8_lossy(&events).lines().for_each(|line| picture.line(line));
        picture.judged(&record);
        let expected = folder.join("expected.json");
        std::fs::write(&expected, serde_json::to_string(picture.now()).expect("it is JSON")).expect("there is room");
        let hub = Hub::new(Picture::new(Arc::new(Region::of_record(&record))), Limits::default());
        let gone = Arc::new(Notify::new());
        let (back, is_back) = channel();
        let url = serve(&hub, folder.clone(), Arc::clone(&gone), is_back);
        let ((begin, begun), (go_on, goes_on)) = (channel(), channel());
        std::thread::spawn(move || {
            if begun.recv().is_ok() {
                write_again(&events, &held, &folder, |piece| {
                    if cut && [PIECES / 2, PIECES * 3 / 4].contains(&piece) {
                        let _or_the_test_is_over = goes_on.recv();
                    }
                });
            }
        });
        Self { url: format!("{url}/runs/{}", record.run), expected, begin, go_on, gone, back }
    }

    /// Begins to write.
    pub(super) fn begin(&self) {
        self.begin.send(()).expect("somebody waits for it");
    }

    /// Cuts every connection, and takes no new one; the run goes on meanwhile.
    pub(super) fn go_away(&self) {
        self.gone.notify_one();
        self.go_on.send(()).expect("somebody waits for it");
    }

    /// Lets the run come to its end.
    pub(super) fn go_on(&self) {
        self.go_on.send(()).expect("somebody waits for it");
    }

    /// Takes connections again.
    pub(super) fn come_back(&self) {
        self.back.send(()).expect("somebody waits for it");
    }
}

/// Cuts fall into the middle of lines mostly.
fn write_again(events: &[u8], held: &Path, folder: &Path, at: impl Fn(usize)) {
    let mut file = std::fs::File::create(folder.join("events.jsonl")).expect("there is room");
    for (number, piece) in events.chunks(events.len().div_ceil(PIECES)).enumerate() {
        at(number);
        file.write_all(piece).expect("there is room");
        std::thread::sleep(PAUSE);
    }
    std::fs::copy(held.join("record.json"), folder.join("record.json")).expect("there is room");
}

/// With what `serve` puts around it: a policy, and a halt that is taken from a page of ours alone.
fn serve(hub: &Arc<Hub>, folder: PathBuf, gone: Arc<Notify>, back: Receiver<()>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it can be");
    let address = listener.local_addr().expect("it has one");
    let (hub, runs): (Arc<Hub>, Arc<dyn Runs>) = (Arc::clone(hub), Arc::new(One(Arc::clone(hub))));
    let halt = async |headers: HeaderMap, body: String| {
        let is_ours = headers.get("x-blackstart").is_some_and(|value| value == "1") && body == "{}";
        if is_ours { StatusCode::ACCEPTED } else { StatusCode::FORBIDDEN }
    };
    let policy = async |mut response: axum::response::Response| {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY.parse().expect("it is a header"));
        response.into_response()
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be built");
    std::thread::spawn(move || runtime().block_on(follow(hub, folder, Over::default())));
    let app = router(runs).route("/api/halt", post(halt)).layer(axum::middleware::map_response(policy));
    std::thread::spawn(move || {
        loop {
            let (listener, app) = (listener.try_clone().expect("it can be shared"), app.clone());
            // All its connections go with a runtime.
            runtime().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it can be listened to");
                tokio::select! { _ = axum::serve(listener, app).into_future() => {} () = gone.notified() => {} }
            });
            if back.recv().is_err() {
                return;
            }
        }
    });
    format!("http://{address}")
}
