//! Owns the fault of a disk on which the contents of files can be neither written nor read. Refuses to damage anything:
//! folders, names and the journal live on, and so does the filesystem.
//!
//! The loop device is told to end where the contents of files begin (see the format in [`super`]); whatever goes
//! beyond fails in the kernel with an input/output error, as from a broken sector.

use super::full::remove;
use super::mounted::Mounted;
use super::place::Place;
use super::{DATA_FROM_BYTES, Disks};
use crate::hand::fault::Fault;
use crate::hand::host_fault::look;
use crate::hand::protocol::Look;
use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

/// The file with which it is tried; it is there, whole, before the fault begins.
const TRIAL: &str = "errors-trial";
const TRIAL_BYTES: usize = 4096;

/// Disks of these zones fail.
#[derive(Debug)]
pub(in crate::hand) struct DiskErrors {
    pub(in crate::hand) place: Place,
    pub(in crate::hand) zones: Vec<String>,
}

impl Fault for DiskErrors {
    fn act(&mut self) -> Result<(), String> {
        for zone in &self.zones {
            let (device, mounted) = self.place.open(zone)?;
            prepare(&mounted).map_err(|error| format!("the disk of zone {zone}: {error}"))?;
            device.set_limit(DATA_FROM_BYTES)?;
        }
        Ok(())
    }

    fn look(&mut self) -> Look {
        let (mut failed, mut tried) = (0_u32, 0_u32);
        for zone in &self.zones {
            let (reads, writes) = match self.place.open(zone) {
                Ok((_, mounted)) => (reads(&mounted), writes(&mounted)),
                Err(why) => return look(false, why, &[]),
            };
            tried += 2;
            failed += u32::from(is_broken(&reads)) + u32::from(is_broken(&writes));
        }
        let percent = if tried == 0 { 0.0 } else { 100.0 * f64::from(failed) / f64::from(tried) };
        let text = format!("{failed} of {tried} reads and writes of our own failed with an input/output error");
        look(failed == tried && tried > 0, text, &[("failed_percent", 100.0, percent)])
    }

    fn heal(&mut self) -> Result<(), String> {
        for zone in &self.zones {
            let (device, mounted) = self.place.open(zone)?;
            device.set_limit(0)?;
            // Where the filesystem gave up meanwhile, only a power loss of the zone brings it back.
            let told = |error: std::io::Error| format!("the disk of zone {zone} is whole again, but not used: {error}");
            prepare(&mounted).map_err(told)?;
            remove(&mounted.own(TRIAL)).map_err(told)?;
        }
        Ok(())
    }
}

impl Disks {
    /// Whether the device of a zone is limited.
    #[cfg(test)]
    pub(super) fn limit(&self, zone: &str) -> u64 {
        self.held.get(zone).map(|held| held.device.limit()).unwrap_or_default()
    }
}

fn is_broken(result: &std::io::Result<()>) -> bool {
    result.as_ref().is_err_and(|error| error.raw_os_error() == Some(Errno::IO.raw_os_error()))
}

fn prepare(mounted: &Mounted) -> std::io::Result<()> {
    let mut file = File::create(mounted.own(TRIAL))?;
    file.write_all(&[b'x'; TRIAL_BYTES])?;
    file.sync_all()
}

/// Reads from the device, not from memory.
fn reads(mounted: &Mounted) -> std::io::Result<()> {
    let mut file = File::open(mounted.own(TRIAL))?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    file.read_exact(&mut [0; TRIAL_BYTES])
}

fn writes(mounted: &Mounted) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(mounted.own(TRIAL))?;
    file.write_all(&[b'y'; TRIAL_BYTES])?;
    file.sync_data()
}
