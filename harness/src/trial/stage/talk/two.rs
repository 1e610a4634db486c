//! Owns HTTP/2 as somebody who is there speaks it, and gRPC over it. Refuses to decide what is answered, and to know what
//! messages of gRPC mean.
//!
//! A message without a field is one of every type, with each field at its default: so a call of gRPC is answered without
//! knowing its service. The answer comes when the caller has said all; a stream that its caller keeps open gets none.

use super::super::super::protocol::Page;
use super::{Part, Said, answer, kind};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use h2::RecvStream;
use h2::server::SendResponse;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use scenarios::trial::Play;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A message of gRPC without a field: not compressed, no bytes.
const NOTHING: &[u8] = &[0, 0, 0, 0, 0];
/// What asks for the health of a service by gRPC, and the message that says `SERVING`.
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
/// The status of gRPC that is a success.
const GRPC_OK: u16 = 0;

/// One connection.
pub(super) struct Two {
    pipe: Pipe,
    desk: Rc<Desk>,
    going: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

impl Default for Two {
    fn default() -> Self {
        let (pipe, desk) = (Pipe::default(), Rc::new(Desk::default()));
        let going = Box::pin(converse(pipe.clone(), Rc::clone(&desk)));
        Self { pipe, desk, going, woken: Arc::default() }
    }
}

impl Two {
    /// Hears more, and answers every call that is whole.
    pub(super) fn hear(&mut self, bytes: &[u8], part: &Part<'_>) -> Said {
        self.desk.part.replace((part.play, part.page.clone()));
        self.pipe.0.borrow_mut().heard.extend_from_slice(bytes);
        let close = self.drive().is_ready();
        let bytes = std::mem::take(&mut self.pipe.0.borrow_mut().said);
        Said { bytes, close, request: self.desk.first.borrow_mut().take() }
    }

    /// Goes on for as long as there is anything to do; ready when the connection is over.
    fn drive(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut context = Context::from_waker(&waker);
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            let going = self.going.as_mut().poll(&mut context);
            if going.is_ready() || !self.woken.0.load(Ordering::Relaxed) {
                return going;
            }
        }
    }
}

/// Whether there is more to do.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What has come and what is to go. Nobody waits here: whoever brings more goes on with the connection.
#[derive(Clone, Default)]
struct Pipe(Rc<RefCell<Ends>>);

#[derive(Default)]
struct Ends {
    heard: Vec<u8>,
    said: Vec<u8>,
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let heard = &mut self.0.borrow_mut().heard;
        if heard.is_empty() {
            return Poll::Pending;
        }
        let count = heard.len().min(into.remaining());
        into.put_slice(&heard[..count]);
        heard.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.0.borrow_mut().said.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What all calls of a connection share.
struct Desk {
    part: RefCell<(Play, Page)>,
    /// The first call, until it is told.
    first: RefCell<Option<String>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { part: RefCell::new((Play::Answer, Page::default())), first: RefCell::new(None) }
    }
}

