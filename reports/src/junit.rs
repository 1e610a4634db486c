//! Owns `junit.xml`: one test case for each invariant, as CI servers read it; a known gap is skipped and told. Refuses to write XML by hand.

use crate::gaps;
use crate::record::{GapRow, GapState, Record};
use crate::text::{clean, list};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use scenarios::judgement::{Finding, InvariantResult};
use scenarios::verdict::Verdict;

/// A record as JUnit XML. Names of test cases do not change from run to run, so that a CI server can show a history.
pub fn render(record: &Record) -> String {
    render_all(&[record])
}

/// Several records, each a test suite.
pub fn render_all(records: &[&Record]) -> String {
    let mut report = Report::new("blackstart");
    report.add_test_suites(records.iter().map(|record| suite(record)));
    let xml = report.to_string().expect("writing to memory cannot fail, and quick-junit escapes what it writes");
    without_total_of_skipped(&xml)
}

/// The published schema knows how many cases of a suite were skipped, and not how many of all suites: servers that check
/// refuse the file for it.
pub(crate) fn without_total_of_skipped(xml: &str) -> String {
    let Some((before, after)) = xml.split_once("<testsuites ") else { return xml.to_owned() };
    let Some((attributes, rest)) = after.split_once('>') else { return xml.to_owned() };
    let kept = attributes.split(' ').filter(|attribute| !attribute.starts_with("skipped="));
    format!("{before}<testsuites {}>{rest}", kept.collect::<Vec<_>>().join(" "))
}

fn suite(record: &Record) -> TestSuite {
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
    suite.add_test_cases(record.known_gaps.iter().filter_map(|gap| stale(record, gap)));
    suite
}

/// An entry of the known-gaps file that is no longer true fails by itself: nobody else would tell.
fn stale(record: &Record, gap: &GapRow) -> Option<TestCase> {
    if matches!(gap.state, GapState::Accepted | GapState::NotSeen) {
        return None;
    }
    let text = clean(&gaps::told(gap));
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type("known-gap");
    status.set_message(format!("{} of {} is {text}", clean(&gap.invariant), gap.service));
    status.set_description(format!("owner: {}\nreason: {}", clean(&gap.owner), clean(&gap.reason)));
    let name = format!("known gap {} {} in {}", clean(&gap.invariant), gap.service, clean(&record.scenario));
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("blackstart.{}", clean(&record.scenario)));
    Some(case)
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
        // The published schema knows a skipped case's text, and no attribute of it.
        Verdict::NotJudged => {
            let mut status = TestCaseStatus::skipped();
            status.set_description(clean(&result.reason));
            return status;
        }
        Verdict::Violated if gaps::is_accepted(record, &result.id) => {
            let mut status = TestCaseStatus::skipped();
            let own = record.findings.iter().filter(|finding| finding.invariant == result.id);
            let lines = [format!("known gap: {}", clean(&result.reason))].into_iter().chain(own.map(culprit));
            status.set_description(lines.collect::<Vec<_>>().join("\n"));
            return status;
        }
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
    status.set_type(result.verdict.word());
    lines.push(format!("evidence: {}", list(&result.evidence)));
    lines.push(format!("replay: {}", clean(&record.replay)));
    status.set_description(lines.join("\n"));
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
