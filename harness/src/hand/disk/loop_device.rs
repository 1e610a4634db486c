//! Owns one loop device: bound to an image file, found again by its name, limited, let go of. Refuses to know what is
//! on it.

use super::ioctl::{self, NAME_BYTES};
use super::place::Place;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// How often a free device is asked for: another process may take it first.
const TRIES: usize = 64;

/// A loop device with a file bound to it. The kernel lets go of the file when nobody has the device open or mounted.
#[derive(Debug)]
pub(in crate::hand) struct LoopDevice {
    number: u32,
    path: PathBuf,
    live: PathBuf,
    file: File,
}

impl LoopDevice {
    /// Binds the image file to a free device.
    pub(super) fn attach(place: &Place, image: &File, zone: &str) -> Result<Self, String> {
        let mut name = [0; NAME_BYTES];
        let label = place.label(zone);
        let room = name.get_mut(..label.len()).filter(|room| room.len() < NAME_BYTES);
        room.ok_or_else(|| format!("zone {zone}: a name of this length is not taken for a loop device"))?
            .copy_from_slice(label.as_bytes());
        let control = place.devices().join("loop-control");
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", control.display());
        let control_file = OpenOptions::new().read(true).write(true).open(&control).map_err(|error| told(&error))?;
        for _ in 0..TRIES {
            let number = ioctl::free_device(&control_file).map_err(|error| told(&error))?;
            let device = Self::open(place, number)?;
            match ioctl::configure(&device.file, image, name) {
                Ok(()) => return Ok(device),
                Err(Errno::BUSY) => {}
                Err(error) => return Err(format!("{}: no file can be bound to it: {error}", device.path.display())),
            }
        }
        Err("other processes take every loop device that is free".to_owned())
    }

    fn open(place: &Place, number: u32) -> Result<Self, String> {
        let path = place.devices().join(format!("loop{number}"));
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { number, path, live: place.live_filesystems().join(format!("loop{number}")), file })
    }

    /// The device of a zone, whoever bound it.
    pub(super) fn find(place: &Place, zone: &str) -> Option<Self> {
        let label = place.label(zone);
        Self::all(place, &label).into_iter().find(|device| device.label() == label)
    }

    /// All devices whose names begin so.
    pub(super) fn all(place: &Place, start: &str) -> Vec<Self> {
        let entries = std::fs::read_dir(place.devices()).into_iter().flatten().flatten();
        let number = |name: &str| name.strip_prefix("loop")?.parse::<u32>().ok();
        let numbers = entries.filter_map(|entry| number(&entry.file_name().to_string_lossy()));
        let devices = numbers.filter_map(|number| Self::open(place, number).ok());
        devices.filter(|device| !device.label().is_empty() && device.label().starts_with(start)).collect()
    }

    /// What it is called; empty where no file is bound to it.
    pub(super) fn label(&self) -> String {
        let Ok(info) = ioctl::status(&self.file) else { return String::new() };
        let bytes = info.name.split(|&byte| byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Its path on the machine.
    pub(super) fn name(&self) -> String {
        format!("/dev/loop{}", self.number)
    }

    /// Its path from here.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Its number, as control groups name it: `major:minor`.
    pub(super) fn numbers(&self) -> Result<String, String> {
        let device = self.file.metadata().map_err(|error| format!("{}: {error}", self.path.display()))?.rdev();
        Ok(format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device)))
    }

    /// Whether its filesystem is alive anywhere on the machine.
    pub(super) fn is_live(&self) -> bool {
        self.live.exists()
    }

    /// Bytes that can be used; zero is all there are.
    pub(super) fn limit(&self) -> u64 {
        ioctl::status(&self.file).map(|info| info.size_limit).unwrap_or_default()
    }

    /// Lets only so many bytes be used, zero for all; everything beyond fails with an input/output error.
    pub(super) fn set_limit(&self, bytes: u64) -> Result<(), String> {
        let told = |error: Errno| format!("{}: its size cannot be changed: {error}", self.path.display());
        let mut info = ioctl::status(&self.file).map_err(told)?;
        if info.size_limit == bytes {
            return Ok(());
        }
        info.size_limit = bytes;
        ioctl::set_status(&self.file, info).map_err(told)
    }

    /// Lets go of the file as soon as nobody uses the device.
    pub(super) fn detach(self) {
        // One that lost its file meanwhile is what is wanted.
        let _gone = ioctl::clear(&self.file);
    }
}
