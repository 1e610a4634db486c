//! Owns the claims about what is decided of standing regions: what customers got in bounded room, what is drift, what fits, and
//! whose suffering ends a game day. Refuses to need an engine.

use crate::server::command;
use fixtures::name::{HostName, ZoneName};
use harness::load;
use harness::region::availability::{Availability, Window};
use harness::region::declared::{Declared, Texts};
use harness::region::drift::{self, DIED, Known, Ought};
use harness::region::fit;
use harness::region::folder::{Folder, Lock};
use harness::region::ledger::{self, What};
use harness::region::suffering::{Bound, Watch};
use harness::schedule::moment::Moment;
use harness::world::docker::engine::survey::Inspected;
use harness::world::docker::standing::Made;
use harness::world::docker::subnet::Block;
use harness::world::docker::survey::Survey;
use scenarios::event::{By, Detail, Event, EventId, Phase, Place};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;
const NOON: i64 = 20_000 * DAY + DAY / 2;

fn window(zone: &str, end: i64, answered: u64) -> Window<'_> {
    Window { zone, end: Moment(end), length: Duration::from_secs(1), sent: 10, answered, in_day: false }
}

fn share(kept: &Availability, zone: &str, now: i64, span: Duration) -> Option<f64> {
    kept.zones().find(|(name, _)| *name == zone).and_then(|(_, zone)| zone.within(Moment(now), span).share())
}

#[test]
fn what_customers_got_is_known_by_the_minute_the_hour_and_the_day_in_bounded_room() {
    let mut kept = Availability::default();
    // Two years at a window a minute: half of all requests are answered in the second year.
    for minute in 0..2 * 365 * 24 * 60 {
        let end = NOON + minute * 60 * SECOND;
        kept.begin_at(Moment(end - SECOND));
        kept.add(window("az1", end, if minute < 365 * 24 * 60 { 10 } else { 5 }), 10.0);
    }
    let now = NOON + 2 * 365 * DAY;
    let hour = Duration::from_secs(3_600);
    assert_eq!(share(&kept, "az1", now, hour), Some(0.5));
    assert_eq!(share(&kept, "az1", now, 24 * hour), Some(0.5));
    let year = share(&kept, "az1", now, 399 * 24 * hour).expect("it is known");
    assert!((0.5..0.56).contains(&year), "{year}");
    let ever = kept.zones().next().expect("a zone").1.all.share().expect("it is known");
    assert!((ever - 0.75).abs() < 0.001, "{ever}");
    let text = serde_json::to_string(&kept).expect("it serialises");
    assert!(text.len() < 64 << 10, "{} bytes after two years", text.len());
    assert_eq!(serde_json::from_str::<Availability>(&text).expect("it is read again"), kept);
}

#[test]
fn customers_who_are_dark_with_their_zone_were_not_answered_and_a_busy_moment_is_no_outage() {
    let mut kept = Availability::default();
    kept.add(window("az1", NOON, 10), 10.0);
    kept.add(window("az1", NOON + 3 * SECOND, 10), 10.0);
    assert_eq!(share(&kept, "az1", NOON + 3 * SECOND, Duration::from_secs(60)), Some(1.0), "two seconds are no gap");
    kept.add(window("az1", NOON + 14 * SECOND, 10), 10.0);
    let got = share(&kept, "az1", NOON + 14 * SECOND, Duration::from_secs(60)).expect("it is known");
    // Thirty answered; ten seconds without anybody, at ten requests a second.
    assert!((got - 30.0 / 130.0).abs() < 1e-9, "{got}");
    kept.begin_at(Moment(NOON + 60 * SECOND));
    kept.add(window("az1", NOON + 61 * SECOND, 10), 10.0);
    let all = kept.zones().next().expect("a zone").1.all;
    assert_eq!((all.sent, all.answered, all.unsent), (40, 40, 100), "what nobody counted is nobody's outage");
}

#[test]
fn a_clock_that_is_put_back_loses_no_request_and_grows_nothing() {
    let mut kept = Availability::default();
    kept.add(window("az1", NOON, 10), 10.0);
    kept.add(window("az1", NOON - 10 * DAY, 10), 10.0);
    let zone = kept.zones().next().expect("a zone").1;
    assert_eq!(zone.all.sent, 20);
    assert_eq!(zone.within(Moment(NOON), Duration::from_secs(60)).sent, 10);
}

fn made(hosts: &[&str]) -> Made {
    Made {
        block: Block::new(7, 4, 3).expect("there is room"),
        keys: None,
        apart: None,
        routed: true,
        hosts: hosts.iter().map(|host| (HostName((*host).to_owned()), format!("id-{host}"))).collect(),
        addresses: BTreeMap::new(),
        signs: None,
    }
}

