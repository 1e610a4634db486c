//! Claims about the reports of builds that are committed as samples: they are what the tool writes, and whoever has never seen
//! it finds the way through. `BLACKSTART_BLESS=1` writes them.

use crate::{building, building_zone};
use harness::building::defect::Defect;
use harness::building::{Built, Spec, record};
use reports::build::{lessons, page};
use reports::policy::Policy;
use scenarios::build::observed::{Building, FlowEnd};
use scenarios::build::plan::Until;
use scenarios::event::Detail;
use std::path::Path;

/// The defect of the committed correction.
const PINNED: &str = "pinned:quota:table-store";

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sample-build")
}

/// The samples: name of the page, how it was asked for, what came of it.
fn samples() -> [(&'static str, Spec, &'static Built); 3] {
    [
        ("region", building::spec(), &building::HEALTHY),
        ("zone", building_zone::spec(), &building_zone::HEALTHY),
        ("local-zone", building_zone::local(), &building_zone::LOCAL),
    ]
}

#[test]
fn committed_build_reports_are_what_the_tool_writes() {
    for (name, spec, built) in samples() {
        let record = record::of(&spec, built, name, "run-instances");
        let page = page::report(&record, &built.events);
        for (ending, text) in [("md", page.markdown()), ("html", page.html())] {
            let path = root().join(format!("{name}.{ending}"));
            if std::env::var_os("BLACKSTART_BLESS").is_some() {
                std::fs::write(&path, &text).expect("the folder is there");
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == text, "{name}.{ending} is stale: run the tests with BLACKSTART_BLESS=1");
        }
    }
}

#[test]
fn the_committed_correction_is_what_a_build_with_a_defect_leaves() {
    let mut played = building::spec();
    PINNED.parse::<Defect>().expect("a defect").play(&mut played);
    assert_eq!(format!("{:?}", played.by_hand), format!("{:?}", building::pinned().by_hand), "it is the one shown");
    let record = record::of(&building::pinned(), &building::PINNED, "20261130T190000Z-abc123", "run-instances");
    let record = record::with_defects(record, &[PINNED.to_owned()]);
    let built = &*building::PINNED;
    let page = lessons::correction(&record, &built.estate, &built.events, &Policy::USUAL).expect("it is violated");
    let path = root().join("coe.md");
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(&path, &page).expect("the folder is there");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "coe.md is stale: run the tests with BLACKSTART_BLESS=1");
    for said in page.split("`blackstart build ").skip(1) {
        let command = said.split('`').next().unwrap_or_default();
        assert!(command.ends_with("--seed 7 --defect pinned:quota:table-store"), "it shows nothing: {command}");
    }
    for word in ["`quota`", "`services.quota.calls.table-store`", "phase: bake", "region-build", "## Action items"] {
        assert!(page.contains(word), "{word:?} is missing in docs/sample-build/coe.md");
    }
}

#[test]
fn a_build_report_explains_itself() {
    let words = |name: &str| std::fs::read_to_string(root().join(name)).unwrap_or_default();
    // What it is, how it went, when what was done, what the time went into, and how to have it again.
    let all = [
        "critical path",
        "Who leaned on what stood in",
        "1, the longest",
        "Verdict: ",
        "held",
        "█",
        "began",
        "What held what back",
        "## Again",
        "blackstart build",
    ];
    for (name, own) in [
        ("region.md", ["Franken instance", "bootstrap network", "access list", "racks of"]),
        ("zone.md", ["stand in for", "peering", "no second zone is", "Racks landed"]),
        ("local-zone.md", ["data plane", "link", "marked for their country", "Racks landed"]),
    ] {
        let text = words(name);
        for word in all.iter().chain(&own) {
            assert!(text.contains(word), "{word:?} is missing in docs/sample-build/{name}");
        }
        let html = words(&name.replace(".md", ".html"));
        assert!(html.contains("<svg") && html.contains("Phases of the build over time"), "{name}");
        assert!(html.contains("The critical path, link by link") && !text.contains("\\`"), "{name}");
    }
}

/// Cells of each row of the table below a heading.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, below) = text.split_once(&format!("# {heading}\n")).unwrap_or_else(|| panic!("no {heading:?}"));
    let table = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.skip(2).map(cells).collect()
}

/// What a step waited for is what its plan has it wait for, and no instance that happened to come up meanwhile.
#[test]
fn a_build_report_says_what_each_step_waited_for() {
    for (name, spec, built) in samples() {
        let seen = reports::build::told(&built.events);
        let text = page::report(&record::of(&spec, built, name, "run-instances"), &built.events).markdown();
        let links =
            rows(&text, "The critical path, link by link").into_iter().map(|row| (row[1].clone(), row[2].clone()));
        let slow = rows(&text, "What held what back").into_iter().map(|row| (row[0].clone(), row[3].clone()));
        let told: Vec<(String, String)> = links.chain(slow).collect();
        assert!(told.len() > 12, "{name}: {told:?}");
        for (id, held) in told {
            let step = built.plan.steps.iter().find(|step| format!("`{}`", step.id) == id).expect("a step of the plan");
            let waits = seen.steps().filter(|one| one.id == step.id && !one.waited_for.is_empty());
            let outside = waits.map(|one| &one.waited_for).any(|why| held.ends_with(why.as_str()));
            let last = held.split_once(": `").map(|(_, last)| last.trim_end_matches('`').to_owned());
            let is_right = match &step.until {
                Until::Passed(_) => held == "time that must pass",
                Until::Done => held.starts_with("its own work: "),
                Until::Answering(all) | Until::Active { instances: all, .. } => match last {
                    Some(last) => all.iter().any(|one| one.to_string() == last),
                    None => held == "whoever it needs was up already",
                },
            };
            assert!(is_right || outside, "{name}: {id} waits for {:?}, and is said to wait for {held:?}", step.until);
        }
    }
}

/// Every stand-in is told with the step that took it away, every caller of one has a row, and nobody asked afterwards.
#[test]
fn a_build_report_says_who_leaned_on_what_stood_in() {
    let (name, spec, built) = &samples()[0];
    let record = record::of(spec, built, name, "run-instances");
    let text = page::report(&record, &built.events).markdown();
    let stand_ins = rows(&text, "Who leaned on what stood in");
    for (what, step) in [("Franken instance", "`shutdown.hosts`"), ("proxy", "`proxies.off`")] {
        let own: Vec<_> = stand_ins.iter().filter(|row| row[0] == what).collect();
        assert!(!own.is_empty() && own.iter().all(|row| row[2] == step && row[6] == "no"), "{what}: {own:?}");
    }
    assert!(stand_ins.iter().any(|row| row[0] == "bootstrap network"), "{stand_ins:?}");
    let mut callers = std::collections::BTreeSet::new();
    for event in &built.events {
        if let Detail::Build { seen: Building::Flow { to, end, .. } } = &event.detail {
            let is_stand_in = matches!(end, FlowEnd::Franken | FlowEnd::Proxy | FlowEnd::Network);
            callers.extend(event.place.service.clone().filter(|_| is_stand_in).map(|from| (*end, to.clone(), from)));
        }
    }
    assert_eq!(rows(&text, "By caller").len(), callers.len(), "none is cut off");
}
