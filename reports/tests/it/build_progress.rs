//! Claims about how far a build is, told while it goes on: it is a fold of events for a plan that is known beforehand, and
//! what is drawn of it fits any terminal.

use crate::full;
use fixtures::load::load_graph;
use fixtures::name::{InstanceName, RegionName};
use fixtures::regional::estate::{Estate, Part, Site, Wanted};
use reports::build::progress::Progress;
use reports::build::tree::draw;
use reports::live::screen::Screen;
use scenarios::build::observed::{Building, StepState};
use scenarios::build::plan::BuildPhase;
use scenarios::build::region::{Course, plan};
use scenarios::event::{Detail, Event, Life, Place};

const SECOND: u64 = 1_000_000_000;

fn estate() -> Estate {
    let graph = load_graph(&fixtures::builtin::graph("run-instances").expect("it is built in")).expect("it is right").0;
    let [bootstrap, build] = ["us-test-1", "eu-test-7"].map(|name| RegionName::new(name).expect("a name"));
    Estate::new(Wanted { graph: &graph, bootstrap: &bootstrap, build: &build, per_host: 8, apart: false })
        .expect("names fit")
}

fn event(at_s: u64, seen: Building) -> Event {
    full::event(at_s + 1, at_s * SECOND, Detail::Build { seen })
}

fn phase(at_s: u64, phase: BuildPhase) -> Event {
    event(at_s, Building::Phase { phase })
}

fn step(at_s: u64, id: &str, state: StepState, attempt: u32, text: &str) -> Event {
    let (step, text, phase) = (id.to_owned(), text.to_owned(), BuildPhase::Network);
    event(at_s, Building::Step { step, phase, state, attempt, text })
}

fn probe(at_s: u64, instance: &InstanceName, outcome: Life) -> Event {
    let place = Place { instance: Some(instance.clone()), ..Place::default() };
    let detail = Detail::Probe { outcome, cause: String::new(), took_us: 1 };
    Event { place, ..full::event(at_s, at_s * SECOND, detail) }
}

/// A build that has launched its name servers, of which one is active, and begins them anew.
fn at_launch(estate: &Estate) -> (Progress, Vec<InstanceName>) {
    let names = estate.instances(|standing| (standing.site, standing.part) == (Site::Build, Part::Names));
    let mut progress = Progress::new(estate, &plan(estate, &Course::default()));
    let events = [
        phase(10, BuildPhase::Network),
        step(10, "network.names", StepState::Begun, 1, "names of 5 services"),
        step(11, "network.names", StepState::Done, 1, ""),
        phase(20, BuildPhase::Identity),
        phase(30, BuildPhase::ControlPlane),
        phase(40, BuildPhase::Launch),
        step(40, "launch.names", StepState::Waiting, 0, "racks of eu-test-7-az2"),
        step(60, "launch.names", StepState::Begun, 1, "power on 3 hosts"),
        probe(61, &names[0], Life::Active),
        probe(61, &names[1], Life::Serving),
        step(120, "launch.names", StepState::Retried, 2, "power on 3 hosts"),
    ];
    let borders = events.iter().filter(|event| progress.see(event)).count();
    assert_eq!(borders, 4);
    (progress, names)
}

