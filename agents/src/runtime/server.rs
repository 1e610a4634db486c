//! Owns the listening side: reads requests into [`Ask`]s, writes [`Reply`]s, gives out artefacts, and shows `/metrics`. Refuses to decide
//! any answer.

use super::tls;
use crate::machine::duty::{STANDS_BY, TAKES};
use crate::machine::{Counters, Nanos};
use crate::wire::{
    Ask, Failure, HEADER_AGAIN, HEADER_BY, HEADER_HOLDER, HEADER_KEY, HEADER_LETTER, HEADER_METRICS, HEADER_NAMES,
    HEADER_REMAINING_MS, HEADER_WRITE, LoadOf, Reply, Switch, Write,
};
use fixtures::graph::identity::CERTIFICATE;
use fixtures::name::{ServiceName, ZoneName};
use fixtures::regional::cast::PACKAGE;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use prometheus::{Encoder, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Whoever answers requests.
pub(super) trait Serves: 'static {
    /// Takes connections over TLS, where it is asked so.
    fn acceptor(&self) -> Option<TlsAcceptor>;
    /// Answers; with nothing the connection ends, as that of a process that is not there. `proven`: whoever asks has shown
    /// who it is.
    async fn request(self: &Rc<Self>, ask: Ask, remaining: Option<Nanos>, proven: bool) -> Option<Reply>;
    /// What was granted, with the certificate where it is one and somebody's key came with the question.
    fn signed(&self, reply: Reply, key: &[u8], names: &[String]) -> Reply;
    /// The artefact of this name; `None` where it gives out none of it.
    fn artefact(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
    /// Requests so far.
    fn counters(&self) -> Counters;
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("nobody is there to answer")]
struct Nobody;

/// Accepts for ever.
pub(super) async fn accept<V: Serves>(listener: TcpListener, driver: Rc<V>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(serve(stream, Rc::clone(&driver)));
            }
            // Out of descriptors, most likely: those who are connected are served meanwhile.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

async fn serve<V: Serves>(stream: TcpStream, driver: Rc<V>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(acceptor) = driver.acceptor() else { return speak(stream, driver, false).await };
    // Whoever does not get through the handshake learns it there.
    if let Ok(stream) = acceptor.accept(stream).await {
        let proven = tls::is_proven(&stream);
        speak(stream, driver, proven).await;
    }
}

async fn speak<V: Serves>(stream: impl AsyncRead + AsyncWrite + Unpin, driver: Rc<V>, proven: bool) {
    let service = service_fn(move |request| {
        let driver = Rc::clone(&driver);
        async move { answer(request, driver, proven).await.ok_or(Nobody) }
    });
    // An error here is a caller who went away; the machine was told when its request was dropped.
    let mut http = hyper::server::conn::http1::Builder::new();
    // The library would look at a clock that is not this host's.
    http.auto_date_header(false);
    let _ended = http.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer<V: Serves>(request: Request<Incoming>, driver: Rc<V>, proven: bool) -> Option<Response<Full<Bytes>>> {
    if request.uri().path() == "/metrics" {
        return Some(respond(200, "text/plain; version=0.0.4", metrics(&*driver)));
    }
    if let Some(name) = request.uri().path().strip_prefix("/artefacts/") {
        return give_out(&request, name, &driver, proven).await;
    }
    let Some(ask) = ask_of(&request) else {
        return Some(respond(404, "application/json", br#"{"error":"unknown","by":""}"#.to_vec()));
    };
    let remaining = header(&request, HEADER_REMAINING_MS).and_then(|ms| ms.parse::<u64>().ok());
    let wants_certificate = matches!(&ask, Ask::Need { kind, .. } if **kind == *CERTIFICATE);
    let mut reply = driver.request(ask, remaining.map(|ms| ms.saturating_mul(1_000_000)), proven).await?;
    if let (true, Some((key, names))) = (wants_certificate, identity_of(&request)) {
        reply = driver.signed(reply, &key, &names);
    }
    // A reply is a plain tree of strings: it always serialises.
    Some(respond(reply.status(), "application/json", serde_json::to_vec::<Reply>(&reply).unwrap_or_default()))
}

/// Gives out an artefact, where whoever decides on needs grants it.
async fn give_out<V: Serves>(
    request: &Request<Incoming>,
    name: &str,
    driver: &Rc<V>,
    proven: bool,
) -> Option<Response<Full<Bytes>>> {
    let holder = header(request, HEADER_HOLDER).unwrap_or_default().into();
    let remaining = header(request, HEADER_REMAINING_MS).and_then(|ms| ms.parse::<u64>().ok());
    let ask = Ask::Need { kind: PACKAGE.into(), holder };
    let mut reply = driver.request(ask, remaining.map(|ms| ms.saturating_mul(1_000_000)), proven).await?;
    if reply.error.is_none() {
        match driver.artefact(name) {
            Some(bytes) => {
                let mut response = respond(200, "application/octet-stream", bytes);
                if let Ok(by) = HeaderValue::from_str(&reply.by) {
                    response.headers_mut().insert(HEADER_BY, by);
                }
                return Some(response);
            }
            None => reply.error = Some(Failure::NotFound),
        }
    }
    Some(respond(reply.status(), "application/json", serde_json::to_vec::<Reply>(&reply).unwrap_or_default()))
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// The key and the names of whoever asks for a certificate.
fn identity_of(request: &Request<Incoming>) -> Option<(Vec<u8>, Vec<String>)> {
    let digits = header(request, HEADER_KEY)?.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let key = digits.map(byte).collect::<Option<Vec<u8>>>()?;
    let names = header(request, HEADER_NAMES)?.split(',').map(str::to_owned).collect();
    Some((key, names))
}

fn ask_of(request: &Request<Incoming>) -> Option<Ask> {
    let path = request.uri().path();
    match path {
        "/livez" => return Some(Ask::Live),
        "/readyz" => return Some(Ask::Ready),
        "/version" => return Some(Ask::Version),
        "/member" => return serde_json::from_str(header(request, HEADER_LETTER)?).ok().map(Ask::Member),
        "/push" => return serde_json::from_str(header(request, HEADER_METRICS)?).ok().map(Ask::Metrics),
        _ => {}
    }
    let (noun, name) = path.strip_prefix('/')?.split_once('/')?;
    match noun {
        "work" => {
            let write = match request.headers().get(HEADER_WRITE) {
                // A write that cannot be read is refused: to perform the rest of the request would lose it silently.
                Some(text) => Some(Box::new(write_of(text.to_str().ok()?)?)),
                None => None,
            };
            let again = request.headers().contains_key(HEADER_AGAIN);
            Some(Ask::Work { operation: name.into(), write, again })
        }
        "switch" => {
            let (word, ms) = name.split_once('/')?;
            let switch = match word {
                "freeze" => Switch::Freeze,
                "away" => Switch::Away,
                _ => Switch::Surge { factor: word.strip_prefix("surge-")?.parse().ok()? },
            };
            Some(Ask::Switch { switch, for_ns: ms.parse::<u64>().ok()?.saturating_mul(1_000_000) })
        }
        "load" => {
            let (zone, service) = name.split_once('/')?;
            let (zone, service) = (ZoneName::new(zone).ok()?, ServiceName::new(service).ok()?);
            Some(Ask::Load(Box::new(LoadOf { zone, service })))
        }
        "duty" => {
            let order = match name {
                TAKES => Some(true),
                STANDS_BY => Some(false),
                "tell" => None,
                _ => return None,
            };
            Some(Ask::Duty { order })
        }
        "need" => {
            let holder = header(request, HEADER_HOLDER).unwrap_or_default().into();
            Some(Ask::Need { kind: name.into(), holder })
        }
        "state" => Some(Ask::Read { key: name.to_owned() }),
        _ => None,
    }
}

/// A write from its header; white space in a key would not survive the state file.
fn write_of(text: &str) -> Option<Write> {
    let (key, value) = text.split_once('=')?;
    let sound = !key.is_empty() && !key.contains(char::is_whitespace);
    sound.then(|| Write { key: key.to_owned(), value: value.to_owned() })
}

fn respond(status: u16, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let builder = Response::builder().status(status).header("content-type", content_type);
    // Status and header are constants of this file: they are always valid.
    builder.body(Full::new(Bytes::from(body))).unwrap_or_default()
}

/// The text of `/metrics`, made when it is asked for: an idle agent keeps no registry.
fn metrics(driver: &impl Serves) -> Vec<u8> {
    let counters = driver.counters();
    let registry = Registry::new();
    let mut text = Vec::new();
    let requests = IntCounterVec::new(
        Opts::new("blackstart_agent_requests_total", "Requests answered, by outcome."),
        &["outcome"],
    );
    let attempts = IntGauge::new("blackstart_agent_attempts", "Attempts sent to other instances since the start.");
    let (Ok(requests), Ok(attempts)) = (requests, attempts) else { return text };
    for (outcome, count) in [("ok", counters.ok), ("degraded", counters.degraded), ("failed", counters.failed)] {
        requests.with_label_values(&[outcome]).inc_by(count);
    }
    attempts.set(i64::try_from(counters.attempts).unwrap_or(i64::MAX));
    let registered = registry.register(Box::new(requests)).and_then(|()| registry.register(Box::new(attempts)));
    if registered.and_then(|()| TextEncoder::new().encode(&registry.gather(), &mut text)).is_err() {
        text.clear();
    }
    text
}
