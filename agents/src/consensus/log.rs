//! Owns the log of a member: its entries, how they and the member's promises lie in the state file, and how a file is
//! read again. Refuses to know who agreed to what.
//!
//! The file is appended to and never rewritten: an entry for a place that is taken cuts off everything from there on.

use super::message::{Entry, Index, MemberId, Put, Term};

/// Key of a record that holds an entry: `INDEX TERM ID KEY VALUE`, or `INDEX TERM` where it changes nothing.
pub const RECORD_ENTRY: &str = "@entry";
/// Key of a record that holds the term and the vote given in it: `TERM MEMBER`, or `TERM -`.
pub const RECORD_TERM: &str = "@term";
/// Key of the record that says: from here on this member remembers everything that it promises.
pub const RECORD_MEMBER: &str = "@member";

/// Entries from place 1.
#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<Entry>,
}

/// What a state file held.
#[derive(Debug, Default)]
pub struct Remembered {
    /// The log.
    pub log: Log,
    /// The last term seen.
    pub term: Term,
    /// Whom it voted for in it.
    pub voted: Option<MemberId>,
    /// Whether it remembers everything that it ever promised.
    pub member: bool,
}

impl Log {
    /// The place of the last entry.
    pub fn last(&self) -> Index {
        self.entries.len() as Index
    }

    /// The term of the last entry.
    pub fn last_term(&self) -> Term {
        self.entries.last().map_or(0, |entry| entry.term)
    }

    /// The term of the entry at a place; 0 before the beginning, `None` behind the end.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == 0 { Some(0) } else { self.get(index).map(|entry| entry.term) }
    }

    /// The entry at a place.
    pub fn get(&self, index: Index) -> Option<&Entry> {
        self.entries.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// Puts an entry at a place, and cuts off what was there and behind it. False where that would leave a gap.
    pub fn put(&mut self, index: Index, entry: Entry) -> bool {
        let Some(place) = index.checked_sub(1).and_then(|place| usize::try_from(place).ok()) else { return false };
        if place > self.entries.len() {
            return false;
        }
        self.entries.truncate(place);
        self.entries.push(entry);
        true
    }

    /// Entries from a place on, as many as fit into so many bytes, but at least one.
    pub fn from(&self, index: Index, bytes_max: usize) -> Vec<Entry> {
        let first = usize::try_from(index.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let first_one = bytes == 0;
            bytes += entry.put.as_ref().map_or(32, |put| 96 + put.key.len() + put.value.len());
            first_one || bytes <= bytes_max
        };
        self.entries.get(first..).unwrap_or_default().iter().take_while(fits).cloned().collect()
    }

    /// The first place whose entry has the term of the entry at `index`.
    pub fn first_of_term_at(&self, index: Index) -> Index {
        let term = self.term_at(index);
        let mut first = index;
        while first > 1 && self.term_at(first - 1) == term {
            first -= 1;
        }
        first
    }
}

/// The record of an entry.
pub fn entry_record(index: Index, entry: &Entry) -> String {
    match &entry.put {
        None => format!("{index} {}", entry.term),
        Some(put) => format!("{index} {} {} {} {}", entry.term, put.id, put.key, put.value),
    }
}

/// The record of a term and the vote in it.
pub fn term_record(term: Term, voted: Option<MemberId>) -> String {
    voted.map_or_else(|| format!("{term} -"), |member| format!("{term} {member}"))
}

/// Reads a state file again. What cannot be read is left out: it was never acted upon.
pub fn remember(records: &[(String, String)]) -> Remembered {
    let mut known = Remembered::default();
    for (key, value) in records {
        match key.as_str() {
            RECORD_MEMBER => known.member = true,
            RECORD_TERM => {
                if let Some((term, voted)) = parse_term(value).filter(|(term, _)| *term >= known.term) {
                    (known.term, known.voted) = (term, voted);
                }
            }
            RECORD_ENTRY => {
                if let Some((index, entry)) = parse_entry(value) {
                    known.log.put(index, entry);
                }
            }
            _ => {}
        }
    }
    known
}

fn parse_term(text: &str) -> Option<(Term, Option<MemberId>)> {
    let (term, voted) = text.split_once(' ')?;
    Some((term.parse().ok()?, voted.parse().ok()))
}

fn parse_entry(text: &str) -> Option<(Index, Entry)> {
    let mut parts = text.splitn(5, ' ');
    let index = parts.next()?.parse().ok()?;
    let term = parts.next()?.parse().ok()?;
    let put = match parts.next() {
        None => None,
        Some(id) => Some(Put { id: id.parse().ok()?, key: parts.next()?.to_owned(), value: parts.next()?.to_owned() }),
    };
    Some((index, Entry { term, put }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: Term, key: &str) -> Entry {
        Entry { term, put: Some(Put { id: 7, key: key.to_owned(), value: "two words".to_owned() }) }
    }

    #[test]
    fn a_file_read_again_gives_what_was_written_and_a_later_entry_cuts_the_log() {
        let nothing = Entry { term: 1, put: None };
        let all = [
            (RECORD_MEMBER, String::new()),
            (RECORD_TERM, term_record(1, Some(2))),
            (RECORD_ENTRY, entry_record(1, &nothing)),
            (RECORD_ENTRY, entry_record(2, &entry(1, "a"))),
            (RECORD_ENTRY, entry_record(3, &entry(1, "b"))),
            (RECORD_TERM, term_record(4, None)),
            (RECORD_ENTRY, entry_record(2, &entry(4, "c"))),
            (RECORD_ENTRY, entry_record(9, &entry(4, "behind a gap"))),
        ];
        let records: Vec<_> = all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let known = remember(&records);
        assert_eq!((known.term, known.voted, known.member), (4, None, true));
        assert_eq!(known.log.entries, [nothing, entry(4, "c")]);
        assert_eq!((known.log.last(), known.log.last_term(), known.log.term_at(3)), (2, 4, None));
    }

    #[test]
    fn at_least_one_entry_fits_into_anything() {
        let mut log = Log::default();
        for index in 1..=5 {
            assert!(log.put(index, entry(1, "k")));
        }
        assert_eq!((log.from(2, 0).len(), log.from(2, 10_000).len(), log.from(6, 10_000).len()), (1, 4, 0));
    }
}
