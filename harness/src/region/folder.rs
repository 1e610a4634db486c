//! Owns the files of one standing region, and the locks that say whose it is. Refuses to know what is in the files.
//!
//! | file | says |
//! |---|---|
//! | `region.json` | what was declared and how it was built; the root's key is in it, so nobody else may read it |
//! | `topology.toml`, `graph.toml`, `scenario.toml` | the files that it was built from, for people |
//! | `ledger.jsonl` | what became of it |
//! | `availability.json`, `state.json`, `known.json` | what its customers got, how it stands, since when its hosts run |
//! | `keeper.lock`, `use.lock`, `day.lock` | locked by its keeper, by whoever works on it, by the game day that wants or has it |
//! | `keeper.log` | what its keeper said |

use crate::locked::Locked;
use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where regions are kept where nobody says.
pub const ROOT: &str = "reports/regions";

/// The folder of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// It.
    pub path: PathBuf,
    /// The region's name.
    pub name: String,
}

/// Locks of a region; each is free when whoever had it is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Who keeps it.
    Keeper,
    /// Who works on it now.
    Use,
    /// Which game day wants it, or has it.
    Day,
}

impl Lock {
    fn file(self) -> &'static str {
        match self {
            Self::Keeper => "keeper.lock",
            Self::Use => "use.lock",
            Self::Day => "day.lock",
        }
    }
}

/// A lock that is held, until this is dropped.
#[derive(Debug)]
pub struct Held(Locked);

impl Folder {
    /// The folder of a region below a root.
    pub fn of(root: &Path, name: &str) -> Self {
        Self { path: root.join(name), name: name.to_owned() }
    }

    /// All regions below a root, by name.
    pub fn all(root: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut all: Vec<Self> = names.map(|name| Self::of(root, &name)).filter(Self::is_there).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Whether there is such a region, or the beginning of one.
    pub fn is_there(&self) -> bool {
        self.file("region.json").is_file()
    }

    /// One of the files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make(&self) -> Result<()> {
        std::fs::create_dir_all(&self.path)
            .with_context(|| format!("{} cannot be made; name another folder with --root", self.path.display()))
    }

    /// Takes a lock, and says who has it for those who find it taken; `None` where somebody else has it.
    ///
    /// # Errors
    /// Where the file cannot be had.
    pub fn lock(&self, lock: Lock, who: &str) -> Result<Option<Held>> {
        let path = self.file(lock.file());
        let told = || format!("{} cannot be locked", path.display());
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).with_context(told)?;
        let Some(file) = Locked::take(file) else { return Ok(None) };
        let mut held = Held(file);
        held.say(who).with_context(told)?;
        Ok(Some(held))
    }

    /// Who has a lock; `None` where nobody has.
    pub fn holder(&self, lock: Lock) -> Option<String> {
        let mut file = File::open(self.file(lock.file())).ok()?;
        if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        let mut who = String::new();
        file.read_to_string(&mut who).ok()?;
        Some(who)
    }

    /// Reads a file of JSON; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read or understood.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.file(name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let value = serde_json::from_str(&text);
        Ok(Some(value.with_context(|| format!("{} cannot be understood", path.display()))?))
    }

    /// Writes a file of JSON whole: whoever reads it reads the old or the new one.
    ///
    /// # Errors
    /// Where the disk does not take it: the old one stays.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.write_text(name, &(serde_json::to_string(value)? + "\n"))
    }

    /// The same with a text.
    ///
    /// # Errors
    /// As there.
    pub fn write_text(&self, name: &str, text: &str) -> Result<()> {
        let (path, beside) = (self.file(name), self.file(&format!("{name}.new")));
        let told = || format!("{} cannot be written", path.display());
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside).with_context(told)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(told)?;
        std::fs::rename(&beside, &path).with_context(told)
    }

    /// Removes the folder with everything in it.
    ///
    /// # Errors
    /// Where something in it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Held {
    /// Says who has it.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn say(&mut self, who: &str) -> std::io::Result<()> {
        self.0.set_len(0)?;
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(who.as_bytes())
    }
}
