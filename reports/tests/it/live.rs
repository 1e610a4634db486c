//! Owns the claims about the picture of a run while it goes on: what it shows at each moment of the committed sample, that
//! a viewer who is told only what changed sees the same as one who is told everything, and that lines say what events say.
//! Refuses to know who looks.

use crate::full;
use fixtures::name::{HostName, InstanceName};
use proptest::prelude::*;
use reports::journal;
use reports::live::now::{How, Now, Proof, Stand, StepState, Weight};
use reports::live::region::Region;
use reports::live::screen::{Screen, draw};
use reports::live::zone::WINDOWS_MAX;
use reports::live::{Picture, TIMELINE_MAX};
use reports::record::{Origin, Parameter, from_json};
use scenarios::event::{By, Detail, Event, Life, Phase, Place};
use scenarios::verdict::Verdict;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

fn picture() -> Picture {
    Picture::new(Arc::new(Region::of_record(&from_json(full::RECORD).unwrap())))
}

fn sample() -> Vec<Event> {
    journal::read(full::EVENTS).unwrap().events
}

/// The sample until an event, that one included.
fn until(is_last: impl Fn(&Event) -> bool) -> Picture {
    let mut picture = picture();
    for event in sample() {
        picture.event(&event);
        if is_last(&event) {
            break;
        }
    }
    picture
}

fn is_step(event: &Event, id: &str) -> bool {
    matches!(&event.detail, Detail::StepDone { step, .. } if step == id)
}

#[test]
fn before_anything_happens_everything_is_off() {
    let picture = picture();
    let (now, region) = (picture.now(), picture.region());
    assert_eq!(now.counts(), [region.instances.len(), 0, 0, 0, 0]);
    assert!(now.hosts.bytes().iter().all(|host| *host == b'0'));
    assert_eq!((now.phase, now.told), (None, 0));
    assert_eq!(region.steps[0].id, "r0.region-dark.inject");
    assert_eq!(region.steps[region.steps[0].pair].id, "r0.region-dark.heal");
    let mut record = from_json(full::RECORD).unwrap();
    for (name, value) in [("steady-state.availability", "99.9%"), ("windows.recovery", "2m")] {
        record.parameters.insert(name.to_owned(), Parameter { value: value.to_owned(), origin: Origin::Declared });
    }
    let region = Region::of_record(&record);
    assert_eq!((region.promised_ppm, region.windows.recovery_ms, region.windows.quiet_ms), (999_000, 120_000, 0));
}

#[test]
fn a_zone_that_lost_power_is_dark_and_its_step_is_done_and_proved() {
    let dark = until(|event| is_step(event, "r0.region-dark.inject"));
    let now = dark.now();
    assert_eq!(now.steps[0].state, StepState::Done);
    assert!(now.hosts.bytes().iter().all(|host| *host == b'0'));
    let proved = until(|event| matches!(event.detail, Detail::FaultEffect { .. }));
    let now = proved.now();
    assert_eq!(now.steps[0].proof, Proof::Holds);
    assert_eq!(now.phase.unwrap().phase, Phase::Outage);
    assert_eq!(now.rounds, [Some(now.phase.unwrap().since_ms)]);
    let lit = until(|event| is_step(event, "r0.region-dark.heal"));
    assert!(lit.now().hosts.bytes().iter().all(|host| *host == b'1'));
}

#[test]
fn the_end_waits_for_the_verdict_and_tells_it_with_its_causes() {
    let mut picture = until(|_| false);
    assert_eq!(picture.now().ending, None);
    picture.event(&full::event(1_000, 200_000_000_000, Detail::Phase { phase: Phase::Ended, round: 0 }));
    assert_eq!(picture.now().ending.as_ref().unwrap().how, How::Judging);
    picture.judged(&from_json(full::RECORD).unwrap());
    let ending = picture.now().ending.clone().unwrap();
    assert_eq!((ending.how, ending.verdict), (How::Judged, Some(Verdict::Violated)));
    assert!(!ending.invariants.is_empty() && !ending.findings.is_empty());
    let told: Vec<Weight> = picture.now().timeline.iter().map(|entry| entry.weight).collect();
    for weight in [Weight::Phase, Weight::Fault, Weight::Heal, Weight::Bad] {
        assert!(told.contains(&weight), "{weight:?} is not among {told:?}");
    }
}

