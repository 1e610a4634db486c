//! Owns the claims about game days in virtual time: one seed decides every byte, and what is found is what is there.
//! Refuses to start containers.

use fixtures::graph::names::{Empty, Lookups};
use harness::explore::repair::{self, Confirmation};
use harness::explore::{Bounds, Culprit, file, search, shrink, vary};
use harness::twin::Played;
use harness::{load, twin};
use scenarios::verdict::Verdict;
use std::sync::atomic::AtomicBool;

/// What the file of each built-in scenario says it expects: the culprits of a violated one, nothing of a held one.
const EXPECTED: &[(&str, &[[&str; 3]])] = &[
    ("minimal", &[]),
    ("az-power-loss", &[]),
    ("each-zone-in-turn", &[]),
    ("region-black-start", &[]),
    ("batch-bring-up", &[]),
    ("az-power-interruption", &[]),
    ("az-power-loss-300", &[]),
    ("github-2016", &[["S5", "app", "services.app.needs.session-cache"]]),
    ("github-2016-repaired", &[]),
    // Of each kind of fault one.
    ("every-fault", &[]),
    ("memory-short", &[]),
    ("late-boot", &[]),
    ("failed-boot", &[]),
    ("boot-bottleneck", &[]),
    ("host-restart", &[]),
    ("zone-pause", &[]),
    ("process-kill", &[]),
    ("process-exit", &[]),
    ("processor-short", &[]),
    ("disk-full", &[]),
    ("disk-slow", &[]),
    ("disk-errors", &[]),
    ("network-cut", &[]),
    ("one-way-cut", &[]),
    ("network-bridge", &[]),
    ("network-ring", &[]),
    ("flapping-link", &[]),
    ("cut-in-recovery", &[]),
    ("slow-link", &[]),
    ("gray-zone", &[]),
    ("surge", &[]),
    ("impatient-customers", &[["R1", "api", "traffic.retry"]]),
    ("impatient-customers-repaired", &[]),
    ("bad-push", &[["Z6", "api", "faults.bad-push.bake-time"]]),
    ("bad-push-by-zone", &[]),
    ("bad-deploy", &[["Z6", "api", "faults.does-not-start.bake-time"]]),
    ("good-deploy", &[]),
    ("surge-scaled", &[]),
    ("surge-limit", &[]),
    ("scaler-frozen", &[]),
    ("scaler-blind", &[["D9", "web", "services.web.scale.missing"]]),
    ("scaler-blind-repaired", &[]),
    ("flapping-scaler", &[["Z9", "web", "services.web.scale.missing"]]),
    ("flapping-scaler-repaired", &[]),
    ("zone-alarms", &[]),
    ("telemetry-dead", &[]),
    ("every-shared-fault", &[]),
    ("names-empty", &[]),
    ("names-stale", &[]),
    ("names-wrong", &[]),
    ("names-slow", &[]),
    ("names-dead", &[]),
    ("grants-refused", &[]),
    ("grants-expired", &[]),
    ("clock-wrong", &[]),
    ("dns-forever-cache", &[["S5", "api", "services.api.lookups.cache"]]),
    ("dns-forever-cache-repaired", &[]),
    ("certificate-expiry", &[["S5", "store", "services.store.needs.certificate.renew"]]),
    ("certificate-expiry-repaired", &[]),
];

fn play(name: &str, seed: u64) -> Played {
    let mut loaded = load::scenario(name, false).expect("it loads");
    twin::play(&mut loaded, seed).expect("it plays")
}

/// The log as `events.jsonl` has it.
fn log(played: &Played) -> String {
    played.events.iter().map(|event| reports::journal::to_line(event) + "\n").collect()
}

/// FNV-1a: a difference in one byte gives another number.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    for name in scenarios::builtin::scenario_names() {
        let first = log(&play(name, 7));
        assert!(first == log(&play(name, 7)), "{name}: two runs of one seed differ");
        assert!(first != log(&play(name, 8)), "{name}: the seed decides nothing");
    }
}

