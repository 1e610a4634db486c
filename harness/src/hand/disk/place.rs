//! Owns where disks of one run are found: image files, loop devices, the machine's programs, by names alone. Refuses to
//! keep anything open.

use super::loop_device::LoopDevice;
use super::mounted::Mounted;
use crate::hand::{MACHINE_ROOT, SHARED_DIR};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folder of the image files, below the shared folder.
pub const DISKS_DIR: &str = "disks";
/// How the names of links to devices end, beside the image files.
pub const LINK: &str = ".device";

/// Where one run's disks are.
#[derive(Debug, Clone)]
pub struct Place {
    /// The machine's root folder, as it is seen from here.
    machine: PathBuf,
    /// Folder of the image files.
    folder: PathBuf,
    /// The run's short id.
    short: String,
    /// The executable that goes into the machine's root folder; none where this process is in it.
    enter: Option<PathBuf>,
}

impl Place {
    /// As the hand sees it from its container.
    pub fn in_hand(short: &str) -> Self {
        Self {
            machine: PathBuf::from(MACHINE_ROOT),
            folder: Path::new(SHARED_DIR).join(DISKS_DIR),
            short: short.to_owned(),
            enter: Some(PathBuf::from("/proc/self/exe")),
        }
    }

    /// As a process sees it that runs on the machine itself.
    pub fn on_machine(folder: &Path, short: &str) -> Self {
        Self { machine: PathBuf::from("/"), folder: folder.to_owned(), short: short.to_owned(), enter: None }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The machine's root folder, where that is another than this process's own.
    pub(super) fn other_root(&self) -> Option<&Path> {
        self.enter.as_ref().map(|_| self.machine.as_path())
    }

    pub(super) fn image(&self, zone: &str) -> PathBuf {
        self.folder.join(format!("{zone}.img"))
    }

    /// What leads to a zone's device, whatever its number is.
    pub(super) fn link(&self, zone: &str) -> PathBuf {
        self.folder.join(format!("{zone}{LINK}"))
    }

    /// What a zone's loop device is called: found by it alone, whoever bound it.
    pub(super) fn label(&self, zone: &str) -> String {
        format!("{}{zone}", self.label_start())
    }

    pub(super) fn label_start(&self) -> String {
        format!("blackstart-{}-", self.short)
    }

    pub(super) fn devices(&self) -> PathBuf {
        self.machine.join("dev")
    }

    /// Filesystems of this kind that are alive have a folder here, by device.
    pub(super) fn live_filesystems(&self) -> PathBuf {
        self.machine.join("sys/fs/ext4")
    }

    pub(super) fn control_groups(&self) -> PathBuf {
        self.machine.join("sys/fs/cgroup")
    }

    /// One of the machine's programs.
    pub(super) fn program(&self, name: &str) -> Command {
        match &self.enter {
            None => Command::new(name),
            Some(executable) => {
                let mut command = Command::new(executable);
                command.args(["enter", name]);
                command
            }
        }
    }

    /// Runs one of the machine's programs to its end.
    pub(super) fn run(&self, name: &str, arguments: &[&str]) -> Result<(), String> {
        let output = self.program(name).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{name} could not be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("{name} on the engine's machine: {} ({})", words.trim(), output.status))
    }

    /// A zone's device, and its filesystem for as long as the second value lives.
    pub(super) fn open(&self, zone: &str) -> Result<(LoopDevice, Mounted), String> {
        let device = LoopDevice::find(self, zone).ok_or_else(|| format!("zone {zone} has no disk of its own"))?;
        let mounted = Mounted::new(&device)?;
        Ok((device, mounted))
    }
}
