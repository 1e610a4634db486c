//! Owns `junit.xml`: one test case for each invariant, as CI servers read it. Refuses to write XML by hand.

use crate::record::Record;
use crate::text::{clean, list};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use scenarios::judgement::{Finding, InvariantResult};
use scenarios::verdict::Verdict;

/// The record as JUnit XML. Names of test cases do not change from run to run, so that a CI server can show a history.
pub fn render(record: &Record) -> String {
    let mut suite = TestSuite::new(clean(&record.scenario));
    for (name, value) in [
        ("run", clean(&record.run)),
        ("seed", record.seed.to_string()),
        ("world", clean(&record.world)),
        ("verdict", record.verdict.word().to_owned()),
        ("replay", clean(&record.replay)),
    ] {
        suite.add_property(Property::new(name, value));
    }
    suite.add_test_cases(record.invariants.iter().map(|result| case(record, result)));
    // Where only the run as a whole cannot be believed, its invariants alone would look green.
    if record.verdict == Verdict::Inconclusive
        && record.invariants.iter().all(|result| result.verdict != Verdict::Inconclusive)
    {
        suite.add_test_case(whole_run(record));
    }
    let mut report = Report::new("blackstart");
    report.add_test_suite(suite);
    report.to_string().expect("writing to memory cannot fail, and quick-junit escapes what it writes")
}

fn whole_run(record: &Record) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(record.verdict.word());
    let reasons: Vec<String> = record.inconclusive.iter().map(|reason| clean(&reason.text)).collect();
    status.set_message(if reasons.is_empty() { "nothing asked for was judged".to_owned() } else { reasons.join(" ") });
    let mut case = TestCase::new(format!("run in {}", clean(&record.scenario)), status);
    case.set_classname(format!("blackstart.{}", clean(&record.scenario)));
    case
}

fn case(record: &Record, result: &InvariantResult) -> TestCase {
    let aspect = result.aspect.as_ref().map_or_else(String::new, |aspect| format!(" ({})", clean(aspect)));
    let name = format!("{}{aspect} in {}", clean(&result.id), clean(&record.scenario));
    let mut case = TestCase::new(name, status(record, result));
    case.set_classname(format!("blackstart.{}", clean(&record.scenario)));
    case
}

fn status(record: &Record, result: &InvariantResult) -> TestCaseStatus {
    let mut status = match result.verdict {
        Verdict::Held => return TestCaseStatus::success(),
        Verdict::NotJudged => TestCaseStatus::skipped(),
        Verdict::Violated => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(clean(&result.reason));
    let mut lines = Vec::new();
    match result.verdict {
        Verdict::Violated => {
            let own = record.findings.iter().filter(|finding| finding.invariant == result.id);
            lines.extend(own.map(culprit));
        }
        Verdict::Inconclusive => lines.extend(record.inconclusive.iter().map(|reason| clean(&reason.text))),
        Verdict::Held | Verdict::NotJudged => {}
    }
    if result.verdict != Verdict::NotJudged {
        status.set_type(result.verdict.word());
        lines.push(format!("evidence: {}", list(&result.evidence)));
        lines.push(format!("replay: {}", clean(&record.replay)));
        status.set_description(lines.join("\n"));
    }
    status
}

/// Culprit and chain, one step a line.
fn culprit(finding: &Finding) -> String {
    let sure = if finding.confirmed { "confirmed" } else { "suspected" };
    let known = if finding.known { ", known gap" } else { "" };
    let mut text =
        format!("culprit: {} (team {}; {sure}{known}): {}", finding.service, finding.team, clean(&finding.text));
    if let Some(setting) = &finding.setting {
        text.push_str(&format!("\nsetting: {}", clean(setting)));
    }
    for link in &finding.chain {
        let (who, waits_for, how) = (clean(&link.who), clean(&link.waits_for), clean(&link.how));
        text.push_str(&format!("\n- {who} waiting for {waits_for}: {how} [{}]", list(&link.evidence)));
    }
    text
}
