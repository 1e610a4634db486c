//! Owns `blackstart history`: lists runs, draws their trends, compares newer with older ones, and makes the history anew.
//! Refuses to judge a run again.

use super::print;
use crate::cli::{HistoryArgs, ListFormat};
use crate::history::{Filter, History, Reference};
use crate::load::BadInput;
use anyhow::Result;
use reports::history::compare::{Change, Comparison, Limits};
use reports::history::list::Listing;
use std::path::Path;

/// Does what is asked for; 1 on a regression, 3 where there are too few runs to tell.
///
/// # Errors
/// Bad input; a history that cannot be read or written.
pub fn run(args: &HistoryArgs) -> Result<u8> {
    let mut history = open(&args.runs)?;
    if args.rebuild {
        return rebuild(&mut history, args);
    }
    let filter = Filter {
        scenarios: args.scenarios.clone(),
        world: args.world.clone(),
        graph: args.graph.clone(),
        verdict: args.verdict.map(Into::into),
        label: args.label.clone(),
        since: args.since,
        until: args.until,
        limit: None,
    };
    if let Some(against) = &args.against {
        return compare(&history, args, against, &filter);
    }
    let (runs, left_off) = history.select(&Filter { limit: Some(args.limit), ..filter })?;
    let listing = Listing { runs: &runs, left_off };
    print(&match args.format {
        ListFormat::Text => listing.text(),
        ListFormat::Json => listing.json(),
        ListFormat::Markdown => listing.page().markdown(),
        ListFormat::Html => listing.page().html(),
    })?;
    Ok(crate::exit::OK)
}

/// The history of a folder that is there: a mistyped one is not made.
///
/// # Errors
/// Bad input: no such folder. A history that cannot be used.
pub fn open(runs: &Path) -> Result<History> {
    if !runs.is_dir() {
        let text = format!(
            "error: there is no folder of runs {}\nhelp: `blackstart run SCENARIO` makes it; another one is named with --runs DIR\n",
            runs.display()
        );
        return Err(BadInput { text }.into());
    }
    History::open(runs)
}

fn rebuild(history: &mut History, args: &HistoryArgs) -> Result<u8> {
    let rebuilt = history.rebuild()?;
    for (folder, why) in &rebuilt.unread {
        tracing::warn!("{} is left out: {why}", folder.display());
    }
    let runs = args.runs.display();
    print(&format!(
        "{} runs entered from the records in {runs}, {} not readable",
        rebuilt.entered,
        rebuilt.unread.len()
    ))?;
    Ok(if rebuilt.unread.is_empty() { crate::exit::OK } else { crate::exit::HARNESS })
}

fn compare(history: &History, args: &HistoryArgs, against: &Reference, filter: &Filter) -> Result<u8> {
    let newer = history.newer(args.now.as_ref(), args.last, filter)?;
    let older = history.older(against, &newer)?;
    let comparison = Comparison::new(&older, &newer, &Limits::default());
    print(&match args.format {
        ListFormat::Json => comparison.json(),
        ListFormat::Text => comparison.text(),
        ListFormat::Markdown => comparison.page().markdown(),
        ListFormat::Html => comparison.page().html(),
    })?;
    Ok(match comparison.outcome {
        Change::Worse => crate::exit::VIOLATED,
        Change::TooFew => crate::exit::INCONCLUSIVE,
        _ => crate::exit::OK,
    })
}
