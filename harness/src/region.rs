//! Owns regions that stand between game days: what is declared of each, what became of it, and whoever keeps it. Refuses to
//! act on an engine by itself; [`crate::world::docker`] does.
//!
//! A region is objects of an engine, all of one run's id and with its name as their label, and a folder of this machine. Whoever
//! works on it has a hand and a witness of its own there, one at a time: its keeper, or a game day that the keeper has let it
//! to. Who dies leaves a hand that heals everything and stands; so there is one way to begin, which is to take the region over.
//!
//! - [`folder`]: the files and the locks; [`declared`]: what it is to be; [`fit`]: whether a game day is of it
//! - [`ledger`]: what became of it; [`availability`]: what its customers got; [`state`]: how it stands, for those who look
//! - [`drift`]: what is not as declared; [`suffering`]: when a game day harms those whom it should not
//! - [`keep`]: the keeper; [`tenure`]: while it has the region; [`ages`]: deployments

pub mod ages;
pub mod availability;
pub mod declared;
pub mod drift;
pub mod fit;
pub mod folder;
pub mod keep;
pub mod ledger;
pub mod state;
pub mod suffering;
pub mod tenure;

/// Names are parts of paths, labels of objects and of metrics: small letters, digits and hyphens, 63 at most.
pub fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(is_part) && !text.starts_with('-')
}