#[test]
fn progress_is_a_fold_of_what_was_seen() {
    let estate = estate();
    let (mut progress, names) = at_launch(&estate);
    assert_eq!(progress.title(), "eu-test-7 out of us-test-1");
    let network = &progress.phases()[0];
    assert_eq!((network.done(), network.from_ns, network.to_ns), (1, Some(10 * SECOND), Some(20 * SECOND)));
    let at = progress.at().expect("a step is under way");
    assert_eq!((at.id.as_str(), at.attempts, at.text.as_str()), ("launch.names", 2, "power on 3 hosts"));
    let awaited: Vec<_> =
        at.awaited.iter().map(|(name, all)| (name.as_str(), progress.active(all), all.len())).collect();
    assert_eq!(awaited, [(estate.cast.names.as_str(), 1, names.len())]);
    let all = estate.instances(|standing| standing.site == Site::Build).len();
    assert_eq!((progress.share(), progress.tried_again(), progress.gone_ns()), ((1, all), 1, 110 * SECOND));
    let line = progress.line();
    assert!(line.contains(&format!("phase 4 of 16: launch of hosts (1 of {all} instances active, ")), "{line}");
    // Whoever takes it up says again where it is: that is no border, and it is a hand.
    let hand = Building::Hand { step: "launch.names".to_owned(), text: "it was taken up".to_owned() };
    assert!(!progress.see(&event(130, hand)) && !progress.see(&phase(130, BuildPhase::Launch)));
    assert_eq!(progress.hands(), 1);
    progress.see(&event(131, Building::Paused { phase: BuildPhase::Stores, text: String::new() }));
    assert_eq!(progress.paused(), "before stores, somebody asked for it");
    // What is undone is told; steps and phases that the plan does not have are passed over.
    progress.see(&step(140, "network.names", StepState::Undone, 1, ""));
    assert_eq!((progress.phases()[0].undone(), progress.paused()), (1, ""));
    assert!(!progress.see(&phase(141, BuildPhase::Peering)));
    progress.see(&step(141, "nothing.of.it", StepState::Failed, 3, "?"));
}

#[test]
fn the_tree_tells_phase_services_percent_waits_and_attempts() {
    let estate = estate();
    let (progress, _) = at_launch(&estate);
    let lines = draw(&progress, Screen { columns: 100, lines: 40, color: false });
    let text = lines.join("\n");
    for word in [
        "eu-test-7 out of us-test-1  phase 4 of 16, 110.0 s",
        "instances active, ",
        "1 tried again",
        "✓ bootstrap network",
        "▶ launch of hosts",
        "launch.names attempt 2",
        "1 of 3 active",
        "○ stores",
        "○ open",
    ] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    let mut waiting = Progress::new(&estate, &plan(&estate, &Course::default()));
    waiting.see(&phase(40, BuildPhase::Launch));
    waiting.see(&step(41, "launch.names", StepState::Waiting, 0, "racks of eu-test-7-az2"));
    waiting.see(&probe(50, &InstanceName("nobody".into()), Life::Off));
    let text = draw(&waiting, Screen { columns: 100, lines: 40, color: false }).join("\n");
    assert!(text.contains("launch.names waits 9000 ms: racks of eu-test-7-az2"), "{text}");
}

#[test]
fn the_tree_fits_any_terminal_and_always_has_what_is_under_way() {
    let estate = estate();
    let (progress, _) = at_launch(&estate);
    let begun = Progress::new(&estate, &plan(&estate, &Course::default()));
    for (columns, lines) in [(20, 6), (20, 200), (80, 6), (80, 8), (80, 12), (80, 24), (200, 50)] {
        for progress in [&begun, &progress] {
            let drawn = draw(progress, Screen { columns, lines, color: false });
            assert!(drawn.len() <= lines, "{} lines on {lines}", drawn.len());
            assert!(
                drawn.iter().all(|line| line.chars().count() <= columns),
                "{columns} columns:\n{}",
                drawn.join("\n")
            );
        }
        let drawn = draw(&progress, Screen { columns, lines, color: false }).join("\n");
        assert!(drawn.contains("▶ launch of hosts") && drawn.contains("launch.names"), "{columns}×{lines}:\n{drawn}");
    }
    let hostile = step(130, "launch.names", StepState::Failed, 3, "\u{1b}[2J<b>\n# gone");
    let mut progress = progress;
    progress.see(&hostile);
    let drawn = draw(&progress, Screen { columns: 100, lines: 40, color: false }).join("\n");
    assert!(drawn.contains("failed: ") && !drawn.contains('\u{1b}'), "{drawn}");
}