#[test]
fn what_an_instance_says_of_itself_and_what_comes_after_teardown_changes_nothing() {
    let mut picture = picture();
    let instance = picture.region().instances[0].name.clone();
    let state = |by, t_ns| Event {
        by,
        place: Place { instance: Some(instance.clone()), ..Place::default() },
        ..full::event(1, t_ns, Detail::State { to: Life::Active, degraded: false, missing: Vec::new() })
    };
    picture.event(&state(By::Own, 1));
    picture.line(&journal::to_line(&state(By::Own, 1)));
    assert_eq!(picture.delta(), None);
    picture.event(&state(By::Witness, 2));
    assert_eq!(picture.now().instances.get_byte(0), Stand::Active.letter());
    picture.event(&full::event(2, 3, Detail::Phase { phase: Phase::Teardown, round: 0 }));
    let off = Detail::State { to: Life::Off, degraded: false, missing: Vec::new() };
    picture.event(&Event { detail: off, ..state(By::Witness, 4) });
    assert_eq!(picture.now().instances.get_byte(0), Stand::Active.letter());
}

#[test]
fn lines_that_are_no_events_are_counted_and_none_is_fatal() {
    let mut picture = picture();
    for line in ["", "  ", "{", "no line", "{\"kind\":\"state\"}", "{\"kind\":\"of a later version\"}", "\u{0}"] {
        picture.line(line);
    }
    assert_eq!(picture.now().unread, 5);
    assert_eq!(picture.delta().unwrap().unread, Some(5));
    assert_eq!(picture.delta(), None);
}

#[test]
fn nothing_grows_without_bound() {
    let mut picture = picture();
    let zone = picture.region().zones[0].clone();
    let events = sample();
    let window = events.iter().find(|event| matches!(event.detail, Detail::Canary { control: false, .. })).unwrap();
    for number in 0..5_000 {
        let place = Place { zone: Some(zone.clone()), ..Place::default() };
        picture.event(&Event { t_ns: number, place, ..window.clone() });
        picture.event(&full::event(number, number, Detail::Phase { phase: Phase::Outage, round: 0 }));
    }
    assert_eq!(picture.now().zones[0].windows.len(), WINDOWS_MAX);
    assert_eq!(picture.now().timeline.len(), TIMELINE_MAX);
    assert!(picture.now().told >= 5_000);
    let delta = picture.delta().unwrap();
    assert_eq!((delta.zones[0].1.windows.len(), delta.timeline.len()), (WINDOWS_MAX, TIMELINE_MAX));
}

/// An event of any kind, at any place of the sample's region or at none, or a change of one instance.
fn any_event() -> impl Strategy<Value = Event> {
    let lives = [Life::Off, Life::Starting, Life::Serving, Life::Active];
    let region = picture().region().as_ref().clone();
    let (kinds, life) = (full::events("free text"), prop::sample::select(lives.to_vec()));
    let place = (0..region.instances.len() + 1, 0_u64..90_000_000_000, any::<bool>());
    let missing = prop::collection::vec(prop::sample::select(region.services.clone()), 0..3);
    (prop::sample::select(kinds), place, life, missing, 0_u8..4).prop_map(move |(event, place, to, missing, kind)| {
        let (at, t_ns, degraded) = place;
        let instance = region.instances.get(at);
        let host = instance.map(|one| &region.hosts[one.host]);
        let place = Place {
            zone: host.map(|host| region.zones[host.zone].clone()),
            host: host.map(|host| host.name.clone()),
            service: instance.map(|one| region.services[one.service].clone()),
            instance: instance.map(|one| one.name.clone()),
        };
        let step = &region.steps[at % region.steps.len()];
        let hosts: Vec<HostName> = region.hosts.iter().skip(at).map(|host| host.name.clone()).collect();
        let detail = match (kind, event.detail.clone()) {
            (0, _) => Detail::State { to, degraded, missing },
            (_, Detail::StepDone { act, what, method, skew_ns, unsynced_lost, torn, .. }) => {
                let (step, fault) = (step.id.clone(), step.fault.clone());
                Detail::StepDone { step, fault, act, what, method, skew_ns, hosts, unsynced_lost, torn }
            }
            (_, detail) => detail,
        };
        Event { t_ns, place, detail, ..event }
    })
}

