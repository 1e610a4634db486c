//! Owns what each command does, one file each, and how an error becomes an exit status. Refuses to parse arguments.

pub mod actions;
pub mod build;
pub mod check;
pub mod clean;
pub mod coe;
pub mod dashboards;
pub mod docs;
pub mod explore;
pub mod generate;
pub mod halt;
pub mod history;
pub mod import;
pub mod inside;
pub mod list;
pub mod matrix;
pub mod measure;
pub mod ops_review;
pub mod orr;
pub mod parity;
pub mod plan;
pub mod region;
pub mod report;
pub mod run;
pub mod schedule;
pub mod serve;
pub mod trial;

use crate::cli::{Cli, Command};
use crate::exit;
use crate::load::BadInput;
use anyhow::Result;
use std::io::{IsTerminal, Write};
use tracing_subscriber::filter::LevelFilter;

/// Does what the command line says; the only place where an error meets the terminal.
pub fn dispatch(cli: Cli) -> u8 {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let out = cli.color.on(std::io::stdout().is_terminal());
    let err = cli.color.on(std::io::stderr().is_terminal());
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(err)
        .without_time()
        .init();
    let result = match cli.command {
        Command::Run(args) => run::run(&args, cli.quiet, out, err),
        Command::Try(args) => trial::run(&args, cli.quiet, out),
        Command::Explore(args) => explore::run(&args, cli.quiet, err),
        Command::Generate(args) => generate::run(&args),
        Command::Import { command } => import::run(&command, err),
        Command::Parity(args) => parity::run(&args, cli.quiet, err),
        Command::Check { order: Some(graph), .. } => check::order(&graph, err),
        Command::Check { files, order: None, known_gaps, format } => {
            check::run(&files, known_gaps.as_deref(), format, out)
        }
        Command::Plan { scenario, format } => plan::run(&scenario, format, err),
        Command::Report { run, format, policy } => report::run(&run, format, policy.as_deref(), out),
        Command::Coe { command } => coe::run(&command, err),
        Command::History(args) => history::run(&args),
        Command::OpsReview(args) => ops_review::run(&args, err),
        Command::Orr(args) => orr::run(&args, err),
        Command::Docs(args) => docs::run(&args, err),
        Command::Region { command } => region::run(&command, cli.quiet, err),
        Command::Serve(args) => serve::run(&args, cli.quiet, err),
        Command::Schedule(args) => schedule::run(&args, err),
        Command::Halt(args) => halt::run(&args),
        Command::Dashboards(args) => dashboards::run(&args),
        Command::Build(args) => build::run(&args, cli.quiet, err),
        Command::Clean { runs, dry_run } => clean::run(&runs, dry_run),
        Command::Matrix(args) => matrix::run(&args, cli.quiet),
        Command::Measure(args) => measure::run(&args, err),
        Command::Image => image(),
        Command::List => list::run(),
        Command::Completions { shell } => list::completions(shell),
    };
    result.unwrap_or_else(|error| status_of(&error))
}

fn status_of(error: &anyhow::Error) -> u8 {
    if let Some(bad) = error.downcast_ref::<BadInput>() {
        // Ready to print, with its own `error:` at each problem.
        write_err(&bad.text);
        return exit::USAGE;
    }
    if error.is::<exit::Early>() {
        write_err(&format!("{error:#}\n"));
        return exit::INTERRUPTED;
    }
    if let Some(error) = error.downcast_ref::<std::io::Error>()
        && error.kind() == std::io::ErrorKind::BrokenPipe
    {
        // Whoever read our output has seen enough.
        return exit::OK;
    }
    write_err(&format!("error: {error:#}\n"));
    exit::HARNESS
}

fn write_err(text: &str) {
    // Nobody left to tell.
    let _gone = std::io::stderr().write_all(text.as_bytes());
}

/// Prints the image.
fn image() -> Result<u8> {
    let tar = crate::world::docker::image::build(None, std::env::consts::ARCH)?;
    std::io::stdout().lock().write_all(&tar)?;
    Ok(exit::OK)
}

/// Prints a result on standard output.
///
/// # Errors
/// Where standard output is gone.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}
