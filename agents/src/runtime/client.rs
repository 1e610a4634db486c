//! Owns connections to other instances: opens them, keeps them under a number, sends one attempt and reads its
//! answer. Refuses to decide when to reuse, retry or give up.

use super::fetch::Order;
use super::tls::{self, Tls};
use crate::artefact::ARTEFACT_BYTES_MAX;
use crate::machine::duty::{STANDS_BY, TAKES};
use crate::machine::{ConnId, Nanos, Outcome};
use crate::wire::{
    Ask, Failure, HEADER_AGAIN, HEADER_BY, HEADER_HOLDER, HEADER_KEY, HEADER_LETTER, HEADER_METRICS, HEADER_NAMES,
    HEADER_REMAINING_MS, HEADER_WRITE, Reply, Switch, Text, Write,
};
use fixtures::regional::cast::PACKAGE;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

type Sender = SendRequest<Empty<Bytes>>;

/// Open connections.
#[derive(Debug, Default)]
pub struct Client {
    tls: Option<Rc<Tls>>,
    /// The names that its own certificate is to say.
    names: Vec<String>,
    /// What it fetches where others ask for their software.
    order: Option<Rc<Order>>,
    kept: RefCell<BTreeMap<ConnId, Sender>>,
    next: Cell<u64>,
}

impl Client {
    /// A client that believes and shows certificates.
    pub fn with_tls(tls: Option<Rc<Tls>>, names: Vec<String>) -> Self {
        Self { tls, names, ..Self::default() }
    }

    /// The same, fetching an artefact where others ask for their software.
    pub(super) fn fetching(self, order: Option<Rc<Order>>) -> Self {
        Self { order, ..self }
    }

    /// What it fetches with a question, where it fetches anything.
    fn order(&self, ask: &Ask) -> Option<&Order> {
        self.order.as_deref().filter(|_| matches!(ask, Ask::Need { kind, .. } if **kind == *PACKAGE))
    }

    /// Sends one attempt, on a kept connection or a new one. The second part of the answer is the connection, where it
    /// can be used again; `closed` is called when a kept one ends.
    pub async fn ask(
        &self,
        to: SocketAddr,
        secure: Option<Text>,
        conn: Option<ConnId>,
        ask: &Ask,
        remaining: Nanos,
        closed: impl FnOnce(ConnId) + 'static,
    ) -> (Outcome, Option<ConnId>) {
        let kept = conn.and_then(|conn| Some((conn, self.kept.borrow_mut().remove(&conn)?)));
        let (id, mut sender) = match kept {
            Some(kept) => kept,
            // The machine named a connection that has just gone: it treats that like any dead kept connection.
            None if conn.is_some() => return (Outcome::Broken, None),
            None => match self.open(to, secure, !matches!(ask, Ask::Need { .. }), closed).await {
                Ok(opened) => opened,
                Err(outcome) => return (outcome, None),
            },
        };
        let request = self.request(to, ask, remaining);
        let answered = match self.order(ask) {
            Some(order) => fetch(&mut sender, request, order).await,
            None => exchange(&mut sender, request).await.map(|reply| self.installed(reply)),
        };
        match answered {
            Some(reply) if sender.ready().await.is_ok() => {
                self.kept.borrow_mut().insert(id, sender);
                (Outcome::Reply(reply), Some(id))
            }
            Some(reply) => (Outcome::Reply(reply), None),
            None => (Outcome::Broken, None),
        }
    }

