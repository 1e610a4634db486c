//! Owns `blackstart list` and `blackstart completions`.

use super::print;
use crate::cli::Cli;
use crate::load;
use anyhow::Result;
use clap::CommandFactory;
use std::fmt::Write;

/// Lists what is built in.
///
/// # Errors
/// Where standard output is gone.
pub fn run() -> Result<u8> {
    let mut text = String::from("scenarios (blackstart run NAME)\n");
    for name in scenarios::builtin::scenario_names() {
        let title = load::scenario(name, false).map(|loaded| loaded.scenario.title).unwrap_or_default();
        writeln!(text, "  {name:<24} {title}")?;
    }
    text += "\ntopologies\n";
    for name in fixtures::builtin::topology_names() {
        writeln!(text, "  {name}")?;
    }
    text += "\ngraphs\n";
    for name in fixtures::builtin::graph_names() {
        writeln!(text, "  {name}")?;
    }
    text += "\ninvariants\n";
    for entry in scenarios::judge::catalogue() {
        writeln!(text, "  {:<4} {}", entry.id, entry.title)?;
    }
    print(&text)?;
    Ok(crate::exit::OK)
}

/// Prints a completion script.
///
/// # Errors
/// Where standard output is gone.
pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "blackstart", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(crate::exit::OK)
}
