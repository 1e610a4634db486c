//! Owns the loop of a run in virtual time: time goes to whatever happens next. Refuses to decide anything, and to know
//! where events are kept.

use super::SimWorld;
use crate::controller::{Command, Controller, Ending, Input, Nanos};
use crate::world::World;
use anyhow::Result;
use scenarios::event::{By, Detail, Place};

/// What is to be kept: the fields of [`Command::Log`].
#[derive(Debug)]
pub struct Entry {
    /// When it was seen.
    pub t_ns: Nanos,
    /// Who saw it.
    pub by: By,
    /// Where.
    pub place: Place,
    /// What.
    pub detail: Detail,
}

/// Runs a game day to its end; everything that is to be kept goes to `keep`.
///
/// # Errors
/// Where `keep` fails.
pub fn run(
    controller: &mut Controller,
    world: &mut SimWorld,
    mut keep: impl FnMut(Entry) -> Result<()>,
) -> Result<Ending> {
    let mut commands = Vec::new();
    let mut next = Some(Input::Begin);
    loop {
        let input = match next.take() {
            Some(input) => input,
            None => await_input(controller, world),
        };
        controller.handle(world.now(), input, &mut commands);
        for command in commands.drain(..) {
            match command {
                Command::Log { t_ns, by, place, detail, .. } => keep(Entry { t_ns, by, place, detail })?,
                Command::Do(act) => world.perform(act),
                Command::Cancel => world.cancel(),
                Command::End(ending) => return Ok(ending),
            }
        }
    }
}

fn await_input(controller: &Controller, world: &mut SimWorld) -> Input {
    match (world.next(controller.next_wake().unwrap_or(Nanos::MAX)), controller.next_wake()) {
        (Some(input), _) => input,
        (None, Some(_)) => Input::Wake,
        (None, None) => Input::Lost { why: "nothing is left to happen".to_owned() },
    }
}
