//! Owns what is asked of PostgreSQL: statements, and a table of keys of its own. Refuses to keep connections.
//!
//! Where a graph says `writable`, a connection is made as `target_session_attrs=read-write` makes it: to the first member, in
//! order, that takes writes.

use super::Trouble;
use fixtures::graph::image::{Client, ClientReach, Request};
use std::net::IpAddr;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error, NoTls};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS blackstart (key text PRIMARY KEY, value text NOT NULL)";
const WRITE: &str = "INSERT INTO blackstart (key, value) VALUES ($1, $2) \
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const WHERE: &str = "SELECT inet_server_addr()";
const READ: &str = "SELECT value FROM blackstart WHERE key = $1";

async fn open(hosts: &[IpAddr], port: u16, client: &Client, writable: bool) -> Result<tokio_postgres::Client, Trouble> {
    let mut config = Config::new();
    for host in hosts {
        config.host(host.to_string());
    }
    config.port(port).connect_timeout(client.timeout / 3).application_name("blackstart");
    if let Some(user) = &client.user {
        config.user(user);
    }
    if let Some(password) = &client.password {
        config.password(password);
    }
    if let Some(database) = &client.database {
        config.dbname(database);
    }
    if writable {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    let (session, connection) = config.connect(NoTls).await.map_err(|error| trouble(&error, hosts.len() > 1))?;
    // It ends with the session; why is told to whoever waits for an answer.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(session)
}

/// A statement that must succeed; without one, `SELECT 1`.
pub(super) async fn query(hosts: &[IpAddr], port: u16, client: &Client, request: &Request) -> Result<(), Trouble> {
    let session = open(hosts, port, client, hosts.len() > 1).await?;
    let statement = request.query.as_deref().unwrap_or("SELECT 1");
    session.simple_query(statement).await.map(drop).map_err(|error| trouble(&error, false))
}

/// Writes a key; the table is made when there is none. Returns where the member is that took it.
pub(super) async fn write(hosts: &[IpAddr], client: &Client, key: &str, value: &str) -> Result<IpAddr, Trouble> {
    let told = |error: Error| trouble(&error, false);
    let session = open(hosts, client.port, client, client.reach == ClientReach::Writable).await?;
    // Asked before the write: once that is acknowledged, nothing may keep the acknowledgement from whoever wrote.
    let at = session.query_one(WHERE, &[]).await.and_then(|row| row.try_get::<_, IpAddr>(0)).map_err(told)?;
    match session.execute(WRITE, &[&key, &value]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            session.batch_execute(TABLE).await.map_err(told)?;
            session.execute(WRITE, &[&key, &value]).await.map_err(told)?;
        }
        done => drop(done.map_err(told)?),
    }
    Ok(at)
}

/// Reads a key.
pub(super) async fn read(hosts: &[IpAddr], client: &Client, key: &str) -> Result<Option<String>, Trouble> {
    let session = open(hosts, client.port, client, client.reach == ClientReach::Writable).await?;
    match session.query_opt(READ, &[&key]).await {
        Ok(row) => row.map(|row| row.try_get(0)).transpose().map_err(|error| trouble(&error, false)),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(trouble(&error, false)),
    }
}

/// Where several members were tried, that none of them would have it does not mean that nobody is there.
fn trouble(error: &Error, several: bool) -> Trouble {
    let cause = std::error::Error::source(error);
    let io = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    match io {
        Some(io) if !several => Trouble::of(io),
        _ if error.is_closed() && !several => Trouble::Silent,
        _ => Trouble::Refused(cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))),
    }
}
