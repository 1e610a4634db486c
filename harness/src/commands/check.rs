//! Owns `blackstart check`.

use super::print;
use crate::cli::CheckFormat;
use crate::load::{self, BadInput};
use anyhow::Result;
use fixtures::diagnostic::Severity;

/// Checks files, or everything built in; all problems of all files are told before it ends.
///
/// # Errors
/// [`BadInput`] with every problem.
pub fn run(files: &[String], format: CheckFormat, color: bool) -> Result<u8> {
    let builtin: Vec<String>;
    let files = if files.is_empty() {
        let scenarios = scenarios::builtin::scenario_names();
        let names = scenarios.chain(fixtures::builtin::topology_names()).chain(fixtures::builtin::graph_names());
        builtin = names.map(str::to_owned).collect();
        &builtin
    } else {
        files
    };
    if format == CheckFormat::Text { for_people(files, color) } else { for_programs(files, format) }
}

fn for_people(files: &[String], color: bool) -> Result<u8> {
    let mut problems = String::new();
    let mut fine = 0;
    for file in files {
        match load::check(file, color) {
            Ok(warnings) => {
                fine += 1;
                super::write_err(&warnings);
            }
            Err(bad) => problems += &bad.text,
        }
    }
    if problems.is_empty() {
        print(&format!("{fine} checked, no problem found"))?;
        return Ok(crate::exit::OK);
    }
    Err(BadInput { text: problems }.into())
}

/// Everything found is the result, on standard output; the exit status says whether anything of it is an error.
fn for_programs(files: &[String], format: CheckFormat) -> Result<u8> {
    let (mut diagnostics, mut sources) = (Vec::new(), Vec::new());
    for file in files {
        let found = load::diagnose(file);
        for diagnostic in found.diagnostics {
            // Two scenarios of one graph tell of the same graph.
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        sources.extend(found.sources);
    }
    let text = match format {
        CheckFormat::Json => reports::sarif::json(&diagnostics),
        CheckFormat::Sarif | CheckFormat::Text => {
            reports::sarif::render(&diagnostics, &sources, env!("CARGO_PKG_VERSION"))
        }
    };
    print(&text)?;
    let bad = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(if bad { crate::exit::USAGE } else { crate::exit::OK })
}
