//! Owns reads and writes of keys in etcd, over its own JSON gateway. Refuses to know its members: each speaks for the
//! cluster.
//!
//! Not a client crate: the kept one builds its messages with a `protoc` binary that is not ours, or ships one, and brings an
//! RPC stack of sixty packages for two requests; the gateway is part of every etcd from 3.4 on, on the port of its clients.

use super::Trouble;
use super::http::{Answer, exchange};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::net::SocketAddr;

/// What customers write is below this.
const PREFIX: &str = "blackstart/";

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    /// Absent where it is empty.
    #[serde(default)]
    value: String,
}

fn key_of(key: &str) -> String {
    STANDARD.encode(format!("{PREFIX}{key}"))
}

/// Writes a key; the answer comes when a majority has it on its disks, as etcd says.
pub(super) async fn write(to: SocketAddr, key: &str, value: &str) -> Result<(), Trouble> {
    let body = format!(r#"{{"key":"{}","value":"{}"}}"#, key_of(key), STANDARD.encode(value));
    good(exchange(to, "POST", "/v3/kv/put", body).await?).map(drop)
}

/// Reads a key as a majority agrees on it; etcd's own default.
pub(super) async fn read(to: SocketAddr, key: &str) -> Result<Option<String>, Trouble> {
    let body = format!(r#"{{"key":"{}"}}"#, key_of(key));
    let text = good(exchange(to, "POST", "/v3/kv/range", body).await?)?;
    let told = |error: &dyn std::fmt::Display| Trouble::Refused(format!("the answer is none: {error}"));
    let range: Range = serde_json::from_str(&text).map_err(|error| told(&error))?;
    let Some(pair) = range.kvs.into_iter().next() else { return Ok(None) };
    let bytes = STANDARD.decode(pair.value).map_err(|error| told(&error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn good(answer: Answer) -> Result<String, Trouble> {
    if answer.status == 200 { Ok(answer.body) } else { Err(Trouble::Refused(answer.body)) }
}