proptest! {
    #[test]
    fn who_is_told_what_changed_sees_what_who_is_told_everything_sees(
        events in prop::collection::vec(any_event(), 0..400),
        told_after in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut picture = picture();
        let mut seen: Now = picture.snapshot();
        let mut rest = &events[..];
        for count in told_after.iter().cycle() {
            let (some, later) = rest.split_at(rest.len().min(*count));
            some.iter().for_each(|event| picture.event(event));
            // Over the wire, as a viewer gets it.
            if let Some(delta) = picture.delta() {
                let wire = serde_json::to_string(&delta).unwrap();
                seen.apply(&serde_json::from_str(&wire).unwrap());
            }
            let whole = serde_json::to_value(picture.snapshot()).unwrap();
            let mut own = serde_json::to_value(&seen).unwrap();
            // Time alone is not told.
            own["t_ms"] = whole["t_ms"].clone();
            prop_assert_eq!(own, whole);
            rest = later;
            if rest.is_empty() { break; }
        }
    }

    #[test]
    fn a_line_says_what_its_event_says(events in prop::collection::vec(any_event(), 0..200)) {
        let (mut by_event, mut by_line) = (picture(), picture());
        for event in &events {
            by_event.event(event);
            by_line.line(&journal::to_line(event));
        }
        prop_assert_eq!(by_line.now(), by_event.now());
        prop_assert_eq!(by_line.now().unread, 0);
    }

    #[test]
    fn whatever_names_and_texts_say_no_control_is_told(text in ".{0,60}") {
        let mut record = full::record(&text);
        record.instances[0].name = InstanceName(text.clone());
        let mut picture = Picture::new(Arc::new(Region::of_record(&record)));
        full::events(&text).iter().for_each(|event| picture.event(event));
        picture.judged(&record);
        picture.lost(&text);
        for entry in &picture.now().timeline {
            prop_assert_eq!(entry.text.chars().find(|c| crate::hostile::is_harmful(*c) || *c == '\n'), None);
        }
    }
}

#[test]
fn on_a_terminal_no_line_is_wider_than_it_and_none_is_too_many() {
    let mut picture = until(|event| matches!(event.detail, Detail::FaultEffect { .. }));
    picture.lost("a reason");
    for (columns, lines, color) in [(1, 1, false), (20, 5, true), (80, 24, false), (80, 24, true), (200, 60, true)] {
        let drawn = draw(&picture, 24_000, Screen { columns, lines, color });
        assert!(drawn.len() <= lines, "{} lines of {lines}", drawn.len());
        for line in &drawn {
            let plain: String =
                line.split('\u{1b}').map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect();
            let plain = if color { plain } else { line.clone() };
            assert!(plain.width() <= columns.max(20), "{columns}: {plain}");
            assert!(color || !line.contains('\u{1b}'));
        }
    }
    let drawn = draw(&picture, 24_000, Screen { columns: 100, lines: 40, color: false }).join("\n");
    for wanted in
        ["outage", "× ", "az1", "▼ region-dark: power on 15 hosts, in force, and seen to be", "no verdict: a reason"]
    {
        assert!(drawn.contains(wanted), "{wanted} is not in\n{drawn}");
    }
}
