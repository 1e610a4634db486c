//! Owns the text of a bring-up in buckets: how many were active after each, and what held the others back. Refuses to
//! find that out: [`scenarios::bring_up`] does.

use anyhow::Result;
use scenarios::bring_up::{Bucket, HeldBack, Why};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Paths of one bucket that are written out; the others are counted.
const PATHS_MAX: usize = 12;

/// The story; empty where no round had several power-ons.
pub(super) fn told(buckets: &[Bucket]) -> Result<String> {
    let mut text = String::new();
    for bucket in buckets {
        let Bucket { name, launched, after_ns, settled_ns, powered, active, held_back, blockers, .. } = bucket;
        let seconds = |ns: u64| Duration::from_nanos(ns).as_secs_f64();
        write!(text, "  {name}: {launched} launched")?;
        if let Some(settled_ns) = settled_ns {
            write!(text, ", all of them active within {:.1} s", seconds(*settled_ns))?;
        }
        write!(text, "; of {powered} with power {active} active after {:.1} s", seconds(*after_ns))?;
        for (number, blocker) in blockers.iter().enumerate() {
            let joint = if number == 0 { "; held back by" } else { " and" };
            write!(text, "{joint} {} ({})", blocker.service, blocker.holds_back)?;
        }
        text.push('\n');
        paths(&mut text, held_back)?;
    }
    Ok(if text.is_empty() { text } else { format!("\nbring-up in buckets\n{text}") })
}

/// One line for each path, with the instances that it stands for: those of one service are mostly alike.
fn paths(text: &mut String, held_back: &[HeldBack]) -> Result<()> {
    let mut same: BTreeMap<(String, Why), Vec<&str>> = BTreeMap::new();
    for HeldBack { instance, path, why } in held_back {
        let path: Vec<&str> = path.iter().map(|service| service.as_str()).collect();
        same.entry((path.join(" > "), *why)).or_default().push(instance.as_str());
    }
    let more = same.len().saturating_sub(PATHS_MAX);
    for ((path, why), instances) in same.into_iter().take(PATHS_MAX) {
        let why = match why {
            Why::Dark => "no power yet",
            Why::Silent => "does not answer",
            Why::Failing => "does not answer in full",
        };
        writeln!(text, "    {path} ({why}): {}", instances.join(", "))?;
    }
    if more > 0 {
        writeln!(text, "    and {more} more paths")?;
    }
    Ok(())
}
