//! Owns the live view of `run --live`: a thread of its own, with a runtime and a listener of its own, that shows the runs of
//! one command to this machine and cannot delay them. Refuses to listen beyond this machine, and to change anything.

use super::follow::{Over, follow};
use super::hub::{Hub, Limits};
use super::route::{Runs, router, tune};
use anyhow::{Context, Result};
use axum::extract::{Path as Part, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use reports::live::Picture;
use reports::live::page::Offer;
use reports::live::region::Region;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// What the page may do: nothing but what comes from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What the report may do, which brings its style and its script along.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// How much later than others the thread gets a processor, where both want it: the run's clock comes first.
const NICE: i32 = 5;

/// The live view of one command.
#[derive(Debug)]
pub struct Alone {
    address: SocketAddr,
    shown: Arc<Shown>,
    runtime: Handle,
    /// Ends the thread when it is dropped.
    close: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The runs of one command, oldest first.
#[derive(Debug, Default)]
struct Shown(Mutex<Vec<(Arc<Hub>, PathBuf)>>);

impl Shown {
    fn all(&self) -> MutexGuard<'_, Vec<(Arc<Hub>, PathBuf)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, run: &str) -> Option<(Arc<Hub>, PathBuf)> {
        self.all().iter().find(|(hub, _)| hub.region().run == run).cloned()
    }

    fn newest(&self) -> Option<String> {
        self.all().last().map(|(hub, _)| hub.region().run.clone())
    }
}

impl Runs for Shown {
    fn hub(&self, run: &str) -> Option<Arc<Hub>> {
        self.find(run).map(|(hub, _)| hub)
    }

    fn offer(&self) -> Offer {
        // Whoever started the run has Ctrl-C.
        Offer { halt: false, home: false }
    }
}

impl Alone {
    /// Begins to listen, on a port that is free where the address has none.
    ///
    /// # Errors
    /// Where the address is not this machine's own, or is taken.
    pub fn start(address: SocketAddr) -> Result<Self> {
        anyhow::ensure!(
            address.ip().is_loopback(),
            "run --live shows a run to this machine alone, and {address} is not its loopback address"
        );
        let listener =
            TcpListener::bind(address).with_context(|| format!("--live: {address} cannot be listened to"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let shown = Arc::new(Shown::default());
        let served = routes(Arc::clone(&shown));
        let (close, closed) = oneshot::channel();
        let thread = std::thread::Builder::new().name("live".to_owned()).spawn(move || {
            yield_to_others();
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let serving = axum::serve(listener.tap_io(tune), served).into_future();
                // Either ends all connections; who looked has been told the end.
                tokio::select! { _ = serving => {} _ = closed => {} }
            });
        })?;
        Ok(Self { address, shown, runtime: handle, close: Some(close), thread: Some(thread) })
    }

    /// Shows one more run from here on; the word says when it is over.
    pub fn show(&self, region: Region, folder: &Path) -> Over {
        let hub = Hub::new(Picture::new(Arc::new(region)), Limits::default());
        let over = Over::default();
        self.shown.all().push((Arc::clone(&hub), folder.to_path_buf()));
        self.runtime.spawn(follow(hub, folder.to_path_buf(), over.clone()));
        over
    }

    /// Comes back when viewers have been told the end of every run that is over, or after a second.
    pub async fn tell_end(&self) {
        const TURN: Duration = Duration::from_millis(50);
        const PATIENCE: u32 = 20;
        for _ in 0..PATIENCE {
            tokio::time::sleep(TURN).await;
            if self.shown.all().iter().all(|(hub, _)| hub.has_ended()) {
                // What was told is on its way.
                return tokio::time::sleep(TURN).await;
            }
        }
    }

    /// Where the newest run is shown.
    pub fn url(&self) -> String {
        match self.shown.newest() {
            Some(run) => format!("http://{}/runs/{run}", self.address),
            None => format!("http://{}/", self.address),
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _said = thread.join();
        }
    }
}

/// Lets every other thread go first.
pub fn yield_to_others() {
    #[cfg(target_os = "linux")]
    {
        // On Linux a thread has a priority of its own; where it cannot be changed all are alike.
        let _alike = rustix::process::setpriority_process(None, NICE);
    }
}

fn routes(shown: Arc<Shown>) -> axum::Router {
    let runs: Arc<dyn Runs> = Arc::clone(&shown) as Arc<dyn Runs>;
    axum::Router::new()
        .route("/", get(newest))
        .route("/runs/{run}/report", get(report))
        .with_state(shown)
        .merge(router(runs))
        .layer(map_response(async |response: Response| guarded(response)))
        .layer(from_fn(own_name))
}

async fn newest(State(shown): State<Arc<Shown>>) -> Response {
    match shown.newest() {
        Some(run) => Redirect::temporary(&format!("/runs/{run}")).into_response(),
        None => (StatusCode::NOT_FOUND, "No run has begun yet.\n").into_response(),
    }
}

async fn report(State(shown): State<Arc<Shown>>, Part(run): Part<String>) -> Response {
    let Some((_, folder)) = shown.find(&run) else { return StatusCode::NOT_FOUND.into_response() };
    for name in ["coe.html", "report.html"] {
        if let Ok(page) = std::fs::read(folder.join(name)) {
            let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
            return ([kind, (header::CONTENT_SECURITY_POLICY, REPORT_POLICY)], page).into_response();
        }
    }
    (StatusCode::NOT_FOUND, "The report is not written yet.\n").into_response()
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Refuses who came by another name than this machine's own: a page elsewhere whose name was made to mean us.
async fn own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if is_own(host) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "This is reached as localhost, or by its loopback address.\n").into_response()
    }
}

fn is_own(host: &str) -> bool {
    let loopback = |text: &str| text.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(ip, _)| ip);
    let name = bracketed.unwrap_or_else(|| host.rsplit_once(':').map_or(host, |(name, _)| name));
    name.eq_ignore_ascii_case("localhost") || loopback(name)
}

#[cfg(test)]
mod tests {
    use super::{Alone, is_own};

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for own in ["localhost", "LOCALHOST:80", "127.0.0.1:4000", "127.9.9.9", "[::1]:80", "[::1]"] {
            assert!(is_own(own), "{own}");
        }
        for other in
            ["", "example.com", "localhost.example.com:80", "10.0.0.1:80", "127.0.0.1.example.com", "[::2]:80", "::"]
        {
            assert!(!is_own(other), "{other}");
        }
    }

    #[test]
    fn nobody_beyond_this_machine_is_listened_to() {
        let error = Alone::start("0.0.0.0:0".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("this machine alone"), "{error}");
    }
}
