//! Owns the decision whether a message is tried again, and when: from what came back, and how often it was tried. Refuses to
//! know sockets and clocks.

use std::fmt;
use std::time::Duration;

/// How long to go on trying.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Attempts at most.
    pub attempts: u32,
    /// From the first failed attempt to the next; each later pause is four times as long.
    pub pause: Duration,
    /// No pause is longer, also where the receiver asks for it.
    pub pause_max: Duration,
    /// One attempt, from looking up the name to the end of the answer's head.
    pub timeout: Duration,
    /// Statuses after which the same request may succeed.
    pub again: fn(u16) -> bool,
}

impl Patience {
    /// Six attempts within about six minutes: a receiver that is being restarted is met, and one that is gone does not hold
    /// up the next message for long.
    pub const USUAL: Self = Self {
        attempts: 6,
        pause: Duration::from_secs(1),
        pause_max: Duration::from_secs(300),
        timeout: Duration::from_secs(10),
        again: server_trouble,
    };
}

/// The receiver's own trouble, or too many requests.
pub fn server_trouble(status: u16) -> bool {
    status == 429 || status == 408 || (500..600).contains(&status)
}

/// Of these alone OTLP says that they may be tried again.
pub fn otlp_trouble(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// What came back from one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status, and after how long the receiver wants to be asked again.
    Status(u16, Option<Duration>),
    /// Nothing came in time.
    Silence,
    /// There was no connection, or it broke.
    Unreachable(String),
    /// The request cannot be made at all.
    Impossible(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, _) if (300..400).contains(status) => {
                write!(f, "it answered {status}: a signed message follows no redirection")
            }
            Self::Status(status, _) => write!(f, "it answered {status}"),
            Self::Silence => f.write_str("it did not answer in time"),
            Self::Unreachable(why) => write!(f, "no connection: {why}"),
            Self::Impossible(why) => f.write_str(why),
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is there.
    Delivered,
    /// Try again after so long.
    Again(Duration),
    /// Nothing, and why.
    GiveUp(String),
}

/// What follows from an answer to the attempt of this number, from 1.
pub fn next(patience: &Patience, made: u32, answer: &Answer) -> Next {
    let asked = match answer {
        Answer::Status(200..300, _) => return Next::Delivered,
        Answer::Status(status, after) if (patience.again)(*status) => *after,
        Answer::Status(..) | Answer::Impossible(_) => return Next::GiveUp(answer.to_string()),
        Answer::Silence | Answer::Unreachable(_) => None,
    };
    if made >= patience.attempts {
        return Next::GiveUp(answer.to_string());
    }
    let own = patience.pause.saturating_mul(4_u32.saturating_pow(made.saturating_sub(1)));
    Next::Again(own.max(asked.unwrap_or_default()).min(patience.pause_max))
}

#[cfg(test)]
mod tests {
    use super::{Answer, Next, Patience, next, otlp_trouble};
    use std::time::Duration;

    #[test]
    fn trouble_is_tried_again_longer_each_time_and_at_last_given_up() {
        let usual = Patience::USUAL;
        let trouble = [Answer::Status(503, None), Answer::Silence, Answer::Unreachable("refused".to_owned())];
        for answer in trouble {
            let pauses: Vec<Next> = (1..=5).map(|made| next(&usual, made, &answer)).collect();
            assert_eq!(pauses, [1, 4, 16, 64, 256].map(|seconds| Next::Again(Duration::from_secs(seconds))));
            assert_eq!(next(&usual, 6, &answer), Next::GiveUp(answer.to_string()));
        }
        assert_eq!(next(&usual, u32::MAX - 1, &Answer::Silence), Next::GiveUp("it did not answer in time".to_owned()));
    }

    #[test]
    fn what_a_receiver_means_is_believed() {
        let usual = Patience::USUAL;
        assert_eq!(next(&usual, 1, &Answer::Status(204, None)), Next::Delivered);
        for status in [301, 307, 400, 401, 404, 410, 413] {
            assert!(matches!(next(&usual, 1, &Answer::Status(status, None)), Next::GiveUp(_)), "{status}");
        }
        let after = |seconds| Answer::Status(429, Some(Duration::from_secs(seconds)));
        assert_eq!(next(&usual, 1, &after(30)), Next::Again(Duration::from_secs(30)));
        assert_eq!(next(&usual, 1, &after(86_400)), Next::Again(usual.pause_max));
        let otlp = Patience { again: otlp_trouble, ..usual };
        assert!(matches!(next(&otlp, 1, &Answer::Status(500, None)), Next::GiveUp(_)));
        assert!(matches!(next(&otlp, 1, &Answer::Status(503, None)), Next::Again(_)));
    }
}