fn zones() -> Vec<ZoneName> {
    ["az1", "az2", "az3"].map(|zone| ZoneName::new(zone).expect("a name")).to_vec()
}

fn as_it_ought(made: &Made) -> Survey {
    let seen = |(host, id): (&HostName, &String)| {
        let (id, image, started) = (id.clone(), "sha256:image".to_owned(), "2026-11-30T10:00:00Z".to_owned());
        (host.clone(), Inspected { id, image, running: true, paused: false, started })
    };
    Survey {
        hosts: made.hosts.iter().map(seen).collect(),
        networks: (0..4).map(|number| (number, vec![made.block.subnet(number)])).collect(),
        disks: zones().into_iter().collect(),
        extra: Vec::new(),
    }
}

#[test]
fn every_difference_is_told_and_what_makes_it_another_region_is_big() {
    let made = made(&["az1-api-0", "az2-api-0"]);
    let (zones, good) = (zones(), as_it_ought(&made));
    let known: Known = good.hosts.iter().map(|(host, seen)| (host.clone(), seen.started.clone())).collect();
    let ought = Ought { made: &made, image: "sha256:image", zones: &zones, known: &known };
    assert_eq!(drift::found(ought, &good), []);
    let host = HostName("az1-api-0".to_owned());
    let changed = |change: &dyn Fn(&mut Survey)| {
        let mut survey = good.clone();
        change(&mut survey);
        let found = drift::found(ought, &survey);
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].big, found[0].text.clone())
    };
    let of = |survey: &mut Survey, change: &dyn Fn(&mut Inspected)| {
        change(survey.hosts.get_mut(&host).expect("it is there"))
    };
    type Change<'c> = &'c dyn Fn(&mut Survey);
    let cases: [(Change<'_>, bool, &str); 9] = [
        (&|survey| drop(survey.hosts.remove(&host)), true, "is missing"),
        (&|survey| of(survey, &|seen| seen.id.push('x')), true, "is another container"),
        (&|survey| of(survey, &|seen| seen.image.push('x')), true, "runs another image"),
        (&|survey| of(survey, &|seen| seen.running = false), true, "has no power"),
        (&|survey| of(survey, &|seen| seen.paused = true), true, "is paused"),
        (&|survey| of(survey, &|seen| seen.started.push('x')), false, "was restarted by somebody"),
        (&|survey| drop(survey.networks.remove(&2)), true, "the network of zone az2 is gone"),
        (
            &|survey| drop(survey.networks.insert(0, vec!["10.0.0.0/24".to_owned()])),
            true,
            "has the addresses 10.0.0.0/24",
        ),
        (
            &|survey| survey.extra.push(("volume", "foreign".to_owned())),
            false,
            "volume foreign carries the region's label",
        ),
    ];
    for (change, big, text) in cases {
        let found = changed(change);
        assert!(found.0 == big && found.1.contains(text), "{found:?}, not {text}");
    }
    // Whose keeper saw a host die, and whose hand gave it power since.
    let known: Known = known.clone().into_iter().chain([(host.clone(), DIED.to_owned())]).collect();
    let found = drift::found(Ought { known: &known, ..ought }, &good);
    assert!(found.len() == 1 && found[0].big && found[0].text.contains("az1-api-0 died"), "{found:?}");
}

fn region(scenario: &str) -> harness::region::declared::Region {
    let loaded = load::scenario(scenario, false).expect("it is built in");
    let [topology, graph, scenario] = loaded.texts().expect("it was read");
    let pair = |source: &fixtures::diagnostic::Source| (source.name.clone(), source.text.clone());
    let texts = Texts { topology: pair(topology), graph: pair(graph), scenario: Some(pair(scenario)) };
    Declared::new("blue", "20261130T100000Z-abc123", 7, Moment(0), texts).region().expect("it is read again")
}

#[test]
fn a_game_day_fits_the_region_of_its_own_files_and_is_told_why_it_fits_no_other() {
    let minimal = region("minimal");
    let same = load::scenario("minimal", false).expect("it is built in");
    assert_eq!(fit::differences(&minimal, &same), Vec::<String>::new());
    assert_eq!(fit::customers(&minimal, &same), None);
    let other = load::scenario("az-power-loss", false).expect("it is built in");
    let told = fit::differences(&minimal, &other);
    assert!(told.iter().any(|text| text.contains("the region has no service")), "{told:?}");
    let mut busier = same.clone();
    busier.scenario.traffic.rate.milli_per_s *= 2;
    assert_eq!(fit::differences(&minimal, &busier), Vec::<String>::new());
    assert!(fit::customers(&minimal, &busier).expect("they differ").contains("not 20/s"));
    let mut slower = same;
    slower.topology.boot.max *= 2;
    assert!(fit::differences(&minimal, &slower)[0].contains("boot times"));
}