/// The whole of a connection.
async fn converse(pipe: Pipe, desk: Rc<Desk>) {
    let Ok(mut connection) = h2::server::handshake(pipe).await else { return };
    let mut calls: FuturesUnordered<Pin<Box<dyn Future<Output = ()>>>> = FuturesUnordered::new();
    poll_fn(|context| {
        loop {
            match connection.poll_accept(context) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    calls.push(Box::pin(call(request, respond, Rc::clone(&desk))));
                    continue;
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            // What a call has said is written by the connection.
            match calls.poll_next_unpin(context) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

/// Hears one call to its end, and answers it. Where the caller has gone nobody needs an answer.
async fn call(request: Request<RecvStream>, respond: SendResponse<Bytes>, desk: Rc<Desk>) {
    let (head, mut body) = request.into_parts();
    let is_grpc = head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let line = format!("{} {} by {}", head.method, head.uri.path(), if is_grpc { "gRPC" } else { "HTTP/2" });
    desk.first.borrow_mut().get_or_insert(line);
    while let Some(piece) = body.data().await {
        let Ok(piece) = piece else { return };
        if body.flow_control().release_capacity(piece.len()).is_err() {
            return;
        }
    }
    let (play, page) = desk.part.borrow().clone();
    let _gone = if is_grpc { by_grpc(&head, respond, play, &page) } else { by_http(&head, respond, play, &page) };
}

fn by_http(head: &Parts, mut respond: SendResponse<Bytes>, play: Play, page: &Page) -> Result<(), h2::Error> {
    let (status, body) = answer(play, page, head.uri.path());
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind(&body)));
    response.headers_mut().insert("content-length", HeaderValue::from(body.len()));
    let is_empty = body.is_empty() || head.method == Method::HEAD;
    let mut stream = respond.send_response(response, is_empty)?;
    if is_empty { Ok(()) } else { stream.send_data(Bytes::from(body), true) }
}

fn by_grpc(head: &Parts, mut respond: SendResponse<Bytes>, play: Play, page: &Page) -> Result<(), h2::Error> {
    let status = grpc_status(answer(play, page, head.uri.path()).0);
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    if status != GRPC_OK {
        response.headers_mut().insert("grpc-status", HeaderValue::from(status));
        response.headers_mut().insert("grpc-message", HeaderValue::from_static("out of order"));
        return respond.send_response(response, true).map(drop);
    }
    let mut stream = respond.send_response(response, false)?;
    let message = if head.uri.path() == HEALTH { SERVING } else { NOTHING };
    stream.send_data(Bytes::from_static(message), false)?;
    let mut end = HeaderMap::new();
    end.insert("grpc-status", HeaderValue::from(GRPC_OK));
    stream.send_trailers(end)
}

/// The status of gRPC that stands for one of HTTP, as gRPC's own clients have it.
fn grpc_status(http: u16) -> u16 {
    match http {
        200..=399 => GRPC_OK,
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Talk;
    use super::*;
    use h2::client;

    /// What a client of HTTP/2 is told that asks once: status, headers, body, and what follows it.
    struct Told {
        status: u16,
        headers: HeaderMap,
        body: Vec<u8>,
        end: HeaderMap,
        request: Option<String>,
    }

    async fn ask(pipe: Pipe, request: Request<()>, sent: &'static [u8], told: Rc<RefCell<Option<Told>>>) {
        let (mut client, connection) = client::handshake(pipe).await.expect("it is HTTP/2");
        let asking = async {
            let (response, mut stream) = client.send_request(request, sent.is_empty()).expect("it is sent");
            if !sent.is_empty() {
                stream.send_data(Bytes::from_static(sent), true).expect("it is sent");
            }
            let (head, mut stream) = response.await.expect("it is answered").into_parts();
            let mut body = Vec::new();
            while let Some(piece) = stream.data().await {
                body.extend(piece.expect("it comes"));
            }
            let end = stream.trailers().await.expect("they come").unwrap_or_default();
            let (status, headers) = (head.status.as_u16(), head.headers);
            told.replace(Some(Told { status, headers, body, end, request: None }));
        };
        futures_util::future::select(Box::pin(asking), Box::pin(connection)).await;
    }

    fn told(path: &str, kind: &str, sent: &'static [u8], (play, page): (Play, &Page)) -> Told {
        let request = Request::post(format!("http://db{path}")).header("content-type", kind).body(()).expect("one");
        let (pipe, answer) = (Pipe::default(), Rc::new(RefCell::new(None)));
        let mut asking = Box::pin(ask(pipe.clone(), request, sent, Rc::clone(&answer)));
        let (mut talk, mut first) = (Talk::default(), None);
        for _ in 0..20 {
            let _going = asking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if let Some(mut told) = answer.borrow_mut().take() {
                told.request = first;
                return told;
            }
            let asked = std::mem::take(&mut pipe.0.borrow_mut().said);
            // However it arrives.
            for piece in asked.chunks(7) {
                let said = talk.hear(piece, &mut Part { play, page, who: "db", notary: None });
                first = first.or(said.request);
                pipe.0.borrow_mut().heard.extend(said.bytes);
            }
        }
        panic!("no answer");
    }

    #[test]
    fn a_call_by_grpc_gets_a_message_without_a_field_and_an_error_where_it_fails() {
        let page = Page::default();
        let (call, kind) = ("/orders.Orders/Place", "application/grpc+proto");
        let well = told(call, kind, NOTHING, (Play::Answer, &page));
        assert_eq!(
            (well.status, well.body.as_slice(), &well.end["grpc-status"]),
            (200, NOTHING, &HeaderValue::from(0))
        );
        assert_eq!(well.request.as_deref(), Some("POST /orders.Orders/Place by gRPC"));
        let failed = told(call, kind, NOTHING, (Play::Fail, &page));
        assert_eq!(
            (failed.status, failed.body.len(), &failed.headers["grpc-status"]),
            (200, 0, &HeaderValue::from(14))
        );
        let denied = Page::Fixed { status: 403, body: String::new() };
        assert_eq!(told(call, kind, NOTHING, (Play::Answer, &denied)).headers["grpc-status"], HeaderValue::from(7));
        assert_eq!(told(HEALTH, kind, NOTHING, (Play::Answer, &page)).body, SERVING);
    }

    #[test]
    fn a_request_by_http_2_gets_the_page() {
        let page = Page::Fixed { status: 201, body: "[1]".to_owned() };
        let well = told("/things", "text/plain", b"", (Play::Answer, &page));
        assert_eq!((well.status, well.body.as_slice()), (201, &b"[1]"[..]));
        assert_eq!(well.headers["content-type"], "application/json");
        assert_eq!(well.request.as_deref(), Some("POST /things by HTTP/2"));
        assert_eq!(told("/things", "text/plain", b"x", (Play::Fail, &page)).status, 503);
    }

    #[test]
    fn what_is_no_http_2_after_all_ends_the_connection() {
        let page = Page::default();
        let bytes = [super::super::PREFACE, b"and something else altogether"].concat();
        let said = Talk::default().hear(&bytes, &mut Part { play: Play::Answer, page: &page, who: "db", notary: None });
        assert!(said.close && said.request.is_none());
    }
}
