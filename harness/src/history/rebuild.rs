//! Owns the making of a history out of the records in a folder of runs. Refuses to stop at one that cannot be read: it
//! tells it, and goes on.

use super::{APPLICATION, History, TABLES, insert};
use anyhow::{Context, Result};
use reports::history::{ENTRY_SCHEMA, Entry};
use rusqlite::TransactionBehavior;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a rebuilding did.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Runs entered.
    pub entered: usize,
    /// Folders with a record that cannot be read, and why.
    pub unread: Vec<(PathBuf, String)>,
}

impl History {
    /// Makes the history anew from the records: whoever reads meanwhile sees the old one. A run that ends meanwhile has
    /// written its record before it waits for its turn, or waits and enters itself afterwards: none is lost.
    ///
    /// # Errors
    /// Where the database cannot be written, or the folder not be read.
    pub fn rebuild(&mut self) -> Result<Rebuilt> {
        let mut read = BTreeMap::new();
        // Most of the reading is done before others have to wait, and what came meanwhile after that.
        read_new(&self.runs, &mut read)?;
        let told = "the history cannot be made anew";
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).context(told)?;
        read_new(&self.runs, &mut read)?;
        transaction.execute_batch(TABLES).context(told)?;
        let mut rebuilt = Rebuilt::default();
        for (folder, entry) in read {
            match entry {
                Ok(entry) => {
                    insert(&transaction, &entry).context(told)?;
                    rebuilt.entered += 1;
                }
                Err(why) => rebuilt.unread.push((folder, why)),
            }
        }
        transaction.pragma_update(None, "application_id", APPLICATION).context(told)?;
        transaction.pragma_update(None, "user_version", ENTRY_SCHEMA).context(told)?;
        transaction.commit().context(told)?;
        Ok(rebuilt)
    }
}

/// Reads the runs that were not read yet.
fn read_new(runs: &Path, read: &mut BTreeMap<PathBuf, Result<Entry, String>>) -> Result<()> {
    let told = || format!("the folder of runs {} cannot be read", runs.display());
    for entry in std::fs::read_dir(runs).with_context(told)? {
        let folder = entry.with_context(told)?.path();
        if !read.contains_key(&folder) && folder.join("record.json").is_file() {
            let entry = entry_of(&folder).map_err(|error| format!("{error:#}"));
            read.insert(folder, entry);
        }
    }
    Ok(())
}

/// The entry of one run. Without its events it knows less, and is entered all the same.
fn entry_of(folder: &Path) -> Result<Entry> {
    let record = reports::record::from_json(&std::fs::read_to_string(folder.join("record.json"))?)?;
    let events = match std::fs::read_to_string(folder.join("events.jsonl")) {
        Ok(text) => reports::journal::read(&text)?.events,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).context("events.jsonl"),
    };
    Ok(Entry::of(&record, &events))
}
