//! Owns the check of a history of reads and writes against a register: whether each can have happened in one instant
//! between its beginning and its end, so that every read gives what was written last. Refuses to know who made it.
//!
//! Every value is written once, so that a read names its write. Then a write and its reads lie together in every order
//! that explains the history, and such a group `i` must come before a group `j` exactly where some operation of `i` had
//! ended before some operation of `j` began: where `first end of i < last beginning of j`. The history can be explained
//! where no two groups must come before each other (Gibbons and Korach, Testing Shared Memories, SIAM J. Comput. 26(4),
//! 1997). That takes `n log n` steps where a search for an order takes exponentially many.
//!
//! A write without an answer may have happened at any time after its beginning, or not at all. A read without an answer
//! says nothing.

use std::collections::BTreeMap;

/// A moment in nanoseconds.
pub type Moment = u64;

/// One operation on one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Something by which its caller knows it again.
    pub id: usize,
    /// When it was asked for.
    pub begin: Moment,
    /// When it was answered; `None`: never, or with an error.
    pub end: Option<Moment>,
    /// What it was.
    pub what: What,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// This value was written; no other write has it.
    Write(String),
    /// This value was read; `None`: nothing was ever written.
    Read(Option<String>),
}

/// Why a history cannot be explained; operations by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// A read gave what nobody had begun to write.
    NeverWritten {
        /// The read.
        read: usize,
    },
    /// One value was written twice: this check does not know which of them a read saw.
    WrittenTwice {
        /// The second write.
        write: usize,
    },
    /// Two values must each come before the other.
    Crossed {
        /// An operation on the one value that ended before `later` of the other began.
        earlier: usize,
        /// The operation of the other value that began after it.
        later: usize,
        /// An operation on the other value that ended before `last` of the one began.
        between: usize,
        /// The operation of the one value that began after that.
        last: usize,
    },
}

/// A write with its reads.
#[derive(Debug, Clone)]
struct Group {
    /// The first end, and whose it is; nothing that ends belongs to a write that was never answered nor read.
    first_end: Option<(Moment, usize)>,
    /// The last beginning, and whose it is; `None` for what was there before everything, unread.
    last_begin: Option<(Moment, usize)>,
    /// When its write was begun; `None` for what was there before everything.
    written: Option<Moment>,
}

/// The id of what was there before everything.
pub const BEFORE: usize = usize::MAX;

/// Checks the operations on one register.
///
/// # Errors
/// What cannot be explained; of several breaches one.
pub fn check(operations: &[Operation]) -> Result<(), Breach> {
    let groups = group(operations)?;
    // Moments are shifted by one, so that zero lies before all of them.
    let end = |group: &Group| group.first_end.map_or(Moment::MAX, |(moment, _)| moment);
    let begin = |group: &Group| group.last_begin.map_or(0, |(moment, _)| moment);
    let mut by_end: Vec<&Group> = groups.iter().collect();
    by_end.sort_by_key(|group| end(group));
    // Of the groups whose first end lies before some moment: the two with the latest last beginnings.
    let mut latest: Vec<[Option<usize>; 2]> = Vec::with_capacity(by_end.len() + 1);
    latest.push([None, None]);
    for (position, group) in by_end.iter().enumerate() {
        let [first, second] = latest[position];
        let is_later = |known: Option<usize>| known.is_none_or(|known| begin(group) > begin(by_end[known]));
        latest.push(if is_later(first) {
            [Some(position), first]
        } else if is_later(second) {
            [first, Some(position)]
        } else {
            [first, second]
        });
    }
    for (position, group) in by_end.iter().enumerate() {
        let before = by_end.partition_point(|other| end(other) < begin(group));
        let rivals = latest[before].into_iter().flatten().filter(|rival| *rival != position);
        if let Some(rival) = rivals.map(|rival| by_end[rival]).find(|rival| begin(rival) > end(group)) {
            return Err(crossed(rival, group));
        }
    }
    Ok(())
}

fn crossed(one: &Group, other: &Group) -> Breach {
    let id = |known: Option<(Moment, usize)>| known.map_or(BEFORE, |(_, id)| id);
    Breach::Crossed {
        earlier: id(one.first_end),
        later: id(other.last_begin),
        between: id(other.first_end),
        last: id(one.last_begin),
    }
}

/// Two reads, one after the other, of which the later gave a value whose write had been answered before the write of the
/// earlier one's value began; `None` where no read goes back like that. Of a write without an answer nobody knows when it
/// happened: it is older than nothing.
pub fn back_in_time(operations: &[Operation]) -> Option<(usize, usize)> {
    let mut writes: BTreeMap<&str, (Moment, Moment)> = BTreeMap::new();
    let mut reads: Vec<(Moment, Moment, usize, Option<&str>)> = Vec::new();
    for operation in operations {
        match &operation.what {
            What::Write(value) => {
                writes.insert(value, (operation.begin, operation.end.unwrap_or(Moment::MAX)));
            }
            What::Read(value) => {
                reads.extend(operation.end.map(|end| (operation.begin, end, operation.id, value.as_deref())));
            }
        }
    }
    // What was there before everything was written and done at the first moment.
    let written = |value: Option<&str>| value.map_or(Some((0, 0)), |value| writes.get(value).copied());
    let mut ended: Vec<(Moment, Moment, usize)> =
        reads.iter().filter_map(|&(_, end, id, value)| Some((end, written(value)?.0, id))).collect();
    ended.sort_unstable();
    reads.sort_unstable();
    let (mut newest, mut ended) = ((0, None), ended.into_iter().peekable());
    for (begin, _, id, value) in reads {
        while let Some((_, began, earlier)) = ended.next_if(|(end, ..)| *end < begin) {
            if began > newest.0 {
                newest = (began, Some(earlier));
            }
        }
        if let ((began, Some(earlier)), Some((_, done))) = (newest, written(value))
            && done < began
        {
            return Some((earlier, id));
        }
    }
    None
}

/// Writes with their reads; those of which nothing was ever heard are left out.
fn group(operations: &[Operation]) -> Result<Vec<Group>, Breach> {
    let before = Group { first_end: Some((0, BEFORE)), last_begin: None, written: None };
    let mut groups: BTreeMap<Option<&str>, Group> = BTreeMap::from([(None, before)]);
    for operation in operations {
        let What::Write(value) = &operation.what else { continue };
        let begin = operation.begin.saturating_add(1);
        let group = Group {
            first_end: operation.end.map(|end| (end.saturating_add(1), operation.id)),
            last_begin: Some((begin, operation.id)),
            written: Some(begin),
        };
        if groups.insert(Some(value), group).is_some() {
            return Err(Breach::WrittenTwice { write: operation.id });
        }
    }
    for operation in operations {
        let (What::Read(value), Some(end)) = (&operation.what, operation.end) else { continue };
        let (begin, end) = (operation.begin.saturating_add(1), end.saturating_add(1));
        let group = groups.get_mut(&value.as_deref()).ok_or(Breach::NeverWritten { read: operation.id })?;
        if group.written.is_some_and(|written| end < written) {
            return Err(Breach::NeverWritten { read: operation.id });
        }
        if group.first_end.is_none_or(|(first, _)| end < first) {
            group.first_end = Some((end, operation.id));
        }
        if group.last_begin.is_none_or(|(last, _)| begin > last) {
            group.last_begin = Some((begin, operation.id));
        }
    }
    Ok(groups.into_values().filter(|group| group.first_end.is_some()).collect())
}
