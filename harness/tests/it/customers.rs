//! Owns the claims about customers in virtual time: what impatient ones do to a region, that a mix is sent, told and judged
//! by operation, and that both survive being written. Refuses to start containers.

use harness::explore::file;
use harness::explore::repair::{self, Confirmation};
use harness::{load, twin};
use scenarios::customers::{Portion, Retry};
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;
use std::path::Path;

/// Attempts for each request over all zones in a phase, times a hundred.
fn amplification(judgement: &Judgement, phase: &str) -> u64 {
    let zones = judgement.measurements.availability.values().filter_map(|phases| phases.get(phase));
    let (sent, retries) = zones.fold((0, 0), |(sent, retries), one| (sent + one.sent, retries + one.retries));
    (sent + retries) * 100 / sent
}

/// The same stall at the same load: customers without a budget keep it up, customers with one do not. The bounds are those
/// of the table in `docs/traffic.md`.
#[test]
fn impatient_customers_keep_a_stall_up_and_others_do_not() {
    for seed in [1, 7, 23] {
        let play = |name: &str| {
            let mut loaded = load::scenario(name, false).expect("it loads");
            (twin::play(&mut loaded, seed).expect("it plays").judgement, loaded)
        };
        let ((bad, loaded), (good, _)) = (play("impatient-customers"), play("impatient-customers-repaired"));
        assert_eq!((bad.verdict, good.verdict), (Verdict::Violated, Verdict::Held), "seed {seed}");
        let [calm, stall, quiet] = ["baseline", "outage", "quiet"].map(|phase| amplification(&bad, phase));
        assert_eq!(calm, 100, "seed {seed}: a region that is well is asked once");
        assert!(stall > 250 && quiet > 300, "seed {seed}: {stall} and {quiet} attempts for 100 requests");
        let [calm, stall, quiet] = ["baseline", "outage", "quiet"].map(|phase| amplification(&good, phase));
        assert!(calm == 100 && stall <= 120 && quiet == 100, "seed {seed}: {calm}, {stall}, {quiet}");
        let finding = bad.findings.iter().find(|one| one.invariant == "R1").expect("it has a culprit");
        assert!(finding.text.contains("customers of `api` tried again and again"), "{}", finding.text);
        let confirmed = repair::confirm(&loaded, seed, finding).expect("it plays");
        assert_eq!(confirmed, Confirmation::Confirmed, "seed {seed}");
    }
}

/// Everything that is not about customers is judged as with them, and what is about them is left to others.
#[test]
fn without_canaries_nothing_is_said_of_customers() {
    let mut loaded = load::scenario("each-zone-in-turn", false).expect("it loads");
    loaded.scenario.invariants = scenarios::judge::catalogue().iter().map(|entry| entry.id.to_owned()).collect();
    let told = |loaded: &mut load::Loaded| twin::play(loaded, 7).expect("it plays").judgement;
    let with = told(&mut loaded);
    loaded.scenario.traffic.rate = scenarios::customers::Traffic::NOBODY;
    let without = told(&mut loaded);
    assert_eq!((with.verdict, without.verdict), (Verdict::Held, Verdict::Held), "{:?}", without.inconclusive);
    let lines = |judgement: &Judgement| -> Vec<(String, Verdict, String)> {
        let row = |one: &scenarios::judgement::InvariantResult| (one.id.clone(), one.verdict, one.reason.clone());
        judgement.invariants.iter().map(row).collect()
    };
    let left: Vec<_> = lines(&without)
        .into_iter()
        .filter(|(.., reason)| reason.contains("for others to say"))
        .map(|one| one.0)
        .collect();
    assert!(left.contains(&"Z1".to_owned()) && left.contains(&"R1".to_owned()), "{left:?}");
    for (id, verdict, reason) in lines(&without) {
        assert!(!reason.contains("samples of the"), "{id}: {reason}");
        // What is counted at services is too little where nobody asks them.
        let was = lines(&with).into_iter().any(|one| one.0 == id && one.1 == verdict);
        assert!(was || verdict == Verdict::NotJudged, "{id} is {verdict:?} without canaries: {reason}");
    }
}

/// Of a call and of customers that both try again, whoever tries more often is blamed.
#[test]
fn customers_are_not_blamed_for_what_a_service_tries_more_often() {
    let mut loaded = load::scenario("retry-storm", false).expect("it loads");
    let traffic = &mut loaded.scenario.traffic;
    traffic.timeout = std::time::Duration::from_secs(4);
    traffic.retry = Retry { attempts: 2, ..Retry::ONCE };
    let judgement = twin::play(&mut loaded, 7).expect("it plays").judgement;
    assert!(amplification(&judgement, "quiet") > 150, "customers insist too: {}", amplification(&judgement, "quiet"));
    let settings: Vec<_> = judgement.findings.iter().map(|one| one.setting.as_deref()).collect();
    assert_eq!(settings, [Some("services.api.calls.basket.attempts")]);
}

const SHOP: &str = r#"
name = "shop"
entry = { service = "api", operation = "show" }

[[services]]
name = "store"
team = "storage"
scope = "regional"
zones = 1
operations = ["put"]

[[services]]
name = "api"
team = "edge"
operations = ["show", "buy"]

[[services.calls]]
to = "store"
operation = "put"
during = ["buy"]
timeout = "200ms"
attempts = 1
"#;

const DAY: &str = r#"
name = "day"
topology = "us-test-1"
graph = "shop"
invariants = ["Z1"]

[traffic]
rate = "40/s"

[steady-state]
availability = "90%"

[windows]
baseline = "4s"
shift = "2s"
recovery = "5s"
quiet = "6s"
"#;

const STORE_GONE: &str = r#"
[[faults]]
name = "store-gone"
pause = { zones = ["az1"], services = ["store"] }
lasts = "9s"
"#;

