//! Owns how a process learns what is the matter on its host: files that the hand writes and holds locked for as long as
//! their fault is in force. Refuses to know what they do.
//!
//! A hand that dies lets go of every lock, and with it ends every such fault: the inverse is the kernel's. It is looked
//! when something happens to the process, not at intervals: where nothing is the matter that is one system call.

use fixtures::trouble::InForce;
use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use std::fs::{File, TryLockError};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The files of one host, and what they said last.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    folder: Option<Folder>,
    known: Vec<InForce>,
}

impl Troubles {
    /// The files in a folder; without one nothing is ever the matter.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Folder::new), known: Vec::new() }
    }

    /// What is in force, where that has changed.
    pub(super) fn changed(&mut self) -> Option<Vec<InForce>> {
        let now = self.look();
        (now != self.known).then(|| {
            self.known.clone_from(&now);
            now
        })
    }

    fn look(&self) -> Vec<InForce> {
        let Some(folder) = self.folder.as_ref().and_then(Folder::open) else { return Vec::new() };
        let Ok(entries) = Dir::read_from(&folder) else { return Vec::new() };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_owned()).collect();
        names.sort();
        let files = names.iter().filter(|name| !name.to_bytes().starts_with(b"."));
        files.filter_map(|name| in_force(File::from(openat(&folder, name, READ, Mode::empty()).ok()?))).collect()
    }
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// A folder that comes and goes, found from the volume that it is in: on the way from a container's root each look would
/// ask whatever that root is kept in (with `fuse-overlayfs` a process of its own) whether it may pass.
#[derive(Debug)]
struct Folder {
    /// The volume that all hosts share, which is there for as long as any of them.
    volume: Option<OwnedFd>,
    /// From there, or from the root where there is no such volume.
    way: PathBuf,
}

impl Folder {
    fn new(path: &Path) -> Self {
        let volume = path.parent().and_then(Path::parent).and_then(|volume| {
            let fd = openat(CWD, volume, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
            Some((fd, path.strip_prefix(volume).ok()?.to_owned()))
        });
        match volume {
            Some((volume, way)) => Self { volume: Some(volume), way },
            None => Self { volume: None, way: path.to_owned() },
        }
    }

    /// `None` while it is not there.
    fn open(&self) -> Option<OwnedFd> {
        let from = self.volume.as_ref().map_or(CWD, |volume| volume.as_fd());
        openat(from, &self.way, READ | OFlags::DIRECTORY, Mode::empty()).ok()
    }
}

/// What a file says, while somebody holds it locked.
fn in_force(mut file: File) -> Option<InForce> {
    if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixtures::trouble::Trouble;

    #[test]
    fn it_is_in_force_for_as_long_as_somebody_holds_the_lock() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut troubles = Troubles::new(Some(&folder.path().join("host")));
        assert_eq!(troubles.changed(), None, "nobody has made the folder yet");
        std::fs::create_dir(folder.path().join("host"))?;
        let path = folder.path().join("host/dead.json");
        let dead = InForce { trouble: Trouble::NamesDead, services: Vec::new() };
        std::fs::write(&path, serde_json::to_string(&dead)?)?;
        assert_eq!(troubles.changed(), None, "nobody holds it");
        let held = File::open(&path)?;
        held.lock()?;
        assert_eq!(troubles.changed(), Some(vec![dead]));
        assert_eq!(troubles.changed(), None, "it is told once");
        // Not closed: a test beside this one that starts a process has a copy of the file until that process is another
        // program, and the lock ends with the last copy.
        held.unlock()?;
        assert_eq!(troubles.changed(), Some(Vec::new()));
        Ok(())
    }
}
