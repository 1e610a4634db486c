//! Owns the disks of zones: one filesystem for all state of a zone's hosts, so that at power-off what was not synced is
//! really lost, and the faults of disks. Refuses to know hosts and what they write.
//!
//! Each is an ext4 in a sparse image file in the run's shared volume, on a loop device that the engine mounts as the
//! zone's state volume. The kernel detaches the device by itself when neither the engine nor the hand uses it any
//! more. The hand has each filesystem mounted too (the same one: [`mounted`]), for as long as the run lasts: else the
//! engine's unmounting after the last death would write what a power loss loses.
//!
//! - [`place`], [`loop_device`], [`mounted`]: names, devices, mounts; [`ioctl`]: the few unsafe calls
//! - [`cut`]: a power loss
//! - [`full`], [`slow`], [`errors`]: faults; [`timed_write`]: how slow is seen

mod cut;
mod errors;
mod full;
mod ioctl;
mod loop_device;
mod mounted;
pub mod place;
mod slow;
#[cfg(test)]
mod tests;
mod timed_write;

use super::fault::Fault;
use super::protocol::Deed;
use agents::runtime::clock::mono_ns;
pub use cut::CutReport;
use errors::DiskErrors;
use full::DiskFull;
use loop_device::LoopDevice;
use mounted::Mounted;
use place::Place;
use slow::DiskSlow;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Size of a disk. The image file is sparse: a disk takes the room of what was ever written to it.
const DISK_BYTES: u64 = 64 << 20;
/// Size of a disk that real software has room on: write-ahead logs are laid out beforehand, 64 MB of them by etcd.
const LARGE_BYTES: u64 = 1 << 30;
/// Below this are the superblock, all bitmaps and inodes, the journal and folders; above it the contents of files.
const DATA_FROM_BYTES: u64 = 8193 << 10;
/// Small blocks, because a full disk still takes what fits into a file's last block. Groups of 8 MB put into one flexible
/// group: then the first holds all metadata, and ext4 puts folders into the first and files into the others.
const FORMAT: [&str; 13] = ["-q", "-F", "-b", "1024", "-g", "8192", "-G", "16", "-m", "0", "-N", "4096", "-O"];
/// A large disk is one flexible group as well, has room for the files of a database, and a journal as small as the other's.
const FORMAT_LARGE: [&str; 15] =
    ["-q", "-F", "-b", "1024", "-g", "8192", "-G", "128", "-m", "0", "-N", "16384", "-J", "size=4", "-O"];
const FEATURES: &str = "has_journal,extent,flex_bg,^resize_inode";
/// How long a filesystem that nobody has mounted any more may take to go.
const GONE_WAIT: Duration = Duration::from_secs(10);
/// A zone that no topology can have.
const PROBED: &str = ".probe";

/// The disks of a run.
#[derive(Debug)]
pub struct Disks {
    place: Place,
    held: BTreeMap<String, Held>,
}

/// The fault that a deed is, where it is one of disks. Nothing is done yet.
pub fn fault_of(deed: &Deed, place: &Place) -> Option<Box<dyn Fault>> {
    let place = place.clone();
    Some(match deed.clone() {
        Deed::DiskFull { zones } => Box::new(DiskFull { place, zones }),
        Deed::DiskSlow { zones, hosts, delay_ms } => Box::new(DiskSlow::new(place, zones, hosts, delay_ms)),
        Deed::DiskErrors { zones } => Box::new(DiskErrors { place, zones }),
        _ => return None,
    })
}

/// What keeps a disk there. The mount goes before the device.
#[derive(Debug)]
struct Held {
    mounted: Option<Mounted>,
    device: LoopDevice,
}

impl Disks {
    /// No disks yet.
    pub fn new(place: Place) -> Self {
        Self { place, held: BTreeMap::new() }
    }

    /// Whether disks can be had here: makes one, cuts its power, limits it and removes it.
    ///
    /// # Errors
    /// Why not: a program, a device or a right that is not there.
    pub fn probe(place: &Place) -> Result<(), String> {
        let mut disks = Self::new(place.clone());
        let tried = disks.make(&[PROBED.to_owned()], false).and_then(|_| {
            let report = disks.cut(PROBED, None)?;
            let device = LoopDevice::find(place, PROBED).ok_or("a loop device is not found again by its name")?;
            device.set_limit(DATA_FROM_BYTES)?;
            device.set_limit(0).map(|()| report)
        });
        drop(disks.held.remove(PROBED));
        let left = disks.remove_one(PROBED);
        tried?;
        left.map_or(Ok(()), |(kind, name)| Err(format!("{kind} {name} could not be removed again")))
    }

