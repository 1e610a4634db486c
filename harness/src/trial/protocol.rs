//! Owns what a stage is told and tells: JSON lines over its standard input and output. Refuses to know how a stage does it.

use super::question::Question;
use agents::commons::Keys;
use scenarios::trial::{Dependency, Play, Reply};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// The stage's own address: name server, and the way to everybody.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// The image's address. The network is its own, so every trial has the same.
pub const IMAGE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
/// Bits of both that are their network's.
pub const PREFIX: u8 = 24;

/// Somebody who is played in a way of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Name or address.
    pub name: String,
    /// The port; every one where none is told.
    pub port: Option<u16>,
    /// Whether it is always there.
    pub allowed: bool,
    /// What it answers to requests by HTTP, and by gRPC.
    pub page: Page,
}

/// What somebody who is there answers to requests by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    /// The same to every request.
    Fixed {
        /// Status.
        status: u16,
        /// Body.
        body: String,
    },
    /// Credentials, as the metadata service of a machine grants them.
    Credentials,
}

impl Default for Page {
    fn default() -> Self {
        Self::Fixed { status: 200, body: "{}\n".to_owned() }
    }
}

/// What a stage is made with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// The image's own host name.
    pub hostname: String,
    /// Everybody with a role of their own.
    pub roles: Vec<Role>,
    /// What signs the certificates that mocks show. Without it nobody is answered over TLS.
    pub authority: Option<Keys>,
}

/// What is told of a first request that is no request by HTTP.
pub const NOT_HTTP: &str = "not HTTP";
/// What is told, first, of TLS without a request.
pub const TLS: &str = "TLS";

/// How everybody else is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// How.
    pub play: Play,
    /// Only these, and all others are there; all where it is empty.
    pub only: Vec<String>,
}

/// What a stage is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Play so from now on.
    Rules(Rules),
    /// Ask the image.
    Ask {
        /// Of the reply.
        id: u64,
        /// What.
        question: Question,
        /// How long to wait, in milliseconds.
        within_ms: u64,
    },
}

/// What a stage tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// The network is there: the image can be started.
    Ready,
    /// The image wanted to reach somebody, so often since the last word about them.
    Knock {
        /// Whom.
        dependency: Dependency,
        /// Whether it is always there.
        allowed: bool,
        /// How often.
        times: u32,
        /// The first request that was read, told once.
        request: Option<String>,
    },
    /// What became of a question.
    Reply {
        /// Of the question.
        id: u64,
        /// What.
        reply: Reply,
        /// After so many milliseconds.
        took_ms: u64,
    },
}