/// The digest of one seed is stored: it is the same on every machine, and changes only with what the simulator does.
#[test]
fn a_seed_has_the_same_digest_everywhere() {
    let found = digest(&log(&play("minimal", 7)));
    assert_eq!(found, 0x3178_e404_4ecc_7d4c, "the digest of `minimal`, seed 7, is {found:#018x}");
}

#[test]
fn every_built_in_scenario_ends_as_its_file_says() {
    for &(name, culprits) in EXPECTED {
        for seed in [1, 7, 23] {
            let judgement = play(name, seed).judgement;
            let expected = if culprits.is_empty() { Verdict::Held } else { Verdict::Violated };
            assert_eq!(judgement.verdict, expected, "{name}, seed {seed}: {:?}", judgement.inconclusive);
            let found: Vec<[String; 3]> = Culprit::all(&judgement)
                .into_iter()
                .map(|(culprit, _)| [culprit.invariant, culprit.service, culprit.setting])
                .collect();
            assert_eq!(found, culprits, "{name}, seed {seed}");
        }
    }
}

/// A fault that waits for the first to be back arrives while others still boot: they are judged after it, on the whole time
/// that the file promises.
#[test]
fn who_boots_late_is_not_judged_by_a_recovery_that_was_overtaken() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is written");
    let region = fixtures::builtin::topology("us-test-1").expect("it is built in").text;
    let slower = region.replace("min = \"50ms\", max = \"250ms\"", "min = \"50ms\", max = \"4s\"");
    assert_ne!(slower, region, "the topology says it in other words");
    write("us-test-1.toml", &slower);
    write("day.toml", &scenarios::builtin::scenario("cut-in-recovery").expect("it is built in").text);
    let path = folder.path().join("day.toml");
    for seed in 1..6 {
        let mut loaded = load::scenario(path.to_str().expect("UTF-8"), false).expect("it loads");
        let judgement = twin::play(&mut loaded, seed).expect("it plays").judgement;
        assert_eq!(judgement.verdict, Verdict::Held, "seed {seed}: {:?}", judgement.findings);
    }
}

#[test]
fn a_culprit_is_confirmed_by_repairing_only_it() {
    let mut loaded = load::scenario("github-2016", false).expect("it loads");
    let finding = twin::play(&mut loaded, 7).expect("it plays").judgement.findings.remove(0);
    assert_eq!(repair::confirm(&loaded, 7, &finding).expect("it plays"), Confirmation::Confirmed);
    let mut other = finding.clone();
    other.setting = Some("services.app.needs.credentials".to_owned());
    assert_eq!(repair::confirm(&loaded, 7, &other).expect("it plays"), Confirmation::Refuted);
    other.setting = None;
    assert_eq!(repair::confirm(&loaded, 7, &other).expect("it plays"), Confirmation::NotRepairable);
}

/// A need that is never renewed and a cache without end are convicted as well: with only that repaired the day is held.
#[test]
fn culprits_in_names_and_identities_are_confirmed_by_repair() {
    for name in ["dns-forever-cache", "certificate-expiry"] {
        let mut loaded = load::scenario(name, false).expect("it loads");
        let finding = twin::play(&mut loaded, 7).expect("it plays").judgement.findings.remove(0);
        let confirmed = repair::confirm(&loaded, 7, &finding).expect("it plays");
        assert_eq!(confirmed, Confirmation::Confirmed, "{name}: {:?}", finding.setting);
    }
}

/// The same faults that well-behaved clients do not notice are outages to others, with the setting named.
#[test]
fn settings_of_lookups_decide_whether_names_are_missed() {
    let believe = Lookups { empty: Empty::Believe, ..Lookups::default() };
    let no_stale = Lookups { stale: false, ..Lookups::default() };
    for (day, lookups, setting) in
        [("names-dead", no_stale, "services.api.lookups.stale"), ("names-empty", believe, "services.api.lookups.empty")]
    {
        let mut loaded = load::scenario(day, false).expect("it loads");
        let api = loaded.graph.services.iter_mut().find(|service| service.name.as_str() == "api");
        api.expect("it has an API").lookups = lookups;
        let judgement = twin::play(&mut loaded, 7).expect("it plays").judgement;
        assert_eq!(judgement.verdict, Verdict::Violated, "{day}: {:?}", judgement.inconclusive);
        let settings: Vec<_> =
            judgement.findings.iter().map(|one| (one.invariant.as_str(), one.setting.as_deref())).collect();
        assert!(settings.contains(&("Z1", Some(setting))), "{day}: {settings:?}");
    }
}

