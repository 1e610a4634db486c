//! Owns `blackstart check`.

use super::print;
use crate::load::{self, BadInput};
use anyhow::Result;

/// Checks files, or everything built in; all problems of all files are told before it ends.
///
/// # Errors
/// [`BadInput`] with every problem.
pub fn run(files: &[String], color: bool) -> Result<u8> {
    let builtin: Vec<String>;
    let files = if files.is_empty() {
        let scenarios = scenarios::builtin::scenario_names();
        let names = scenarios.chain(fixtures::builtin::topology_names()).chain(fixtures::builtin::graph_names());
        builtin = names.map(str::to_owned).collect();
        &builtin
    } else {
        files
    };
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
