//! Owns the asking of conditions: one HTTP request, and whether its answer is a good one. Refuses to remember.

use crate::schedule::{Condition, Question};
use std::time::Duration;

/// More of an answer is not read, in bytes.
const ANSWER_MAX: u64 = 1 << 20;

/// Asks a condition; comes back within its time-out.
///
/// # Errors
/// What is wrong, for people.
pub fn ask(condition: &Condition) -> Result<(), String> {
    match &condition.question {
        Question::Http { url } => get(url, &[], condition.timeout).map(|_| ()),
        Question::Prometheus { url, query, below, above } => {
            let answer = get(&format!("{url}/api/v1/query"), &[("query", query)], condition.timeout)?;
            within(&values(&answer)?, *below, *above)
        }
    }
}

fn get(url: &str, query: &[(&str, &str)], timeout: Duration) -> Result<String, String> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(timeout)).max_redirects(0).proxy(None).build().into();
    let request = query.iter().fold(agent.get(url), |request, (key, value)| request.query(*key, *value));
    // Of an address only the host is told: what follows it may be somebody's secret.
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    let mut answer = request.call().map_err(|error| format!("{host}: {error}"))?;
    if !answer.status().is_success() {
        return Err(format!("{host} answers {}", answer.status()));
    }
    answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string().map_err(|error| format!("{host}: {error}"))
}

/// The values of an instant query: <https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>.
fn values(answer: &str) -> Result<Vec<f64>, String> {
    let strange = || "the answer is none of a Prometheus server".to_owned();
    let answer: serde_json::Value = serde_json::from_str(answer).map_err(|_| strange())?;
    if answer["status"] != "success" {
        return Err(format!("the query fails: {}", answer["error"].as_str().unwrap_or("no reason is told")));
    }
    let (kind, result) = (&answer["data"]["resultType"], &answer["data"]["result"]);
    let samples: Vec<&serde_json::Value> = match kind.as_str() {
        Some("vector") => result.as_array().ok_or_else(strange)?.iter().map(|series| &series["value"][1]).collect(),
        Some("scalar") => vec![&result[1]],
        _ => return Err(format!("the query answers with a {kind}, and not with values")),
    };
    samples.into_iter().map(|sample| sample.as_str().and_then(|text| text.parse().ok()).ok_or_else(strange)).collect()
}

/// No value at all is no good one: absence of data is not health.
fn within(values: &[f64], below: Option<f64>, above: Option<f64>) -> Result<(), String> {
    if values.is_empty() {
        return Err("the query has no value".to_owned());
    }
    // NaN is within no limits.
    let good = |value: &f64| below.is_none_or(|limit| *value < limit) && above.is_none_or(|limit| *value > limit);
    match values.iter().find(|value| !good(value)) {
        None => Ok(()),
        Some(value) => {
            let limit = |word: &str, limit: Option<f64>| limit.map(|limit| format!("{word} {limit}"));
            let limits: Vec<String> = [limit("below", below), limit("above", above)].into_iter().flatten().collect();
            Err(format!("{value} is not {}", limits.join(" and ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answer: &str) -> Result<(), String> {
        within(&values(answer)?, Some(0.5), None)
    }

    #[test]
    fn a_value_within_its_limit_is_well_and_none_is_not() {
        let vector =
            |values: &str| format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{values}]}}}}"#);
        assert_eq!(asked(&vector(r#"{"metric":{},"value":[1,"0.25"]}"#)), Ok(()));
        assert!(asked(&vector(r#"{"metric":{},"value":[1,"0.25"]},{"metric":{},"value":[1,"0.75"]}"#)).is_err());
        assert!(asked(&vector(r#"{"metric":{},"value":[1,"NaN"]}"#)).is_err());
        assert_eq!(asked(&vector("")), Err("the query has no value".to_owned()));
        assert_eq!(asked(r#"{"status":"success","data":{"resultType":"scalar","result":[1,"0.1"]}}"#), Ok(()));
        assert!(asked(r#"{"status":"error","error":"parse error"}"#).unwrap_err().contains("parse error"));
        assert!(asked("<html>").is_err());
    }
}
