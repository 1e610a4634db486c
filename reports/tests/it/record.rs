//! Owns the claims about reading and writing `record.json`. Refuses to look at its renderers.

use crate::full;
use reports::record::{RecordError, from_json, to_json};

#[test]
fn record_survives_its_file() {
    for text in ["plain", "quote \" newline \n \u{1b}[31m \u{202e}"] {
        let record = full::record(text);
        let json = to_json(&record);
        assert!(json.ends_with("}\n"));
        assert_eq!(from_json(&json).unwrap(), record);
    }
}

#[test]
fn later_schema_is_refused_by_number() {
    // Nothing else of a later record can be relied on, not even that its fields are there.
    let error = from_json(r#"{"schema": 7, "run": 3}"#).unwrap_err();
    assert!(matches!(error, RecordError::Newer { found: 7 }));
    assert!(error.to_string().contains("schema 7") && error.to_string().contains("up to 1"), "{error}");
}

#[test]
fn damage_says_which_kind() {
    assert!(matches!(from_json("not json"), Err(RecordError::NotARecord(_))));
    assert!(matches!(from_json(r#"{"run": "x"}"#), Err(RecordError::NotARecord(_))));
    assert!(matches!(from_json(r#"{"schema": 0}"#), Err(RecordError::Zero)));
    assert!(matches!(from_json(r#"{"schema": 1, "run": 3}"#), Err(RecordError::Damaged { schema: 1, .. })));
}

#[test]
fn unknown_fields_are_passed_over() {
    let text = full::RECORD.replacen('{', r#"{ "added_later": [1], "#, 1);
    assert_eq!(from_json(&text).unwrap(), from_json(full::RECORD).unwrap());
}
