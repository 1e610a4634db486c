//! Owns control groups as files: which processes are in one, killing and freezing it whole, its share of the
//! processors, removing it when it is empty. Refuses to know hosts and zones.
//!
//! The engine machine's own view is used, because a container sees only a part of the hierarchy.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const HIERARCHIES: &str = "/machine/sys/fs/cgroup";

/// The hierarchy that has `cgroup.kill`: the only one under v2, `unified` beside v1.
pub(super) fn kill_root() -> Option<PathBuf> {
    let candidates = [PathBuf::from(HIERARCHIES), Path::new(HIERARCHIES).join("unified")];
    // The root group has no cgroup.kill: what tells a v2 hierarchy is cgroup.controllers, and the file appears in every
    // child from kernel 5.14 on.
    candidates.into_iter().find(|root| {
        root.join("cgroup.controllers").exists()
            && std::fs::read_dir(root)
                .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().join("cgroup.kill").exists()))
    })
}

/// The v1 freezer.
pub(super) fn freezer_root() -> Option<PathBuf> {
    Some(Path::new(HIERARCHIES).join("freezer")).filter(|root| root.join("cgroup.procs").exists())
}

/// A hierarchy in which the processes of every container can be listed.
pub(super) fn listing_root() -> Option<PathBuf> {
    kill_root().or_else(freezer_root)
}

/// Process ids in a group and the groups below it.
pub(super) fn processes(group: &Path) -> Vec<i32> {
    let mut found = Vec::new();
    let mut folders = vec![group.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let text = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        folders.extend(children(&folder));
    }
    found
}

/// Folders in a folder.
pub(super) fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// Kills every process in a group at once.
pub(super) fn kill(group: &Path) -> std::io::Result<()> {
    std::fs::write(group.join("cgroup.kill"), "1")
}

/// Freezes or thaws a v1 group.
pub(super) fn freeze(group: &Path, frozen: bool) -> std::io::Result<()> {
    std::fs::write(group.join("freezer.state"), if frozen { "FROZEN" } else { "THAWED" })
}

/// A group that comes before others at the processors for as long as this lives.
#[derive(Debug)]
pub(super) struct Favoured {
    file: PathBuf,
    before: String,
}

impl Favoured {
    /// Gives a group a far greater share of processor time than others have, and a smaller one than the hand has. It
    /// counts only beside the group's own siblings, so a parent must be favoured too. `None` where the engine's machine does not
    /// share processor time among groups, or not this one.
    pub(super) fn new(group: &str) -> Option<Self> {
        let group = group.trim_start_matches('/');
        let shares = Path::new(HIERARCHIES).join("cpu").join(group).join("cpu.shares");
        let weight = Path::new(HIERARCHIES).join(group).join("cpu.weight");
        // Thirty-two times what groups have under cgroup v1 and v2; the hand has the greatest value there is.
        let (file, favour) = if shares.exists() { (shares, "32768") } else { (weight, "3200") };
        let before = std::fs::read_to_string(&file).ok()?;
        std::fs::write(&file, favour).ok()?;
        Some(Self { file, before })
    }
}

impl Drop for Favoured {
    fn drop(&mut self) {
        // A group that is gone needs no share.
        let _gone = std::fs::write(&self.file, self.before.trim());
    }
}

/// These groups and those above them, as far up as the run's own groups `roots`, each once and parents first.
pub(super) fn lineage(roots: &[String], groups: &[&str]) -> BTreeSet<String> {
    let ancestors = groups.iter().flat_map(|group| Path::new(group).ancestors());
    ancestors
        .filter(|path| roots.iter().any(|root| path.starts_with(root)))
        .map(|path| path.display().to_string())
        .collect()
}

/// Removes a group and the groups below it from every hierarchy; returns those that are still there.
pub(super) fn remove(group: &str) -> Vec<String> {
    let group = group.trim_start_matches('/');
    let mut left = Vec::new();
    let mut roots = children(Path::new(HIERARCHIES));
    roots.push(PathBuf::from(HIERARCHIES));
    for root in roots {
        let path = root.join(group);
        if !group.is_empty() && path.is_dir() && !remove_tree(&path) {
            left.push(path.display().to_string());
        }
    }
    left
}

/// Moves a process out of whatever group it is in, in every hierarchy; an error where it is still in one.
pub(super) fn move_to_root(pid: u32) -> std::io::Result<()> {
    let mut roots = children(Path::new(HIERARCHIES));
    roots.push(PathBuf::from(HIERARCHIES));
    for procs in roots.iter().map(|root| root.join("cgroup.procs")).filter(|procs| procs.exists()) {
        std::fs::write(procs, pid.to_string())?;
    }
    Ok(())
}

fn remove_tree(folder: &Path) -> bool {
    for child in children(folder) {
        remove_tree(&child);
    }
    match std::fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::lineage;

    #[test]
    fn the_groups_above_are_those_of_the_run_and_each_comes_once() {
        let found = lineage(&["/run-1".to_owned()], &["/run-1/z0/a", "/run-1/z0/b", "/run-10/z0"]);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["/run-1", "/run-1/z0", "/run-1/z0/a", "/run-1/z0/b"]);
        let found = lineage(&["/x.slice/x-1.slice".to_owned()], &["/x.slice/x-1.slice/x-1-z0.slice"]);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["/x.slice/x-1.slice", "/x.slice/x-1.slice/x-1-z0.slice"]);
    }
}
