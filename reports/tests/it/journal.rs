//! Owns the claims about `events.jsonl`. Refuses to look at what the events mean.

use crate::full;
use reports::journal::{JournalError, read, to_line};

fn text_of(events: &[scenarios::event::Event]) -> String {
    events.iter().map(|event| to_line(event) + "\n").collect()
}

#[test]
fn every_kind_survives_its_line() {
    for text in ["plain", "line\nbreak \" \\ \u{7} \u{202e}"] {
        let events = full::events(text);
        let journal = read(&text_of(&events)).unwrap();
        assert_eq!(journal.events, events);
        assert_eq!(journal.torn, None);
        assert!(events.iter().all(|event| !to_line(event).contains('\n')));
    }
}

#[test]
fn torn_last_line_is_told_not_fatal() {
    let whole = text_of(&full::events("plain"));
    let lines = whole.lines().count();
    for cut in 2..60 {
        let journal = read(&whole[..whole.len() - cut]).unwrap();
        assert_eq!(journal.events.len(), lines - 1);
        assert_eq!(journal.torn.unwrap().line, lines);
    }
    let without_newline = read(whole.trim_end()).unwrap();
    assert_eq!((without_newline.events.len(), without_newline.torn), (lines, None));
}

#[test]
fn damage_before_the_end_names_its_line() {
    let mut lines: Vec<String> = full::events("plain").iter().map(to_line).collect();
    lines[3].truncate(20);
    let error = read(&(lines.join("\n") + "\n")).unwrap_err();
    assert!(matches!(error, JournalError::NotAnEvent { line: 4, .. }), "{error:?}");
    // A complete line is not torn, even where it is the last.
    assert!(matches!(read("{}\n"), Err(JournalError::NotAnEvent { line: 1, .. })));
}

#[test]
fn repeated_id_is_refused() {
    let event = to_line(&full::events("plain")[0]);
    let error = read(&format!("{event}\n\n{event}\n")).unwrap_err();
    assert_eq!(error.to_string(), "line 3 repeats the event id `e1`");
}
