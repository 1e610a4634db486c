//! Owns the one result of several game days: JUnit, the summary of a CI job, and a list for programs. Refuses to judge.

use super::Left;
use crate::cli::{Format, RunArgs};
use crate::commands::print;
use crate::exit;
use anyhow::{Context, Result};
use reports::record::Record;
use scenarios::verdict::Verdict;
use serde_json::json;

/// Where it lies, below the folder of the runs. It is written anew each time; the runs themselves stay.
const FOLDER: &str = "combined";

pub(super) fn write(args: &RunArgs, lefts: &[Left]) -> Result<()> {
    let folder = args.out.join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let records: Vec<&Record> = lefts.iter().map(|left| &left.record).collect();
    let files = [
        ("junit.xml", reports::junit::render_all(&records)),
        ("summary.md", reports::summary::render(&records)),
        ("result.json", serde_json::to_string_pretty(&list(lefts))? + "\n"),
    ];
    for (name, text) in &files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.format == Format::Text {
        print(&format!("together: {}", folder.display()))?;
    }
    Ok(())
}

fn list(lefts: &[Left]) -> serde_json::Value {
    let run = |left: &Left| {
        json!({
            "run": left.record.run,
            "scenario": left.record.scenario,
            "verdict": left.record.verdict,
            "status": left.status,
            "known_gaps": left.record.known_gaps,
            "folder": left.folder.display().to_string(),
        })
    };
    json!({
        "verdict": Verdict::merge(lefts.iter().map(|left| left.record.verdict)),
        "status": exit::merge(lefts.iter().map(|left| left.status)),
        "runs": lefts.iter().map(run).collect::<Vec<_>>(),
    })
}
