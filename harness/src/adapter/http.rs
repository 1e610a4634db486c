//! Owns one request over HTTP to real software. Refuses to keep connections.

use super::{Trouble, connect};
use fixtures::graph::image::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Sends one request and reads its answer.
pub(super) async fn exchange(to: SocketAddr, method: &str, path: &str, send: String) -> Result<Answer, Trouble> {
    let stream = connect(to).await?;
    let gone = |_: hyper::Error| Trouble::Silent;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
    // It ends with the sender.
    tokio::task::spawn_local(connection);
    let request = hyper::Request::builder().method(method).uri(path).header("host", to.to_string());
    let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(send)));
    let request = request.map_err(|error| Trouble::Refused(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(gone)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| Trouble::Refused(error.to_string()))?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Asks what a graph says; `filled` are key and value of a read or a write. `None`: there is no such thing (404).
pub(super) async fn ask(
    to: SocketAddr,
    request: &Request,
    filled: Option<(&str, &str)>,
) -> Result<Option<String>, Trouble> {
    let fill = |text: &str| match filled {
        Some((key, value)) => text.replace("{key}", key).replace("{value}", value),
        None => text.to_owned(),
    };
    let (method, path) = (request.method.as_deref().unwrap_or("GET"), request.path.as_deref().unwrap_or("/"));
    let send = request.send.as_deref().map(fill).unwrap_or_default();
    let answer = exchange(to, method, &fill(path), send).await?;
    if filled.is_some() && method == "GET" && answer.status == 404 {
        return Ok(None);
    }
    let is_good = match request.status {
        Some(status) => answer.status == status,
        None => (200..300).contains(&answer.status),
    };
    if !is_good {
        return Err(Trouble::Refused(format!("status {}", answer.status)));
    }
    if let Some(wanted) = request.body.as_deref().map(fill).filter(|wanted| !answer.body.contains(wanted)) {
        return Err(Trouble::Refused(format!("the answer has no `{wanted}`")));
    }
    Ok(Some(answer.body.trim().to_owned()))
}
