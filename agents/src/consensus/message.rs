//! Owns what members of a replicated store say to each other: one question and one answer each, as JSON. Refuses to know
//! how they travel.

use serde::{Deserialize, Serialize};

/// A place in the list of members.
pub type MemberId = u32;
/// A period with at most one leader; it only grows.
pub type Term = u64;
/// A place in the log, from 1; 0 lies before its beginning.
pub type Index = u64;

/// A change of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// Tells one change from every other, so that one that arrives twice is made once.
    pub id: u64,
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}

/// One entry of the log; one without a change begins a leader's term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The term in which it was made.
    pub term: Term,
    /// What it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put: Option<Put>,
}

/// A question with its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Who asks.
    pub from: MemberId,
    /// What.
    pub message: Message,
}

/// What a member asks another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// "I remember nothing; what do you know?"
    Hello,
    /// "Would you vote for me?" Changes nothing.
    PreVote(Claim),
    /// "Vote for me."
    Vote(Claim),
    /// "I lead; this is what follows in the log." Without entries: a heartbeat.
    Append {
        /// The leader's term.
        term: Term,
        /// The place before the first entry sent.
        prev: Index,
        /// The term of the entry there.
        prev_term: Term,
        /// What follows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entries: Vec<Entry>,
        /// Everything up to here is decided.
        commit: Index,
        /// The end of the leader's log.
        last: Index,
    },
    /// "Decide this for me": to the leader.
    Put(Put),
    /// "Read this for me, as of now": to the leader. Without a key: only whether it can be read.
    Read {
        /// The key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
}

/// What a candidate stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The term that it wants to lead.
    pub term: Term,
    /// The end of its log.
    pub last: Index,
    /// The term of the entry there.
    pub last_term: Term,
}

/// What a member answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Message::Hello`].
    Hello {
        /// It knows of no term and no entry.
        fresh: bool,
        /// It remembers everything that it ever promised.
        member: bool,
        /// Its term.
        term: Term,
    },
    /// To [`Message::PreVote`] and [`Message::Vote`].
    Vote {
        /// Its term.
        term: Term,
        /// Yes or no.
        granted: bool,
    },
    /// To [`Message::Append`].
    Append {
        /// Its term.
        term: Term,
        /// Whether its log agrees with the leader's at `prev`.
        agrees: bool,
        /// Where it agrees: the place up to which its log is the leader's, on its disk. Else: where to go on from.
        at: Index,
    },
    /// To [`Message::Put`]: decided, and stored by these.
    Stored(Vec<MemberId>),
    /// To [`Message::Read`].
    Value(Option<String>),
    /// To [`Message::Put`] and [`Message::Read`]: somebody else leads, or nobody; a change may be decided all the same. To
    /// [`Message::Append`]: it does not follow anybody yet.
    NotLeader,
}
