//! Owns the claims about what code scanning reads. Refuses to check files: the findings are made here.

use fixtures::diagnostic::{Diagnostic, Source};
use reports::sarif;
use serde_json::Value;

fn log() -> Value {
    let source = Source { name: "game days/day.toml".to_owned(), text: "name = 'day'\ncolour = 'röd'\n".to_owned() };
    let at = source.text.find("colour").unwrap();
    let found = [
        Diagnostic::error("unknown-key", &source, Some(at..at + 6), "unknown key `colour`")
            .with_help("did you mean `color`?"),
        Diagnostic::warning("startup-cycle", &source, None, "a needs b needs a"),
    ];
    let rows: Vec<sarif::Row<'_>> = found.iter().map(sarif::Row::from).collect();
    serde_json::from_str(&sarif::render(&rows, &[source], "0.1.0")).unwrap()
}

#[test]
fn a_finding_has_its_place_and_rule() {
    let log = log();
    let run = &log["runs"][0];
    let first = &run["results"][0];
    assert_eq!((first["ruleId"].as_str(), first["level"].as_str()), (Some("unknown-key"), Some("error")));
    let place = &first["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "game%20days/day.toml");
    assert_eq!(place["region"], serde_json::json!({ "startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 7 }));
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    assert_eq!(run["results"][1]["level"], "warning");
}

#[test]
fn the_log_is_valid_by_the_published_schema() {
    // One pattern of the published schema has a bracket too many, which strict readers of patterns refuse.
    let schema = include_str!("../schemas/sarif-2.1.0.json").replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&log()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut wrong = log();
    wrong["runs"][0]["results"][0]["level"] = "bad".into();
    assert!(!validator.is_valid(&wrong));
}
