//! The executable: a hidden command inside a container, or the command line.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(status) = harness::commands::inside::dispatch(&arguments) {
        return ExitCode::from(status);
    }
    match harness::cli::Cli::try_parse() {
        Ok(cli) => ExitCode::from(harness::commands::dispatch(cli)),
        Err(error) => {
            // Help and version are no errors; clap prints them on standard output.
            let status = if error.use_stderr() { harness::exit::USAGE } else { harness::exit::OK };
            // Nobody left to tell.
            let _gone = error.print();
            ExitCode::from(status)
        }
    }
}
