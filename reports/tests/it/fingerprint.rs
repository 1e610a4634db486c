//! Owns the claims about fingerprints: the same culprit is known again, another is not, and a correction tells the other
//! runs. Refuses to keep a history.

use crate::full;
use reports::fingerprint::{Beside, Fingerprint, Related, fingerprint, fingerprints};
use reports::{coe, record};
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;

fn finding() -> Finding {
    record::from_json(full::RECORD).unwrap().findings[0].clone()
}

#[test]
fn the_same_culprit_is_known_again_whatever_was_seen_of_it() {
    let one = finding();
    let mut again = Finding { text: "other words".to_owned(), confirmed: true, known: true, ..one.clone() };
    (again.affected, again.chain) = (Vec::new(), Vec::new());
    assert_eq!(fingerprint(&again), fingerprint(&one));
    assert_eq!(fingerprint(&one).0, "S5 app needs.session-cache");
    // Waiting in vain and giving up are two ends of leaning on one need.
    again.setting = Some("services.app.needs.session-cache.attempts".to_owned());
    assert_eq!(fingerprint(&again), fingerprint(&one));
}

#[test]
fn another_invariant_service_or_edge_is_another_finding() {
    let one = finding();
    let setting = |text: &str| Finding { setting: Some(text.to_owned()), ..finding() };
    let others = [
        Finding { invariant: "Z1".to_owned(), ..finding() },
        Finding { service: full::service("lb"), ..finding() },
        setting("services.app.needs.other"),
        setting("services.app.calls.session-cache"),
        setting("services.app.acknowledge"),
        setting("services.lb.needs.session-cache"),
        Finding { setting: None, ..finding() },
        Finding { setting: None, dependency: None, ..finding() },
    ];
    let mut prints: Vec<Fingerprint> = others.iter().chain([&one]).map(fingerprint).collect();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), others.len() + 1, "{prints:?}");
}

#[test]
fn a_run_has_each_fingerprint_once() {
    let mut record = record::from_json(full::RECORD).unwrap();
    record.findings = vec![finding(), Finding { invariant: "A1".to_owned(), ..finding() }, finding()];
    let prints: Vec<String> = fingerprints(&record).into_iter().map(|print| print.0).collect();
    assert_eq!(prints, ["S5 app needs.session-cache", "A1 app needs.session-cache"]);
}

#[test]
fn a_correction_tells_the_other_runs_with_its_fingerprint() {
    let record = record::from_json(full::RECORD).unwrap();
    let run = |number: usize, print: Fingerprint| Related {
        fingerprint: print,
        run: format!("20260701T00000{number}Z-aaaaaa"),
        scenario: "github-2016".to_owned(),
        world: "docker".to_owned(),
        verdict: Verdict::Violated,
        confirmed: number == 0,
    };
    let mut related: Vec<Related> = (0..9).map(|number| run(number, fingerprint(&finding()))).collect();
    related.push(run(9, Fingerprint("S5 lb itself".to_owned())));
    let page = |related| coe::render(&record, &[], &Beside { related, ..Beside::default() });
    let told = page(Some(&related[..]));
    assert!(told.contains("- Fingerprint `S5 app needs.session-cache`: found in 9 other runs: `20260701T000000Z-aaaaaa` (`github-2016`, world `docker`, violated, culprit confirmed); "), "{told}");
    assert!(told.contains("and 3 earlier.") && !told.contains("000009Z"), "{told}");
    assert!(page(Some(&[])).contains("found in no other run of the history."));
    assert!(page(None).contains("no history of runs was looked at."));
}
