//! Owns a mount of a zone's filesystem that is in no folder: it is there for as long as its descriptor, and ends with
//! this process, however that ends. Refuses to know what is in the files.

use super::ioctl;
use super::loop_device::LoopDevice;
use rustix::fd::OwnedFd;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// What the hand itself keeps on zones' disks begins so; no state file does.
pub(super) const OWN: &str = ".blackstart-";

/// A mount. Where the engine has the same device mounted, it is the same filesystem, with the same cache.
#[derive(Debug)]
pub(in crate::hand) struct Mounted {
    root: OwnedFd,
    path: PathBuf,
}

/// A regular file that is not the hand's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StateFile {
    /// From the root of the filesystem.
    pub(super) path: PathBuf,
    /// Its length.
    pub(super) bytes: u64,
}

impl Mounted {
    /// Mounts a device; after a power loss the journal is replayed.
    pub(super) fn new(device: &LoopDevice) -> Result<Self, String> {
        let told = |error: rustix::io::Errno| format!("{} cannot be mounted: {error}", device.name());
        let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC).map_err(told)?;
        fsconfig_set_string(&context, "source", device.path()).map_err(told)?;
        fsconfig_create(&context).map_err(told)?;
        let harmless =
            MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, harmless).map_err(told)?;
        // A mount without a folder has no path; its descriptor has.
        let path = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd()));
        Ok(Self { root, path })
    }

    /// Its root folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// One of the hand's own files.
    pub(super) fn own(&self, name: &str) -> PathBuf {
        self.path.join(format!("{OWN}{name}"))
    }

    /// Blocks that can still be written, in bytes.
    pub(super) fn free_bytes(&self) -> std::io::Result<u64> {
        let room = rustix::fs::fstatvfs(&self.root)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Every file that hosts made.
    pub(super) fn state_files(&self) -> std::io::Result<Vec<StateFile>> {
        let (mut found, mut folders) = (Vec::new(), vec![self.path.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && !entry.file_name().to_string_lossy().starts_with(OWN) {
                    let path = entry.path();
                    let path = path.strip_prefix(&self.path).unwrap_or(&path).to_owned();
                    found.push(StateFile { path, bytes: entry.metadata()?.len() });
                }
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// Stops the filesystem as a power loss does: nothing more reaches the device, for anybody who has it mounted.
    pub(super) fn shut_down(&self) -> std::io::Result<()> {
        Ok(ioctl::shut_down(File::open(&self.path)?)?)
    }
}
