//! Owns what is asked of Redis, and of sentinels. Refuses to keep connections.
//!
//! The crate's own plain client, on threads for what blocks: each question is one short connection with bounds of its own.

use super::Trouble;
use fixtures::graph::image::Client;
use redis::{Commands, ConnectionAddr, ConnectionLike, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use std::net::SocketAddr;
use std::time::Duration;

/// What customers write is below this.
const PREFIX: &str = "blackstart:";

/// Whether it answers.
pub(super) async fn ping(to: SocketAddr, client: &Client) -> Result<(), Trouble> {
    // A sentinel knows no user of the data.
    at(to, client.clone(), |connection| redis::cmd("PING").query::<String>(connection).map(drop)).await
}

/// Writes a key: what is acknowledged is what Redis says `OK` to.
pub(super) async fn write(to: SocketAddr, client: &Client, key: &str, value: &str) -> Result<(), Trouble> {
    let (key, value) = (format!("{PREFIX}{key}"), value.to_owned());
    at(to, client.clone(), move |connection| connection.set::<_, _, ()>(key, value)).await
}

/// Reads a key.
pub(super) async fn read(to: SocketAddr, client: &Client, key: &str) -> Result<Option<String>, Trouble> {
    let key = format!("{PREFIX}{key}");
    at(to, client.clone(), move |connection| connection.get::<_, Option<String>>(key)).await
}

/// Asks the sentinels, one after the other, who is the master, and whether that one says so too, as good clients do
/// (redis.io, "Guidelines for Redis clients with support for Sentinel").
pub(super) async fn master(sentinels: &[SocketAddr], name: &str, client: &Client) -> Result<SocketAddr, Trouble> {
    let mut trouble = Trouble::Refused("there is no sentinel".to_owned());
    for sentinel in sentinels {
        let name = name.to_owned();
        let quick = Client { timeout: client.timeout / 4, ..client.clone() };
        let asked = at(*sentinel, quick.clone(), move |connection| {
            let said = redis::cmd("SENTINEL").arg("get-master-addr-by-name").arg(name).query(connection);
            said.map(|said: Option<(String, u16)>| said)
        });
        match asked.await {
            Ok(Some((address, port))) => {
                let address = address.parse().map_err(|_| Trouble::Refused(format!("{address} is no address")))?;
                let to = SocketAddr::new(address, port);
                let role = at(to, quick, |connection| redis::cmd("ROLE").query::<redis::Value>(connection)).await;
                match role {
                    Ok(redis::Value::Array(words)) if words.first().is_some_and(says_master) => return Ok(to),
                    Ok(_) => trouble = Trouble::Refused(format!("{to} is no master any more")),
                    // Nobody is there: a client waits until the sentinels have found another.
                    Err(_) => trouble = Trouble::Refused(format!("the master at {to} does not answer")),
                }
            }
            Ok(None) => trouble = Trouble::Refused("the sentinels know no such master".to_owned()),
            Err(_) => trouble = Trouble::Refused("no sentinel answers".to_owned()),
        }
    }
    Err(trouble)
}

fn says_master(word: &redis::Value) -> bool {
    matches!(word, redis::Value::BulkString(bytes) if bytes == b"master")
}

/// One question over a connection of its own.
async fn at<T: Send + 'static>(
    to: SocketAddr,
    client: Client,
    ask: impl FnOnce(&mut redis::Connection) -> Result<T, RedisError> + Send + 'static,
) -> Result<T, Trouble> {
    let asking = move || {
        let bound = client.timeout.max(Duration::from_millis(1));
        let mut login = RedisConnectionInfo::default();
        if let Some(password) = &client.password {
            login = login.set_password(password.as_str());
        }
        if let Some(user) = &client.user {
            login = login.set_username(user.as_str());
        }
        let address = ConnectionAddr::Tcp(to.ip().to_string(), to.port());
        let info = address.into_connection_info()?.set_redis_settings(login);
        let mut connection = redis::Client::open(info)?.get_connection_with_timeout(bound)?;
        connection.set_read_timeout(Some(bound))?;
        connection.set_write_timeout(Some(bound))?;
        debug_assert!(connection.is_open(), "it was opened just now");
        ask(&mut connection)
    };
    let asked: Result<T, RedisError> =
        tokio::task::spawn_blocking(asking).await.map_err(|error| Trouble::Refused(error.to_string()))?;
    asked.map_err(|error| trouble(&error))
}

fn trouble(error: &RedisError) -> Trouble {
    if error.is_timeout() {
        Trouble::Late
    } else if error.is_connection_refusal() || error.is_connection_dropped() || error.kind() == ErrorKind::Io {
        Trouble::Silent
    } else {
        Trouble::Refused(error.to_string())
    }
}