const MIX: &str = r#"
[[traffic.mix]]
operation = "show"
share = "95%"

[[traffic.mix]]
operation = "buy"
share = "5%"

[[traffic.mix]]
operation = "show"
share = "100%"
zones = ["az3"]
"#;

fn written(folder: &Path, day: &str) -> load::Loaded {
    std::fs::write(folder.join("shop.toml"), SHOP).expect("it is written");
    let path = folder.join("day.toml");
    std::fs::write(&path, day).expect("it is written");
    load::scenario(path.to_str().expect("UTF-8"), false).unwrap_or_else(|bad| panic!("{}", bad.text))
}

/// Nine in ten requests are promised, one in twenty buys, and nobody can buy while the store stands still: the sums of each
/// zone are as promised.
#[test]
fn an_operation_that_nobody_can_have_is_found_whatever_its_share() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = format!("{DAY}{STORE_GONE}");
    let plain = twin::play(&mut written(folder.path(), &day), 7).expect("it plays").judgement;
    assert_eq!(plain.verdict, Verdict::Held, "customers who only look miss nothing: {:?}", plain.invariants);
    let mixed = twin::play(&mut written(folder.path(), &format!("{day}{MIX}")), 7).expect("it plays").judgement;
    let z1 = mixed.invariants.iter().find(|result| result.id == "Z1").expect("it is judged");
    assert_eq!(mixed.verdict, Verdict::Violated, "{} {:?}", z1.reason, mixed.inconclusive);
    assert!(z1.reason.contains("requests for `buy` answered"), "{}", z1.reason);
    assert!(!z1.reason.contains("az3"), "nobody buys there: {}", z1.reason);
    let az1 = &mixed.measurements.availability.values().next().expect("there are zones")["baseline"];
    let (show, buy) = (az1.operations["show"].sent, az1.operations["buy"].sent);
    assert_eq!(show + buy, az1.sent);
    assert!((buy * 20).abs_diff(az1.sent) < 40, "{buy} of {}", az1.sent);
    let az3 = &mixed.measurements.availability.values().nth(2).expect("there are three")["baseline"];
    assert!(az3.operations.is_empty(), "one operation alone is the zone's sum: {:?}", az3.operations);
}

/// Everything that can be said of customers is written as it was read, and read as it was written.
#[test]
fn customers_survive_being_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let retries =
        "[traffic.retry]\nattempts = 3\nbackoff = \"20ms\"\ncap = \"400ms\"\njitter = false\nbudget = \"12.5%\"\n";
    let unbound = "[traffic.retry]\nattempts = 5\ntimeout = \"150ms\"\n";
    for more in ["", MIX, retries, unbound, &format!("{MIX}{retries}")] {
        let mut loaded = written(folder.path(), &format!("{DAY}{STORE_GONE}{more}"));
        // A search writes other faults than this one.
        loaded.scenario.faults = load::scenario("minimal", false).expect("it loads").scenario.faults;
        let path = file::write(&loaded, "again", folder.path(), "why").expect("it is written");
        let again = load::scenario(path.to_str().expect("UTF-8"), false).unwrap_or_else(|bad| panic!("{}", bad.text));
        assert_eq!(again.scenario.traffic, loaded.scenario.traffic, "{more}");
        let traffic = &loaded.scenario.traffic;
        assert_eq!(traffic.mix.iter().map(Portion::to_string).count(), if more.contains("mix") { 3 } else { 0 });
        assert_eq!(traffic.retry == Retry::ONCE, !more.contains("retry"));
    }
}

/// The record says what was declared, a report shows it, and what is not said stands nowhere.
#[test]
fn records_and_pages_tell_of_operations_and_attempts() {
    let folder = tempfile::tempdir().expect("a folder");
    let retries = "[traffic.retry]\nattempts = 2\nbudget = \"10%\"\n";
    written(folder.path(), &format!("{DAY}{STORE_GONE}{MIX}{retries}"));
    let (out, day) = (folder.path().join("runs"), folder.path().join("day.toml"));
    let (out, day) = (out.to_str().expect("UTF-8"), day.to_str().expect("UTF-8"));
    let ended = crate::documents::blackstart(&["run", "--world", "sim", "--seed", "7", "--out", out, day]);
    assert!(ended.out.contains("    buy") && ended.out.contains("attempts: "), "{}{}", ended.out, ended.err);
    let runs = std::fs::read_dir(out).expect("there are runs").flatten().map(|entry| entry.path());
    let run = runs.into_iter().find(|path| path.join("record.json").is_file()).expect("there is a run");
    let record = reports::record::from_json(&crate::documents::read(&run.join("record.json"))).expect("a record");
    assert_eq!(record.parameters["traffic.mix"].value, "show 95%, buy 5%, show 100% in az3");
    let retry = "2 attempts of 1s, pauses from 100ms to 1s with jitter, budget 10%";
    assert_eq!(record.parameters["traffic.retry"].value, retry);
    let page = ["report.md", "coe.md"].into_iter().map(|name| run.join(name)).find(|path| path.is_file());
    let page = page.expect("there is a page");
    let text = crate::documents::read(&page);
    assert!(text.contains("| az1 | baseline | buy |") && text.contains("attempts for each request"), "{text}");
    let linted = crate::documents::blackstart(&["coe", "lint", page.to_str().expect("UTF-8")]);
    assert_eq!(linted.status, 0, "{}", linted.out);
    let html = crate::documents::read(&page.with_extension("html"));
    assert!(html.contains("<td>buy</td>") && html.contains("attempts for each request"));
    let plan = crate::documents::blackstart(&["plan", day]).out;
    assert!(plan.contains("asks for buy 5%") && plan.contains("tries again: 2 attempts"), "{plan}");
}
