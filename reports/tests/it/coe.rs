//! Owns the claims about the correction of error: evidence on every line, blanks with names, no person. Refuses to fix
//! its words: the committed sample does.

use crate::full;
use reports::fingerprint::Beside;
use reports::{coe, journal, record};
use scenarios::event::{Act, By, Detail, Event, EventId, NeedOutcome};

fn sample() -> String {
    let record = record::from_json(full::RECORD).unwrap();
    coe::render(&record, &journal::read(full::EVENTS).unwrap().events, &Beside::default())
}

fn section(page: &str, name: &str) -> String {
    let (_, after) = page.split_once(&format!("## {name}\n")).unwrap();
    after.split("\n## ").next().unwrap().trim().to_owned()
}

/// Whether the line cites an event: `e` and digits, alone.
fn cites(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.strip_prefix('e').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[test]
fn every_why_and_every_moment_has_evidence() {
    let page = sample();
    let whys = section(&page, "Whys");
    for line in whys.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && !line.contains("_(blank:"))
    {
        assert!(cites(line), "{line}");
    }
    for line in section(&page, "Timeline").lines().filter(|line| line.starts_with("| 20")) {
        assert!(cites(line), "{line}");
    }
}

#[test]
fn the_chain_is_five_whys_deep_and_ends_in_what_can_be_changed() {
    let page = sample();
    let whys = section(&page, "Whys");
    let numbered: Vec<&str> = whys.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    let (blank, answered) = numbered.split_last().unwrap();
    assert!(blank.contains("_(blank: why it was built that way"), "{blank}");
    assert!(answered.len() >= 5, "{whys}");
    let last = answered.last().unwrap();
    assert!(last.contains("`services.app.needs.session-cache`, which can be changed"), "{last}");
    assert!(whys.contains("Why were 5 asks not enough? `cache-az1-0` was seen active at"), "{whys}");
}

