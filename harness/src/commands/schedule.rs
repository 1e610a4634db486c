//! Owns `blackstart schedule`: the calendar ahead. Refuses to know what conditions will say.

use super::print;
use crate::cli::{Format, ScheduleArgs};
use crate::clock::Keeping;
use crate::exit;
use crate::load;
use crate::schedule::ledger::Ledger;
use crate::schedule::preview::{Ahead, preview};
use crate::serve::Folders;
use anyhow::{Context, Result};
use std::fmt::Write;

/// Prints what would be run when.
///
/// # Errors
/// Bad input; a ledger that a later version wrote.
pub fn run(args: &ScheduleArgs, color: bool) -> Result<u8> {
    let file = load::schedule(&args.schedule, color)?;
    let path = Folders::of(&args.out).ledger();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let ledger = Ledger::read(&text).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?;
    let ahead = preview(&file.plan, &ledger, Keeping::start().now().wall, args.next);
    match args.format {
        Format::Json => print(&serde_json::to_string_pretty(&ahead)?)?,
        Format::Text => print(&table(&ahead)?)?,
    }
    Ok(exit::OK)
}

fn table(ahead: &[Ahead]) -> Result<String> {
    let mut text = String::new();
    let width = |of: fn(&Ahead) -> usize, least: usize| ahead.iter().map(of).max().unwrap_or_default().max(least);
    let (when, name) = (width(|one| one.local.len(), 6), width(|one| one.slot.schedule.len(), 8));
    writeln!(text, "{:when$}  {:name$}  WHAT", "BEGINS", "SCHEDULE")?;
    for Ahead { slot, local, choice, refused, .. } in ahead {
        let what = match refused {
            Some(why) => format!("refused: {why}"),
            None => format!("{} (seed {}): {}", choice.scenario, choice.seed, choice.why),
        };
        writeln!(text, "{local:when$}  {:name$}  {what}", slot.schedule)?;
    }
    Ok(text)
}