#[test]
fn bystanders_end_a_game_day_and_those_whom_a_fault_is_aimed_at_do_not() {
    let loaded = load::scenario("minimal", false).expect("it is built in");
    let bound = Bound { least: 0.5, over: Duration::from_secs(5) };
    let harmed = |zone: &str, answered: u64, phase: Phase| {
        let mut watch = Watch::new(bound, &loaded.plan, zones());
        let event = |t_ms: u64, by, zone: Option<&str>, detail| Event {
            id: EventId(1),
            t_ns: t_ms * 1_000_000,
            utc: String::new(),
            by,
            place: Place { zone: zone.map(|zone| ZoneName::new(zone).expect("a name")), ..Place::default() },
            detail,
        };
        watch.saw(&event(0, By::Controller, None, Detail::Phase { phase, round: 0 }));
        (1..60).find_map(|half| {
            let detail = Detail::Canary {
                control: false,
                seq: half,
                window_ns: 500_000_000,
                sent: 5,
                ok: answered,
                degraded: 0,
                failed: BTreeMap::from([("timeout".to_owned(), 5 - answered)]),
                latency_us: Vec::new(),
                retries: 0,
                operations: BTreeMap::new(),
            };
            watch.saw(&event(half * 500, By::Canary, Some(zone), detail)).map(|why| (half, why))
        })
    };
    let (half, why) = harmed("az2", 2, Phase::Outage).expect("they suffer");
    assert!((9..=11).contains(&half), "after as long as was said, not after {half} half seconds");
    assert!(why.contains("customers of az2") && why.contains("40.0 %"), "{why}");
    assert_eq!(harmed("az1", 0, Phase::Outage), None, "the fault is aimed at az1");
    assert_eq!(harmed("az2", 3, Phase::Outage), None, "above the bound");
    assert_eq!(harmed("az2", 0, Phase::Settle), None, "a region that is being taken over");
}

#[test]
fn a_ledger_of_years_stays_small_and_keeps_what_came_last() {
    let root = tempfile::tempdir().expect("a folder can be made");
    let folder = Folder::of(root.path(), "blue");
    folder.make().expect("it can be made");
    for number in 0..6_000 {
        let what = What::Lent { run: format!("20261130T100000Z-{number:06}"), scenario: "minimal".to_owned() };
        ledger::write(&folder, Moment(number), what).expect("it is written");
    }
    let bytes = std::fs::metadata(folder.file("ledger.jsonl")).expect("it is there").len();
    assert!(bytes < 700 << 10, "{bytes} bytes");
    let all = ledger::read(&folder);
    assert_eq!(all.last().map(|entry| entry.at), Some(Moment(5_999)));
}

#[test]
fn a_lock_says_who_has_it_and_is_free_when_they_are_gone() {
    let root = tempfile::tempdir().expect("a folder can be made");
    let folder = Folder::of(root.path(), "blue");
    folder.make().expect("it can be made");
    assert_eq!(folder.holder(Lock::Day), None);
    let held = folder.lock(Lock::Day, "first").expect("it can be had");
    assert!(held.is_some());
    assert_eq!(folder.holder(Lock::Day).as_deref(), Some("first"));
    assert!(folder.lock(Lock::Day, "second").expect("the file is there").is_none());
    assert_eq!(folder.holder(Lock::Day).as_deref(), Some("first"), "who asks in vain changes nothing");
    drop(held);
    assert_eq!(folder.holder(Lock::Day), None);
}

#[test]
fn what_cannot_be_is_told_with_what_to_do() {
    let root = tempfile::tempdir().expect("a folder can be made");
    let said = |arguments: &[&str]| {
        let output = command(arguments).arg("--root").arg(root.path()).output().expect("it can be started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let cases: [(&[&str], &str); 6] = [
        (&["region", "up", "Blue", "--scenario", "minimal"], "small letters"),
        (&["region", "up", "blue", "--scenario", "minimul"], "did you mean `minimal`"),
        (&["region", "up", "blue", "--topology", "us-test-2", "--graph", "minimul"], "no built-in graph `minimul`"),
        (&["region", "up", "blue"], "--scenario"),
        (&["region", "status", "blue"], "no region `blue` is kept"),
        (&["region", "down", "blue"], "region up blue"),
    ];
    for (arguments, what) in cases {
        let (status, text) = said(arguments);
        assert!(status == Some(64) && text.contains(what), "{arguments:?}: {status:?} {text}");
    }
    let (status, text) = said(&["region", "list"]);
    assert_eq!((status, text.as_str()), (Some(0), ""));
}
