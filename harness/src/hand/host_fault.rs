//! Owns which fault a deed on hosts and their processes is, and what these faults share. Refuses to know any of them
//! from inside.

use super::SHARED_DIR;
use super::boot::{BOOT_DIR, Boot};
use super::end::End;
use super::end_first::EndFirst;
use super::fault::Fault;
use super::hierarchy::Hierarchies;
use super::memory::Memory;
use super::pause::Pause;
use super::processor::Processor;
use super::protocol::{Deed, Look};
use agents::runtime::clock::mono_ns;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often something that takes moments is looked at.
const STEP: Duration = Duration::from_millis(2);

/// Where a hand stands.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Control groups of the engine's machine.
    pub hierarchies: Hierarchies,
    /// Folder of the boot gates.
    pub boot_gates: PathBuf,
    /// This program, for its helpers.
    pub executable: PathBuf,
}

impl Ground {
    /// That of a hand in its container.
    pub fn of_hand() -> Self {
        Self {
            hierarchies: Hierarchies::of_machine(),
            boot_gates: Path::new(SHARED_DIR).join(BOOT_DIR),
            executable: std::env::current_exe()
                .unwrap_or_else(|_| PathBuf::from(crate::world::docker::image::EXECUTABLE)),
        }
    }
}

/// The fault that a deed is, where it is one on hosts or their processes. Nothing is done yet.
pub fn fault_of(deed: &Deed, ground: &Ground) -> Option<Box<dyn Fault>> {
    let hierarchies = ground.hierarchies.clone();
    Some(match deed {
        Deed::Pause { hosts } => Box::new(Pause { hosts: hosts.clone(), hierarchies }),
        Deed::End { hosts, processes, ending } => {
            Box::new(End::new(hosts.clone(), processes.clone(), ending.clone(), hierarchies))
        }
        Deed::EndFirst { hosts, ending } => Box::new(EndFirst::new(hosts.clone(), ending.clone(), hierarchies)),
        Deed::Processor { hosts, left_milli } => Box::new(Processor::new(hosts.clone(), *left_milli, ground.clone())),
        Deed::Memory { hosts, fill_milli } => Box::new(Memory::new(hosts.clone(), *fill_milli, ground.clone())),
        Deed::Boot { gates, trouble } => Box::new(Boot::new(&ground.boot_gates, gates.clone(), *trouble)),
        _ => return None,
    })
}

/// Waits until something is so, at most so long; says whether it is.
pub(super) fn within(most: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = mono_ns();
    while !is_so() {
        if u128::from(mono_ns() - began) >= most.as_nanos() {
            return false;
        }
        std::thread::sleep(STEP);
    }
    true
}

/// A look, with what was asked for and measured by name.
pub(super) fn look(holds: bool, text: String, figures: &[(&str, f64, f64)]) -> Look {
    let asked = figures.iter().map(|(name, asked, _)| ((*name).to_owned(), *asked)).collect();
    let measured = figures.iter().map(|(name, _, measured)| ((*name).to_owned(), *measured)).collect();
    Look { holds, text, asked, measured }
}
