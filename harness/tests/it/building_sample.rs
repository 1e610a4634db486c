//! Claims about the reports of builds that are committed as samples: they are what the tool writes, and whoever has never seen
//! it finds the way through. `BLACKSTART_BLESS=1` writes them.

use crate::{building, building_zone};
use harness::building::defect::Defect;
use harness::building::{Built, Spec, record};
use reports::build::{lessons, page};
use reports::policy::Policy;
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
    let all =
        ["critical path", "Verdict: ", "held", "█", "began", "What held what back", "## Again", "blackstart build"];
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
    }
}