#[test]
fn no_blame_and_no_unfilled_placeholder() {
    let page = sample().to_lowercase();
    for word in ["should have", "human error", "operator mistake", "unknown", "{{", "}}", "[no event]"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn each_finding_has_one_action_with_owner_date_and_test() {
    let actions = section(&sample(), "Action items");
    let rows: Vec<&str> = actions.lines().filter(|line| line.starts_with("| 1")).collect();
    assert_eq!(rows.len(), 1);
    // 30 days of the usual policy after the day of the run's id.
    assert!(rows[0].contains("| `web` | P1 | 2026-08-28 |"), "{}", rows[0]);
    assert!(rows[0].contains("S5 of `github-2016` is `held` | `blackstart run github-2016 --world sim --seed 42` |"));
}

#[test]
fn moments_have_times_and_evidence() {
    let moments = section(&sample(), "Moments");
    for wanted in [
        "| first fault in force | 2026-07-29T10:15:24.143Z | +24.143 s | e14 |",
        "| mitigated: customers of every zone answered again | not observed | – | – |",
        "- Time to mitigate, from first impact: not observed in this run.",
    ] {
        assert!(moments.contains(wanted), "{wanted} is missing in\n{moments}");
    }
}

#[test]
fn suspected_and_confirmed_are_told_apart() {
    let mut record = record::from_json(full::RECORD).unwrap();
    let mut second = record.findings[0].clone();
    second.confirmed = true;
    record.findings.push(second);
    let culprits = section(&coe::render(&record, &[], &Beside::default()), "Culprits");
    let (confirmed, suspected) = culprits.split_once("### Suspected").unwrap();
    assert!(confirmed.starts_with("### Confirmed") && confirmed.contains("2. **`app`**"), "{culprits}");
    assert!(suspected.contains("1. **`app`**"), "{culprits}");
}

#[test]
fn a_held_run_gets_a_shorter_report_of_the_same_kind() {
    let mut record = record::from_json(full::RECORD).unwrap();
    record.verdict = scenarios::verdict::Verdict::Held;
    record.findings.clear();
    record.invariants.retain(|result| result.verdict == scenarios::verdict::Verdict::Held);
    let page = coe::render(&record, &[], &Beside::default());
    assert!(page.starts_with("# Game day report: "));
    assert!(!page.contains("## Whys") && page.contains("no invariant was violated"), "{page}");
    assert_eq!(coe::page_name(&record), "report");
}

#[test]
fn summary_and_timeline_agree_on_the_harm() {
    let page = sample();
    let (summary, timeline) = (section(&page, "Summary"), section(&page, "Timeline"));
    let first = timeline.lines().find(|line| line.contains("first failures")).unwrap();
    let last = timeline.lines().rfind(|line| line.contains("still failing")).unwrap();
    let utc = |line: &str| line.split('|').nth(1).unwrap().trim().to_owned();
    assert!(summary.contains(&format!("from {} to {}", utc(first), utc(last))), "{summary}");
}

#[test]
fn placeholder_in_a_title_is_not_filled() {
    let mut record = record::from_json(full::RECORD).unwrap();
    record.title = "{{summary}}".to_owned();
    assert!(coe::render(&record, &[], &Beside::default()).starts_with(r"# Correction of error: \{\{summary\}\}"));
}

#[test]
fn run_without_events_claims_no_harm() {
    let page = coe::render(&record::from_json(full::RECORD).unwrap(), &[], &Beside::default());
    assert!(section(&page, "Summary").contains("No customer request of a canary failed."));
    assert!(section(&page, "Incident questions").contains("No event shows a fault that was injected."));
}

/// What happened before the first fault is nobody's harm: a region that gets up lacks things, and is below every target.
#[test]
fn nothing_before_the_first_fault_counts_as_harm_or_as_a_sign() {
    let record = record::from_json(full::RECORD).unwrap();
    let mut events = journal::read(full::EVENTS).unwrap().events;
    let is_first = |event: &&Event| matches!(event.detail, Detail::StepDone { act: Act::Inject, .. });
    let fault_ns = events.iter().find(is_first).unwrap().t_ns;
    let page = |events: &[Event]| coe::render(&record, events, &Beside::default());
    let before = page(&events);
    let window = |window: &&Event| matches!(window.detail, Detail::Canary { control: false, .. });
    let mut early = events.iter().find(window).unwrap().clone();
    (early.t_ns, early.id) = (early.t_ns + 1, EventId(90_001));
    assert!(early.t_ns < fault_ns);
    if let Detail::Canary { sent, ok, degraded, latency_us, .. } = &mut early.detail {
        (*sent, *ok, *degraded, *latency_us) = (9, 0, 0, vec![(60_000_000, 9)]);
    }
    let mut told = events[0].clone();
    (told.t_ns, told.id, told.by) = (fault_ns - 1_000_000, EventId(90_002), By::Own);
    let from = full::service("credentials");
    told.detail = Detail::Need { need: "early".to_owned(), from, outcome: NeedOutcome::Waiting, attempts: 1 };
    events.extend([early, told]);
    let bullets = |page: &str| {
        let impact = section(page, "Impact");
        impact.lines().filter(|line| line.starts_with("- ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let after = page(&events);
    assert_eq!(bullets(&before), bullets(&after));
    assert!(!section(&after, "Incident questions").contains("`early`"));
}

/// Who never lost power did not fail to come back, and a pause is no loss of power.
#[test]
fn only_who_lost_power_is_counted_among_those_who_came_back() {
    let record = record::from_json(full::RECORD).unwrap();
    let events = journal::read(full::EVENTS).unwrap().events;
    let returns = |events: &[Event]| {
        let page = coe::render(&record, events, &Beside::default());
        section(&page, "Impact")
            .lines()
            .find(|line| line.starts_with("- ") && line.contains("power"))
            .unwrap()
            .to_owned()
    };
    for is_pause in [false, true] {
        let mut others = events.clone();
        for event in &mut others {
            if let Detail::StepDone { act: Act::Heal, fault, what, .. } = &mut event.detail {
                *(if is_pause { what } else { fault }) = if is_pause { "pause".to_owned() } else { String::new() };
            }
        }
        assert_eq!(returns(&others), "- No instance was seen to lose its power and get it back.");
    }
    assert!(returns(&events).starts_with("- Instances that lost power and were not seen active again: "));
}

#[test]
fn late_answers_are_harm_too() {
    let mut record = record::from_json(full::RECORD).unwrap();
    let promised = record::Parameter { value: "500ms".to_owned(), origin: record::Origin::Declared };
    record.parameters.insert("steady-state.latency-p99".to_owned(), promised);
    let mut events = journal::read(full::EVENTS).unwrap().events;
    let is_first = |event: &&Event| matches!(event.detail, Detail::StepDone { act: Act::Inject, .. });
    let fault_ns = events.iter().find(is_first).unwrap().t_ns;
    let late =
        |event: &&mut Event| event.t_ns > fault_ns && matches!(event.detail, Detail::Canary { control: false, .. });
    let window = events.iter_mut().find(late).unwrap();
    let zone = window.place.zone.clone().unwrap();
    if let Detail::Canary { latency_us, .. } = &mut window.detail {
        *latency_us = vec![(1_000, 2), (59_999_999, 3)];
    }
    let page = coe::render(&record, &events, &Beside::default());
    assert!(section(&page, "Summary").contains(&format!("Customers in {zone} waited: 3 of ")), "{page}");
    let impact = section(&page, "Impact");
    assert!(impact.contains(&format!("- Customers in {zone}: 3 of ")), "{impact}");
}

/// The plot has the moments of the table, each in its letter.
#[test]
fn the_plot_has_the_moments_marked() {
    let metrics = section(&sample(), "Metrics");
    let line = metrics.lines().find(|line| line.starts_with("seen ")).unwrap();
    let letters: String = line.trim_start_matches("seen").split_whitespace().collect();
    assert!(letters.contains('d') && letters.contains('i') && !letters.contains('m'), "{metrics}");
}

/// After a return everybody lacks something for a moment; a diagnosis begins with what the culprit lacked.
#[test]
fn diagnosis_begins_with_what_the_culprit_lacked() {
    let record = record::from_json(full::RECORD).unwrap();
    let mut events = journal::read(full::EVENTS).unwrap().events;
    let right = events.iter().find(|event| matches!(event.detail, Detail::Need { .. })).unwrap();
    let mut ordinary = right.clone();
    (ordinary.t_ns, ordinary.id, ordinary.by) = (right.t_ns - 1, EventId(90_003), By::Own);
    let from = full::service("credentials");
    ordinary.detail = Detail::Need { need: "ordinary".to_owned(), from, outcome: NeedOutcome::Waiting, attempts: 1 };
    events.push(ordinary);
    let questions = section(&coe::render(&record, &events, &Beside::default()), "Incident questions");
    let wanted = "names what a culprit lacked: `app-az1-0` said that it lacked `session-cache` from `cache`";
    assert!(questions.contains(wanted), "{questions}");
}

/// In virtual time a clock begins long ago; the page says so where it did.
#[test]
fn a_virtual_clock_is_told() {
    let mut record = record::from_json(full::RECORD).unwrap();
    let timeline = |of: &record::Record| section(&coe::render(of, &[], &Beside::default()), "Timeline");
    assert!(timeline(&record).starts_with("All times in UTC.\n"));
    record.started_utc = "2000-01-01T00:00:00.000Z".to_owned();
    assert!(timeline(&record).contains("virtual time"));
}
