//! Owns the hidden commands with which this executable is a host, an agent, the witness and the hand inside a
//! container, and the guard beside the controller. They bypass the command line's parser: sixty agents should not each carry it in memory.

use crate::hand::{borrowed, helper};
use crate::outside::escort;
use crate::trial::{patient, stage};
use crate::world::docker::guard;
use agents::config::Process;
use std::path::{Path, PathBuf};

/// Runs a hidden command, if the arguments are one; returns its exit status.
pub fn dispatch(arguments: &[String]) -> Option<u8> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["host", config] => agents::supervisor::run(Path::new(config), &executable()),
        ["agent", config, index] => agent(config, index),
        ["witness"] => crate::witness::run(None),
        ["witness", notes] => crate::witness::run(Some(notes)),
        ["hand", standing] => crate::hand::run(standing),
        [guard::COMMAND, run] => guard::run(run, false),
        [guard::COMMAND, run, "no-rights"] => guard::run(run, true),
        ["undertaker", run] => crate::hand::undertaker::run(run),
        [escort::COMMAND, command] => match escort::run(command) {
            Ok(status) => return Some(status),
            Err(error) => Err(error),
        },
        [stage::COMMAND, cast] => stage::run(cast),
        [patient::COMMAND, settings] => patient::run(settings),
        [borrowed::PLACE] => borrowed::stand(),
        [helper::BURN] => helper::burn(),
        [helper::HOG, usage, bytes] => helper::hog(usage, bytes),
        ["enter", program, rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
            Err(crate::hand::net::enter(program, &rest))
        }
        _ => return None,
    };
    match ended {
        Ok(()) => Some(0),
        Err(error) => {
            eprintln!("{}: {error}", words.join(" "));
            Some(1)
        }
    }
}

fn executable() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from(crate::world::docker::image::EXECUTABLE))
}

fn agent(config: &str, index: &str) -> std::io::Result<()> {
    let host = agents::supervisor::read(Path::new(config))?;
    let process = index.parse::<usize>().ok().and_then(|index| host.processes.get(index));
    let process = process.ok_or_else(|| std::io::Error::other("the host has no such process"))?;
    match process {
        Process::Adapter(config) => crate::adapter::run(&host, config),
        _ => agents::runtime::drive::run(&host, process),
    }
}