/// The search finds the seeded defect, makes the case smaller, and the files it writes show the same culprit again.
#[test]
fn a_search_finds_the_seeded_defect_and_writes_the_smallest_case() {
    let load = || Ok(load::scenario("github-2016", false)?);
    let over = AtomicBool::new(false);
    let bounds = Bounds { first: 0, seeds: 20, over, stop_at_first: false, threads: 2 };
    let found = search(&bounds, load, || {}).expect("it searches");
    assert_eq!(found.seeds, 20);
    let wanted = |culprit: &&Culprit| culprit.setting == "services.app.needs.session-cache";
    let culprit = found.failures.keys().find(wanted).expect("it is found").clone();
    let failure = &found.failures[&culprit];
    let base = load::scenario("github-2016", false).expect("it loads");
    let shrunk = shrink::shrink(failure.varied.applied(&base), failure.seed, &culprit).expect("it shrinks").loaded;
    assert!(shrunk.graph.services.len() <= 3, "{:?}", shrunk.graph.services);
    let folder = tempfile::tempdir().expect("a folder");
    let path = file::write(&shrunk, "smallest", folder.path(), "why").expect("it is written");
    let mut again = load::scenario(&path.display().to_string(), false).expect("it loads");
    let played = twin::play(&mut again, failure.seed).expect("it plays");
    assert!(Culprit::all(&played.judgement).iter().any(|(known, _)| *known == culprit), "{:?}", played.judgement);
}

/// Several regions of one partition come back from nothing together, and lean on the global services of the first.
#[test]
fn a_partition_of_two_regions_black_starts() {
    let name = "two-regions".to_owned();
    let spec = fixtures::generate::Spec {
        name,
        services: 60,
        regions: 2,
        zones: 3,
        copies: 1,
        per_host: 10,
        startup_cycle: false,
        seed: 1,
    };
    let made = fixtures::generate::generate(&spec).expect("the name is one");
    let (topology, graph) = (made.topology, made.graph);
    assert_eq!(topology.regions.len(), 2);
    let globals = graph.services.iter().filter(|service| service.scope == fixtures::graph::Scope::Global).count();
    assert!(globals > 0, "nothing would lie between the regions");
    let placement = fixtures::placement::Placement::new(&topology, &graph);
    assert_eq!(placement.instances.len(), 6 * 60 - 3 * globals, "global services are in the first region alone");
    let base = load::scenario("region-black-start", false).expect("it loads");
    let mut loaded = load::Loaded { topology, graph, placement, ..base };
    let played = twin::play(&mut loaded, 7).expect("it plays");
    assert_eq!(played.judgement.verdict, Verdict::Held, "{:#?}", played.judgement);
    let restarted = played.judgement.measurements.restart_to_active_ms_by_instance.len();
    assert_eq!(restarted, loaded.placement.instances.len(), "every instance of both regions came back");
}

/// Whatever a search makes of a scenario can be written, and read back as it was.
#[test]
fn what_a_search_varies_can_be_written_and_read_back() {
    let base = load::scenario("az-power-loss", false).expect("it loads");
    let folder = tempfile::tempdir().expect("a folder");
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let varied = vary::vary(&base, seed);
        kinds.extend(varied.faults.iter().map(|fault| fault.fault.entry().kind));
        let path = file::write(&varied.applied(&base), "varied", folder.path(), "why").expect("it is written");
        let again = load::scenario(&path.display().to_string(), false).unwrap_or_else(|bad| panic!("{}", bad.text));
        assert_eq!(again.scenario.faults, varied.faults, "seed {seed}");
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["boot", "link", "power-off"]);
}

/// Whatever a game day says, a case that a search made of it can say as well.
#[test]
fn every_built_in_game_day_can_be_written_and_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in scenarios::builtin::scenario_names() {
        let base = load::scenario(name, false).expect("it loads");
        let path = file::write(&base, "written", folder.path(), "why").expect("it is written");
        let again = load::scenario(&path.display().to_string(), false).unwrap_or_else(|bad| panic!("{}", bad.text));
        let names = (again.scenario.name.clone(), again.scenario.topology.clone(), again.scenario.graph.clone());
        let mut written = base.scenario.clone();
        (written.name, written.topology, written.graph) = names;
        assert_eq!(again.scenario, written, "{name}");
    }
}

