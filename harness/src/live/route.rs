//! Owns what is served of the live view: the page of a run, its two files, and the stream of its frames. Refuses to decide
//! who may look, to set policies, and to change anything: whoever mounts it does.

use super::hub::Hub;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use reports::live::page::{self, Offer};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpStream;

/// What there is to look at.
pub trait Runs: Send + Sync + 'static {
    /// The hub of a run that is looked at live; nothing where there is no such run, or not any more.
    fn hub(&self, run: &str) -> Option<Arc<Hub>>;

    /// What is offered around the page.
    fn offer(&self) -> Offer;
}

type Shared = State<Arc<dyn Runs>>;

/// `GET /runs/{run}`, `GET /api/runs/{run}/live`, `GET /assets/live.css` and `GET /assets/live.js`. The page halts a run by
/// `POST /api/halt`, which is not here, and links to `/runs/{run}/report` and (where it is offered) `/`.
pub fn router(runs: Arc<dyn Runs>) -> Router {
    Router::new()
        .route("/runs/{run}", get(page))
        .route("/api/runs/{run}/live", get(frames))
        .route("/assets/live.css", get(|| async { file("text/css; charset=utf-8", page::STYLE) }))
        .route("/assets/live.js", get(|| async { file("text/javascript; charset=utf-8", page::SCRIPT) }))
        .with_state(runs)
}

/// Sets up a connection for viewers: no waiting for more to send, a small buffer in the kernel, so that who reads slowly
/// reads what is new and not what lay there, and an end for who reads nothing for a minute.
pub fn tune(stream: &mut TcpStream) {
    const BUFFER: usize = 64 << 10;
    // A connection that cannot be tuned works all the same.
    let _plain = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        const PATIENCE_MS: u32 = 60_000;
        let _plain = rustix::net::sockopt::set_socket_send_buffer_size(&*stream, BUFFER);
        let _plain = rustix::net::sockopt::set_tcp_user_timeout(&*stream, PATIENCE_MS);
    }
}

const NOT_LIVE: &str =
    "This run is not shown live, or not any more. What it left is at the same address, followed by /report.\n";

/// A run that is over is read from its folder, and others are not kept waiting for the disk.
async fn hub(runs: &Arc<dyn Runs>, run: String) -> Option<Arc<Hub>> {
    let runs = Arc::clone(runs);
    tokio::task::spawn_blocking(move || runs.hub(&run)).await.ok().flatten()
}

async fn page(State(runs): Shared, Path(run): Path<String>) -> Response {
    let Some(hub) = hub(&runs, run).await else { return (StatusCode::NOT_FOUND, NOT_LIVE).into_response() };
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, page::render(hub.region(), runs.offer())).into_response()
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

async fn frames(
    State(runs): Shared,
    Path(run): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(hub) = hub(&runs, run).await else { return (StatusCode::NOT_FOUND, NOT_LIVE).into_response() };
    // A browser that comes back by itself says where it was; a page that comes back says it in its address.
    let said = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let asked = query.as_deref().and_then(|query| query.split('&').find_map(|part| part.strip_prefix("after=")));
    match hub.watch(said.or(asked)) {
        Err(full) => {
            let wait = [(header::RETRY_AFTER, "15")];
            (StatusCode::SERVICE_UNAVAILABLE, wait, format!("{full}\n")).into_response()
        }
        Ok(viewer) => {
            let frames = stream::unfold(viewer, async |mut viewer| {
                let frame = viewer.frame().await?;
                Some((Ok::<_, Infallible>(frame), viewer))
            });
            let headers = [
                (header::CONTENT_TYPE, "text/event-stream"),
                (header::CACHE_CONTROL, "no-store"),
                // What stands in front of us must not collect frames.
                (HeaderName::from_static("x-accel-buffering"), "no"),
            ];
            (headers, Body::from_stream(frames)).into_response()
        }
    }
}
