//! Owns the claim that the committed JSON Schemas say what is really written: each value validates, each written field
//! is in the schema, each field of the schema is written. Refuses to test the validator.

use crate::full;
use reports::{journal, record};
use serde_json::Value;
use std::collections::BTreeSet;

const RECORD_SCHEMA: &str = include_str!("../../schemas/record.schema.json");
const EVENT_SCHEMA: &str = include_str!("../../schemas/event.schema.json");

/// Walks a value along its schema. Properties met in either are noted as `place.property`.
struct Walk {
    root: Value,
    written: BTreeSet<String>,
    described: BTreeSet<String>,
}

impl Walk {
    fn new(schema: &str) -> Self {
        Self { root: serde_json::from_str(schema).unwrap(), written: BTreeSet::new(), described: BTreeSet::new() }
    }

    fn value(&mut self, schema: &Value, place: &str, value: &Value) {
        if let Some(target) = schema["$ref"].as_str() {
            let schema = self.root.pointer(target.trim_start_matches('#')).unwrap().clone();
            return self.value(&schema, target, value);
        }
        if let Some(first) = schema["anyOf"].get(0) {
            return self.value(first, place, value);
        }
        if let Value::Array(items) = value {
            items.iter().for_each(|item| self.value(&schema["items"], place, item));
        }
        let Value::Object(fields) = value else { return };
        if schema["additionalProperties"].is_object() {
            fields.values().for_each(|field| self.value(&schema["additionalProperties"], place, field));
            return;
        }
        let common = schema["properties"].as_object().unwrap();
        self.described.extend(common.keys().map(|name| format!("{place}.{name}")));
        let kind = schema["oneOf"].as_array().into_iter().flatten();
        let kind = kind.map(|one| &one["properties"]).find(|one| one["kind"]["const"] == value["kind"]);
        let own = kind.and_then(Value::as_object);
        let own_place = format!("{place}({})", value["kind"].as_str().unwrap_or_default());
        for name in own.into_iter().flat_map(|own| own.keys()).filter(|name| *name != "kind") {
            self.described.insert(format!("{own_place}.{name}"));
        }
        for (name, field) in fields {
            // An event's own field may have the name of a common one; then it would be written over.
            let (place, schema) = match own.and_then(|own| own.get(name)).filter(|_| name != "kind") {
                Some(schema) => (&own_place, schema),
                None => (&place.to_owned(), common.get(name).unwrap_or(&Value::Null)),
            };
            self.written.insert(format!("{place}.{name}"));
            self.value(schema, &format!("{place}.{name}"), field);
        }
    }
}

#[track_caller]
fn check(schema: &str, values: &[Value]) {
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let mut walk = Walk::new(schema);
    let root = walk.root.clone();
    for value in values {
        let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {value:#}");
        walk.value(&root, "", value);
    }
    assert_eq!(walk.written, walk.described, "left: fields written, right: fields in the schema");
}

#[test]
fn record_schema_describes_every_field() {
    let mut record = full::record("plain");
    record.instances[0].restart_to_active_ms = Some(1.5);
    check(RECORD_SCHEMA, &[serde_json::to_value(&record).unwrap()]);
}

#[test]
fn event_schema_describes_every_kind() {
    let events: Vec<Value> = full::events("plain").iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let schema: Value = serde_json::from_str(EVENT_SCHEMA).unwrap();
    assert_eq!(events.len(), schema["oneOf"].as_array().unwrap().len(), "a kind is missing on one side");
    check(EVENT_SCHEMA, &events);
}

#[test]
fn samples_validate() {
    let validator = jsonschema::validator_for(&serde_json::from_str(RECORD_SCHEMA).unwrap()).unwrap();
    assert!(validator.is_valid(&serde_json::from_str(full::RECORD).unwrap()));
    let validator = jsonschema::validator_for(&serde_json::from_str(EVENT_SCHEMA).unwrap()).unwrap();
    for line in full::EVENTS.lines() {
        assert!(validator.is_valid(&serde_json::from_str(line).unwrap()), "{line}");
    }
}

#[test]
fn schemas_refuse_what_the_readers_refuse() {
    let validator = jsonschema::validator_for(&serde_json::from_str(RECORD_SCHEMA).unwrap()).unwrap();
    let mut later: Value = serde_json::from_str(full::RECORD).unwrap();
    later["schema"] = 2.into();
    assert!(!validator.is_valid(&later) && record::from_json(&later.to_string()).is_err());
    let validator = jsonschema::validator_for(&serde_json::from_str(EVENT_SCHEMA).unwrap()).unwrap();
    let mut foreign: Value = serde_json::from_str(full::EVENTS.lines().next().unwrap()).unwrap();
    foreign["kind"] = "weather".into();
    assert!(!validator.is_valid(&foreign) && journal::read(&format!("{foreign}\n")).is_err());
}
