//! Owns `junit.xml` of a trial: one test case for each invariant. Refuses to write XML by hand.

use super::TrialRecord;
use crate::junit::without_total_of_skipped;
use crate::text::clean;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use scenarios::trial::judge::Judged;
use scenarios::verdict::Verdict;

/// A trial as JUnit XML. Names of test cases do not change from trial to trial, so that a CI server can show a history.
pub fn render(record: &TrialRecord) -> String {
    let mut report = Report::new("blackstart");
    let mut suite = TestSuite::new(format!("try {}", clean(&record.service)));
    for (name, value) in [
        ("run", clean(&record.run)),
        ("image", clean(&record.image)),
        ("image-id", clean(&record.image_id)),
        ("verdict", record.verdict.word().to_owned()),
        ("replay", clean(&record.replay)),
    ] {
        suite.add_property(Property::new(name, value));
    }
    suite.add_test_cases(record.invariants.iter().map(|judged| case(record, judged)));
    // Where nothing at all was judged, skipped cases alone would look green.
    if record.verdict == Verdict::Inconclusive
        && record.invariants.iter().all(|judged| judged.verdict != Verdict::Inconclusive)
    {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(record.verdict.word()).set_message("nothing was judged");
        suite.add_test_case(named(record, "trial", status));
    }
    report.add_test_suite(suite);
    let xml = report.to_string().expect("writing to memory cannot fail, and quick-junit escapes what it writes");
    without_total_of_skipped(&xml)
}

fn named(record: &TrialRecord, name: &str, status: TestCaseStatus) -> TestCase {
    let service = clean(&record.service);
    let mut case = TestCase::new(format!("{name} of {service}"), status);
    case.set_classname(format!("blackstart.try.{service}"));
    case
}

fn case(record: &TrialRecord, judged: &Judged) -> TestCase {
    let mut status = match judged.verdict {
        Verdict::Held => TestCaseStatus::success(),
        Verdict::NotJudged => {
            let mut status = TestCaseStatus::skipped();
            status.set_description(clean(&judged.reason));
            status
        }
        Verdict::Violated => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if matches!(judged.verdict, Verdict::Violated | Verdict::Inconclusive) {
        let evidence: Vec<String> = judged.evidence.iter().map(|line| clean(line)).collect();
        status.set_type(judged.verdict.word()).set_message(clean(&judged.reason)).set_description(evidence.join("\n"));
    }
    named(record, &format!("{} {}", judged.id, judged.statement), status)
}
