//! Owns `blackstart coe`: judges corrections of error, also those that people edited.

use super::print;
use crate::cli::CoeCommand;
use crate::load::{self, BadInput};
use anyhow::Result;
use reports::policy::Policy;
use scenarios::event::EventId;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// Lists actions, or judges pages: 0 where no rule is broken, 1 where one is.
///
/// # Errors
/// Bad input: a page or policy that cannot be read.
pub fn run(command: &CoeCommand, color: bool) -> Result<u8> {
    let (files, policy) = match command {
        CoeCommand::Actions(args) => return super::actions::run(args, color),
        CoeCommand::Lint { files, policy } => (files, policy),
    };
    let policy = load::policy(policy.as_deref(), color)?;
    let mut text = String::new();
    let mut broken = 0;
    for file in files {
        let breaches = lint(file, &policy)?;
        broken += breaches.len();
        for breach in breaches {
            writeln!(text, "{}:{breach}", file.display())?;
        }
    }
    if broken == 0 {
        print(&format!("{} judged, no rule is broken", files.len()))?;
        return Ok(crate::exit::OK);
    }
    print(&text)?;
    Ok(crate::exit::VIOLATED)
}

fn lint(file: &Path, policy: &Policy) -> Result<Vec<reports::coe::lint::Breach>> {
    let text = std::fs::read_to_string(file).map_err(|error| BadInput {
        text: format!(
            "error: {} cannot be read: {error}\nhelp: give the path of a coe.md or report.md\n",
            file.display()
        ),
    })?;
    let beside = file.with_file_name("events.jsonl");
    let events = match std::fs::read_to_string(&beside) {
        Ok(journal) => {
            let ids =
                reports::journal::read(&journal)?.events.iter().map(|event| event.id).collect::<BTreeSet<EventId>>();
            Some(ids)
        }
        // A page that was taken elsewhere is judged by itself.
        Err(_) => None,
    };
    Ok(reports::coe::lint::lint(&text, policy, events.as_ref()))
}