/// A search is the same whatever the number of threads.
#[test]
fn a_search_does_not_depend_on_its_threads() {
    let search_on = |threads| {
        let load = || Ok(load::scenario("github-2016", false)?);
        let over = AtomicBool::new(false);
        let bounds = Bounds { first: 3, seeds: 12, over, stop_at_first: false, threads };
        let found = search(&bounds, load, || {}).expect("it searches");
        let failures = found.failures.iter().map(|(culprit, failure)| (culprit.clone(), failure.seed, failure.seen));
        (found.verdicts.clone(), found.coverage.clone(), failures.collect::<Vec<_>>())
    };
    assert_eq!(search_on(1), search_on(3));
}

/// With all name servers dark, who has just started waits for them, not for somebody who is well and cannot be found.
#[test]
fn who_starts_without_any_name_server_waits_for_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("day.toml");
    let text = "name = \"day\"\ntopology = \"us-test-1\"\ngraph = \"named\"\n[windows]\nrecovery = \"8s\"\n\
                [[faults]]\nname = \"all\"\npower-off = {}\nlasts = \"3s\"\n\
                [[faults]]\nname = \"names\"\npower-off = { services = [\"names\"], unsynced = \"kept\" }\nlasts = \"14s\"\n";
    std::fs::write(&path, text).expect("it is written");
    let mut loaded = load::scenario(&path.display().to_string(), false).unwrap_or_else(|bad| panic!("{}", bad.text));
    let judgement = twin::play(&mut loaded, 7).expect("it plays").judgement;
    let found: Vec<_> = judgement.findings.iter().filter(|finding| finding.invariant == "S5").collect();
    assert!(!found.is_empty(), "{:?}", judgement.invariants);
    for finding in found {
        assert_eq!(finding.dependency.as_ref().map(|name| name.as_str()), Some("names"), "{}", finding.text);
        assert!(finding.text.contains("cannot start without `addresses` from `names`"), "{}", finding.text);
        assert_eq!(finding.chain.last().map(|link| link.how.as_str()), Some("power"), "{:?}", finding.chain);
    }
}

/// Every fault of a file has its effect in virtual time, or the run says that it has none.
#[test]
fn faults_other_than_the_loss_of_power_are_simulated_or_refused() {
    let faults = [
        ("pause = { zones = [\"az1\"] }", true),
        ("processor = { zones = [\"az1\"], left = \"10%\" }", true),
        ("disk-full = { zones = [\"az1\"] }", true),
        ("disk-slow = { zones = [\"az1\"], delay = \"200ms\" }", true),
        ("cut = { from = { zones = [\"az1\"] } }", true),
        ("link = { from = { zones = [\"az1\"] }, latency = \"5ms\", loss = \"10%\" }", true),
        ("memory = { zones = [\"az1\"], fill = \"90%\" }", true),
        // Whom the kernel would end is not.
        ("memory = { zones = [\"az1\"], fill = \"98%\" }", false),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (fault, simulated) in faults {
        let text = format!(
            "name = \"day\"\ntopology = \"us-test-1\"\ngraph = \"minimal\"\n[traffic]\nrate = \"10/s\"\n[steady-state]\n\
             availability = \"90%\"\n[[faults]]\nname = \"trouble\"\n{fault}\nlasts = \"4s\"\n"
        );
        let path = folder.path().join("day.toml");
        std::fs::write(&path, text).expect("it is written");
        let mut loaded =
            load::scenario(&path.display().to_string(), false).unwrap_or_else(|bad| panic!("{}", bad.text));
        let judgement = twin::play(&mut loaded, 7).expect("it plays").judgement;
        let without_effect = judgement.inconclusive.iter().any(|reason| reason.code == "fault-without-effect");
        assert_eq!(without_effect, !simulated, "{fault}: {:?}", judgement.inconclusive);
    }
}
