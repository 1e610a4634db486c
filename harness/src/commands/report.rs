//! Owns `blackstart report`: renders a run's record again.

use super::print;
use crate::cli::Document;
use crate::history::Past;
use anyhow::{Context, Result};
use std::path::Path;

/// Renders the record in `run`, a folder or a `record.json`.
///
/// # Errors
/// Where it cannot be read, or a newer blackstart wrote it.
pub fn run(run: &Path, format: Document, policy: Option<&Path>, color: bool) -> Result<u8> {
    let policy = crate::load::policy(policy, color)?;
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new(".")) };
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read; name the folder of a run", path.display()))
    };
    let record = reports::record::from_json(&read("record.json")?)?;
    let text = match format {
        Document::Table => reports::table::render(&record, color),
        Document::Junit => reports::junit::render(&record),
        Document::Json => reports::record::to_json(&record),
        Document::Summary => reports::summary::render(&[&record]),
        Document::Coe | Document::Html => {
            let journal = reports::journal::read(&read("events.jsonl")?)?;
            if let Some(torn) = &journal.torn {
                tracing::warn!("the last line of events.jsonl is torn and was left out: {torn:?}");
            }
            let render = if format == Document::Coe { reports::coe::render } else { reports::html::render };
            let past = Past::beside_run(folder, &record);
            render(&record, &journal.events, &past.beside(&policy))
        }
    };
    print(&text)?;
    Ok(crate::exit::OK)
}
