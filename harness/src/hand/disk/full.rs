//! Owns the fault of a full disk: all room is taken by a file of the hand's own. Refuses to touch files of hosts.

use super::mounted::Mounted;
use super::place::Place;
use crate::hand::fault::Fault;
use crate::hand::host_fault::look;
use crate::hand::protocol::Look;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// The file that takes the room.
const FILLER: &str = "full";
/// The file with which it is tried whether there is room.
const TRIAL: &str = "full-trial";
/// The smallest piece of room: a block.
const BLOCK_BYTES: u64 = 1024;
/// How often a look fills again what a host has freed meanwhile, by cutting off what it could not write.
const REFILLS: usize = 3;

/// Full disks of these zones.
#[derive(Debug)]
pub(in crate::hand) struct DiskFull {
    pub(in crate::hand) place: Place,
    pub(in crate::hand) zones: Vec<String>,
}

impl Fault for DiskFull {
    fn act(&mut self) -> Result<(), String> {
        for zone in &self.zones {
            let (_, mounted) = self.place.open(zone)?;
            fill(&mounted).map_err(|error| format!("the disk of zone {zone} could not be filled: {error}"))?;
        }
        Ok(())
    }

    fn look(&mut self) -> Look {
        let (mut free, mut refused) = (0, 0);
        for zone in &self.zones {
            let looked = self.place.open(zone).and_then(|(_, mounted)| {
                let full = refuses(&mounted);
                let free = mounted.free_bytes();
                Ok((full.map_err(|error| error.to_string())?, free.map_err(|error| error.to_string())?))
            });
            match looked {
                Ok((full, bytes)) => {
                    refused += usize::from(full);
                    free += bytes;
                }
                Err(why) => return look(false, format!("the disk of zone {zone}: {why}"), &[]),
            }
        }
        let (of, figure) = (self.zones.len(), f64::from(u32::try_from(free).unwrap_or(u32::MAX)));
        let text = format!("{refused} of {of} disks refuse one more block; {free} bytes are free");
        look(refused == of && of > 0, text, &[("free_bytes", 0.0, figure)])
    }

    fn heal(&mut self) -> Result<(), String> {
        for zone in &self.zones {
            let (_, mounted) = self.place.open(zone)?;
            for name in [FILLER, TRIAL] {
                remove(&mounted.own(name)).map_err(|error| format!("the disk of zone {zone}: {error}"))?;
            }
        }
        Ok(())
    }
}

pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes every block there is; the blocks are not written, so this takes no time.
fn fill(mounted: &Mounted) -> std::io::Result<()> {
    let filler = OpenOptions::new().create(true).append(true).open(mounted.own(FILLER))?;
    let mut piece = mounted.free_bytes()?.max(BLOCK_BYTES);
    while piece >= BLOCK_BYTES {
        let end = filler.metadata()?.len();
        match fallocate(&filler, FallocateFlags::empty(), end, piece) {
            Ok(()) => {}
            // What fitted of it was taken; the rest is tried in halves.
            Err(Errno::NOSPC) => piece /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    // A power loss must not give the room back.
    filler.sync_all()
}

/// Whether one more block is refused. Room that a host has freed meanwhile is taken first.
fn refuses(mounted: &Mounted) -> std::io::Result<bool> {
    for _ in 0..REFILLS {
        let trial = mounted.own(TRIAL);
        let tried = File::create(&trial).and_then(|mut file| {
            file.write_all(&[b'x'; 2 * BLOCK_BYTES as usize])?;
            file.sync_data()
        });
        remove(&trial)?;
        match tried {
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(true),
            Err(error) => return Err(error),
            Ok(()) if mounted.own(FILLER).exists() => fill(mounted)?,
            Ok(()) => return Ok(false),
        }
    }
    Ok(false)
}
