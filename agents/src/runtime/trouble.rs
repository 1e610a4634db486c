//! Owns how a process learns what is the matter on its host: files that the hand writes and holds locked for as long as
//! their fault is in force. Refuses to know what they do.
//!
//! A hand that dies lets go of every lock, and with it ends every such fault: the inverse is the kernel's. It is looked
//! when something happens to the process, not at intervals: where nothing is the matter that is one system call.

use fixtures::trouble::InForce;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::PathBuf;

/// The files of one host, and what they said last.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    folder: Option<PathBuf>,
    known: Vec<InForce>,
}

impl Troubles {
    /// The files in a folder; without one nothing is ever the matter.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, known: Vec::new() }
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
        let Some(files) = self.folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok()) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
        paths.sort();
        paths.into_iter().filter_map(|path| in_force(File::open(path).ok()?)).collect()
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
        let mut troubles = Troubles::new(Some(folder.path().join("host")));
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
        drop(held);
        assert_eq!(troubles.changed(), Some(Vec::new()));
        Ok(())
    }
}