    /// Makes a disk for each zone that has none yet, `large` where real software is to have room on it; returns the device of each, as the engine's machine names it.
    ///
    /// # Errors
    /// Where one cannot be made; those that were made are there until [`Disks::remove`].
    pub fn make(&mut self, zones: &[String], large: bool) -> Result<Vec<(String, String)>, String> {
        let folder = self.place.folder();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| format!("{}: {error}", folder.display()))?;
        self.let_go_of_copies();
        let mut devices = Vec::new();
        for zone in zones {
            if !self.held.contains_key(zone) {
                let held = self.make_one(zone, large).map_err(|why| format!("the disk of zone {zone}: {why}"))?;
                self.point_at(zone, &held.device)?;
                self.held.insert(zone.clone(), held);
            }
            devices.extend(self.held.get(zone).map(|held| (zone.clone(), held.device.name())));
        }
        Ok(devices)
    }

    fn make_one(&self, zone: &str, large: bool) -> Result<Held, String> {
        if let Some(device) = LoopDevice::find(&self.place, zone) {
            // Of a hand before this one. One whose making was not completed is made again.
            match Mounted::new(&device) {
                Ok(mounted) => return Ok(Held { mounted: Some(mounted), device }),
                Err(why) if device.is_live() => return Err(why),
                Err(_) => device.detach(),
            }
        }
        let path = self.place.image(zone);
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let image = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let image = image.map_err(told)?;
        image.set_len(if large { LARGE_BYTES } else { DISK_BYTES }).map_err(told)?;
        let device = LoopDevice::attach(&self.place, &image, zone)?;
        let owner = crate::hand::HOST_UID;
        let extended = format!("root_owner={owner}:{owner},packed_meta_blocks=1,lazy_itable_init=0,nodiscard");
        let name = device.name();
        let format = if large { FORMAT_LARGE.as_slice() } else { FORMAT.as_slice() };
        let arguments = format.iter().copied().chain([FEATURES, "-E", &extended, &name]).collect::<Vec<_>>();
        self.place.run("mkfs.ext4", &arguments)?;
        let mounted = Mounted::new(&device)?;
        Ok(Held { mounted: Some(mounted), device })
    }

    /// Takes up the disks that a hand before this one made.
    ///
    /// # Errors
    /// Where one of them is not there, or cannot be mounted.
    pub fn resume(&mut self, zones: &[String]) -> Result<(), String> {
        self.let_go_of_copies();
        for zone in zones {
            let held = match self.place.open(zone) {
                Ok((device, mounted)) => Held { mounted: Some(mounted), device },
                // Nobody had it mounted any more: the engine was stopped, or the machine.
                Err(_) => self.attach_again(zone).map_err(|why| format!("the disk of zone {zone}: {why}"))?,
            };
            self.point_at(zone, &held.device)?;
            self.held.insert(zone.clone(), held);
        }
        Ok(())
    }

    fn attach_again(&self, zone: &str) -> Result<Held, String> {
        let path = self.place.image(zone);
        let image = OpenOptions::new().read(true).write(true).open(&path);
        let image = image.map_err(|error| format!("{}: {error}", path.display()))?;
        let device = LoopDevice::attach(&self.place, &image, zone)?;
        let mounted = Mounted::new(&device)?;
        Ok(Held { mounted: Some(mounted), device })
    }

    /// Has a link beside the image lead to its device, whose number may be another each time: a volume that is to outlive its
    /// device names the link.
    fn point_at(&self, zone: &str, device: &LoopDevice) -> Result<(), String> {
        let link = self.place.link(zone);
        let told = |error: std::io::Error| format!("{}: {error}", link.display());
        if std::fs::read_link(&link).is_ok_and(|to| to == Path::new(&device.name())) {
            return Ok(());
        }
        let beside = link.with_extension("new");
        let _none = std::fs::remove_file(&beside);
        std::os::unix::fs::symlink(device.name(), &beside).map_err(told)?;
        std::fs::rename(&beside, &link).map_err(told)
    }

    /// A container that sees the machine's root folder got a copy of every mount there was when it started, also of
    /// disks of runs: such a copy would keep a filesystem alive after the engine has unmounted it.
    fn let_go_of_copies(&self) {
        let Some(root) = self.place.other_root() else { return };
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let ours: Vec<String> = LoopDevice::all(&self.place, "blackstart-").iter().map(LoopDevice::name).collect();
        let copies = mounts.lines().filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let source = after.split(' ').nth(1)?;
            let folder = before.split(' ').nth(4)?;
            (ours.iter().any(|name| name == source) && folder.starts_with(root.to_str()?)).then_some(folder)
        });
        for folder in copies {
            // One that is gone already needs nothing; one that stays is told of by the next cut, which waits for it.
            let _gone = rustix::mount::unmount(folder, rustix::mount::UnmountFlags::DETACH);
        }
    }

    /// Removes all disks of the run, by their names alone; returns kind and name of what is left.
    pub fn remove(&mut self) -> Vec<(String, String)> {
        self.held.clear();
        self.let_go_of_copies();
        let start = self.place.label_start();
        let bound = LoopDevice::all(&self.place, &start);
        let mut zones: Vec<String> =
            bound.iter().filter_map(|device| Some(device.label().strip_prefix(&start)?.to_owned())).collect();
        drop(bound);
        let images = std::fs::read_dir(self.place.folder()).into_iter().flatten().flatten();
        zones.extend(images.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".img")?.to_owned())));
        zones.sort();
        zones.dedup();
        let left = zones.iter().filter_map(|zone| self.remove_one(zone)).collect();
        // Where something is left in it, that was told.
        let _kept = std::fs::remove_dir(self.place.folder());
        left
    }

    fn remove_one(&self, zone: &str) -> Option<(String, String)> {
        let find = || LoopDevice::find(&self.place, zone);
        if let Some(device) = find() {
            // A limit would keep the engine from unmounting in peace.
            let _unlimited = device.set_limit(0);
            device.detach();
        }
        if !until(|| find().is_none()) {
            let name = find().map(|device| device.name()).unwrap_or_default();
            return Some(("loop device".to_owned(), name));
        }
        let _none = std::fs::remove_file(self.place.link(zone));
        let image = self.place.image(zone);
        match std::fs::remove_file(&image) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Some(("disk image".to_owned(), format!("{} ({error})", image.display())))
            }
            _ => None,
        }
    }
}

/// Waits until something is so; false where it is not in time.
fn until(is_so: impl Fn() -> bool) -> bool {
    let began = mono_ns();
    while !is_so() {
        if Duration::from_nanos(mono_ns() - began) > GONE_WAIT {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}
