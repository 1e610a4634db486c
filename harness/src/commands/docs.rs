//! Owns `blackstart docs`: a page for each service of a graph. Refuses to remove pages of services that are gone: it
//! tells them.

use super::print;
use crate::cli::DocsArgs;
use crate::load;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Writes the pages, and says where.
///
/// # Errors
/// Bad input: a graph that cannot be read. A history or a file that cannot be used.
pub fn run(args: &DocsArgs, color: bool) -> Result<u8> {
    let (graph, warnings) = load::graph(&args.graph, color)?;
    super::write_err(&warnings);
    let runs = super::orr::runs_of(&args.runs)?;
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from("reports/docs").join(graph.name.as_str()));
    let told = || format!("{} cannot be written; name another folder with --out", folder.display());
    std::fs::create_dir_all(&folder).with_context(told)?;
    let pages = reports::docs::pages(&graph, &runs);
    for (name, page) in &pages {
        std::fs::write(folder.join(name), page.markdown()).with_context(told)?;
    }
    let names: BTreeSet<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for entry in std::fs::read_dir(&folder).with_context(told)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && !names.contains(name.as_str()) {
            tracing::warn!("{} is no page of this graph; it was left as it is", folder.join(name).display());
        }
    }
    print(&format!("{} pages in {}", pages.len(), folder.display()))?;
    Ok(crate::exit::OK)
}