    /// Opens a connection, over TLS where the other side must prove a name; `shows` a certificate of its own there.
    async fn open(
        &self,
        to: SocketAddr,
        secure: Option<Text>,
        shows: bool,
        closed: impl FnOnce(ConnId) + 'static,
    ) -> Result<(ConnId, Sender), Outcome> {
        let stream = TcpStream::connect(to).await.map_err(|error| outcome_of(error.kind()))?;
        stream.set_nodelay(true).map_err(|_| Outcome::Broken)?;
        let Some(name) = secure else { return self.speak(stream, closed).await };
        // Without a root there is nobody whom it could believe.
        let (tls, name) = self.tls.as_ref().zip(tls::server_name(&name)).ok_or(Outcome::Untrusted)?;
        let stream =
            tls.connector(shows).connect(name, stream).await.map_err(|error| {
                if tls::is_distrust(&error) { Outcome::Untrusted } else { outcome_of(error.kind()) }
            })?;
        self.speak(stream, closed).await
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        closed: impl FnOnce(ConnId) + 'static,
    ) -> Result<(ConnId, Sender), Outcome> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Outcome::Broken)?;
        let id = ConnId(self.next.get());
        self.next.set(id.0 + 1);
        tokio::task::spawn_local(async move {
            // An error here is the end of the connection; whoever waits for an answer on it learns it there.
            let _ended = connection.await;
            closed(id);
        });
        Ok((id, sender))
    }

    /// An answer with its certificate taken out and shown from now on.
    fn installed(&self, mut reply: Reply) -> Reply {
        if let (Some(pem), Some(tls)) = (reply.certificate.take(), &self.tls)
            && tls.install(&pem).is_err()
        {
            reply.error = Some(Failure::Denied);
        }
        reply
    }

    fn request(&self, to: SocketAddr, ask: &Ask, remaining: Nanos) -> Option<Request<Empty<Bytes>>> {
        let (method, path) = match ask {
            Ask::Work { operation, .. } => (Method::POST, format!("/work/{operation}")),
            Ask::Need { kind, .. } => {
                let path = self.order(ask).map_or_else(|| format!("/need/{kind}"), Order::path);
                (Method::GET, path)
            }
            Ask::Read { key } => (Method::GET, format!("/state/{key}")),
            Ask::Ready => (Method::GET, "/readyz".to_owned()),
            Ask::Live => (Method::GET, "/livez".to_owned()),
            Ask::Version => (Method::GET, "/version".to_owned()),
            Ask::Switch { switch, for_ns } => {
                let word = match switch {
                    Switch::Freeze => "freeze".to_owned(),
                    Switch::Away => "away".to_owned(),
                    Switch::Surge { factor } => format!("surge-{factor}"),
                };
                (Method::POST, format!("/switch/{word}/{}", for_ns / 1_000_000))
            }
            Ask::Member(_) => (Method::POST, "/member".to_owned()),
            Ask::Load(of) => (Method::GET, format!("/load/{}/{}", of.zone, of.service)),
            Ask::Duty { order } => {
                let word = match order {
                    Some(true) => TAKES,
                    Some(false) => STANDS_BY,
                    None => "tell",
                };
                (Method::POST, format!("/duty/{word}"))
            }
            Ask::Metrics(_) => (Method::POST, "/push".to_owned()),
            // It travels as DNS.
            Ask::Lookup { .. } => return None,
        };
        let builder = Request::builder().method(method).uri(path).header("host", to.to_string());
        let mut builder = builder.header(HEADER_REMAINING_MS, remaining / 1_000_000);
        if let Ask::Work { write, again, .. } = ask {
            if let Some(Write { key, value }) = write.as_deref() {
                builder = builder.header(HEADER_WRITE, format!("{key}={value}"));
            }
            if *again {
                builder = builder.header(HEADER_AGAIN, 1);
            }
        }
        if let Ask::Need { holder, .. } = ask {
            builder = builder.header(HEADER_HOLDER, &**holder);
        }
        if let Ask::Member(letter) = ask {
            builder = builder.header(HEADER_LETTER, serde_json::to_string(letter).ok()?);
        }
        if let Ask::Metrics(metrics) = ask {
            builder = builder.header(HEADER_METRICS, serde_json::to_string(metrics).ok()?);
        }
        if let (Ask::Need { .. }, Some(tls)) = (ask, &self.tls)
            && !self.names.is_empty()
        {
            let key: String = tls.public_key().iter().map(|byte| format!("{byte:02x}")).collect();
            builder = builder.header(HEADER_KEY, key).header(HEADER_NAMES, self.names.join(","));
        }
        builder.body(Empty::new()).ok()
    }

    /// Drops a connection that the machine will not use again.
    pub fn drop_conn(&self, conn: ConnId) {
        self.kept.borrow_mut().remove(&conn);
    }
}

fn outcome_of(kind: ErrorKind) -> Outcome {
    match kind {
        ErrorKind::ConnectionRefused => Outcome::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            Outcome::Unreachable
        }
        _ => Outcome::Broken,
    }
}

async fn exchange(sender: &mut Sender, request: Option<Request<Empty<Bytes>>>) -> Option<Reply> {
    let response = sender.send_request(request?).await.ok()?;
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
    serde_json::from_slice(&body.to_bytes()).ok()
}

/// Asks for an artefact. One that is refused is to whoever asked as one that was not granted.
async fn fetch(sender: &mut Sender, request: Option<Request<Empty<Bytes>>>, order: &Order) -> Option<Reply> {
    let response = sender.send_request(request?).await.ok()?;
    if !response.status().is_success() {
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
        let reply: Reply = serde_json::from_slice(&body.to_bytes()).ok()?;
        return Some(Reply { error: reply.error.or(Some(Failure::Unknown)), ..reply });
    }
    let by = response.headers().get(HEADER_BY).and_then(|by| by.to_str().ok()).unwrap_or_default().to_owned();
    let is_too_large = response.body().size_hint().lower() > ARTEFACT_BYTES_MAX as u64;
    let taken = if is_too_large {
        order.take(&by, None)
    } else {
        let body = Limited::new(response.into_body(), ARTEFACT_BYTES_MAX).collect().await.ok()?;
        order.take(&by, Some(&body.to_bytes()))
    };
    Some(Reply { by: by.as_str().into(), error: (!taken).then_some(Failure::Denied), ..Reply::default() })
}

/// A client shared by the tasks of one thread.
pub type SharedClient = Rc<Client>;
