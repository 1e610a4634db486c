//! Owns the control group hierarchies of the engine's machine: which there are (one for each v1 controller, v2 alone, or
//! both beside each other), and one group's folders in them. Refuses to know hosts and faults.

use super::cgroup;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The hierarchies found in one folder.
#[derive(Debug, Clone, Default)]
pub struct Hierarchies {
    roots: Vec<Root>,
}

#[derive(Debug, Clone)]
struct Root {
    path: PathBuf,
    /// `cpu`, `memory` …: of v1 what the folder is named after, of v2 what its root says that it has.
    controllers: Vec<String>,
    unified: bool,
}

impl Hierarchies {
    /// Those of the engine's machine, as the hand sees them.
    pub fn of_machine() -> Self {
        Self::under(&Path::new(super::MACHINE_ROOT).join("sys/fs/cgroup"))
    }

    /// Those in this folder; none where there is nothing.
    pub fn under(folder: &Path) -> Self {
        if folder.join("cgroup.controllers").exists() {
            return Self { roots: vec![Root::unified(folder)] };
        }
        let mut paths = cgroup::children(folder);
        paths.sort();
        let root = |path: PathBuf| {
            if path.join("cgroup.controllers").exists() {
                return Some(Root::unified(&path));
            }
            let name = path.file_name()?.to_string_lossy().into_owned();
            let controllers = name.split(',').map(str::to_owned).collect();
            path.join("cgroup.procs").exists().then_some(Root { path, controllers, unified: false })
        };
        Self { roots: paths.into_iter().filter_map(root).collect() }
    }

    /// A name for each hierarchy with its root folder: `memory`, `unified`.
    pub(super) fn roots(&self) -> impl Iterator<Item = (String, &Path)> {
        self.roots.iter().map(|root| {
            let name = if root.unified { "unified".to_owned() } else { root.controllers.join(",") };
            (name, root.path.as_path())
        })
    }

    /// Nanoseconds of processors that a group has used, and all below it, dead or alive; `None` where it is not there, or
    /// nothing counts them. The root group is the whole machine. (`/proc/stat` counts ticks, which short work slips through.)
    pub fn processor_ns(&self, path: &str) -> Option<u64> {
        let counts = |root: &&Root| root.unified || root.controllers.iter().any(|name| name == "cpuacct");
        // Of two that count, the v1 controller is sure to be on.
        let root = self.roots.iter().filter(counts).min_by_key(|root| root.unified)?;
        let folder = root.path.join(path.trim_matches('/'));
        if root.unified {
            return Some(number_of(&read(&folder.join("cpu.stat")), "usage_usec")? * 1_000);
        }
        read(&folder.join("cpuacct.usage")).parse().ok()
    }

    /// A group by its path from the roots; it need not be there.
    pub(super) fn group(&self, path: &str) -> Group<'_> {
        Group { hierarchies: self, path: path.trim_matches('/').to_owned() }
    }
}

impl Root {
    fn unified(path: &Path) -> Self {
        let text = std::fs::read_to_string(path.join("cgroup.controllers")).unwrap_or_default();
        let controllers = text.split_ascii_whitespace().map(str::to_owned).collect();
        Self { path: path.to_path_buf(), controllers, unified: true }
    }
}

/// One group in all hierarchies that have it.
#[derive(Debug, Clone)]
pub(super) struct Group<'a> {
    hierarchies: &'a Hierarchies,
    path: String,
}

impl Group<'_> {
    fn folder(&self, root: &Root) -> Option<PathBuf> {
        // An empty path is the root group: never a host's.
        Some(root.path.join(&self.path)).filter(|folder| !self.path.is_empty() && folder.is_dir())
    }

    /// Whether any hierarchy has it.
    pub(super) fn exists(&self) -> bool {
        self.hierarchies.roots.iter().any(|root| self.folder(root).is_some())
    }

    /// Its folder in the v2 hierarchy.
    pub(super) fn unified(&self) -> Option<PathBuf> {
        self.hierarchies.roots.iter().filter(|root| root.unified).find_map(|root| self.folder(root))
    }

    /// Its folder in the hierarchy of this v1 controller.
    pub(super) fn v1(&self, controller: &str) -> Option<PathBuf> {
        let has = |root: &&Root| !root.unified && root.controllers.iter().any(|name| name == controller);
        self.hierarchies.roots.iter().filter(has).find_map(|root| self.folder(root))
    }

    /// Its folder in the v2 hierarchy, where that has this controller.
    pub(super) fn v2(&self, controller: &str) -> Option<PathBuf> {
        let has = |root: &&Root| root.unified && root.controllers.iter().any(|name| name == controller);
        self.hierarchies.roots.iter().filter(has).find_map(|root| self.folder(root))
    }

    /// Processes in it and below it.
    pub(super) fn processes(&self) -> Vec<i32> {
        let lists = self.hierarchies.roots.iter().filter_map(|root| self.folder(root));
        let all: BTreeSet<i32> = lists.flat_map(|folder| cgroup::processes(&folder)).collect();
        all.into_iter().collect()
    }

    /// Moves a process into it, in every hierarchy that has it: a power-off that kills the group kills it too.
    ///
    /// # Errors
    /// Where one refuses, and where no hierarchy has the group.
    pub(super) fn join(&self, process: u32) -> Result<(), String> {
        let folders: Vec<PathBuf> = self.hierarchies.roots.iter().filter_map(|root| self.folder(root)).collect();
        if folders.is_empty() {
            return Err(format!("control group /{} is not there", self.path));
        }
        folders.iter().try_for_each(|folder| write(&folder.join("cgroup.procs"), &process.to_string()))
    }
}

/// Writes a control file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("writing {text:?} to {}: {error}", path.display()))
}

/// Reads a control file; what is not there is empty.
pub(super) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The number after a word, in a file of such lines: `nr_throttled 12`.
pub(super) fn number_of(text: &str, word: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find_map(|(key, value)| (key == word).then(|| value.trim().parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            std::fs::write(path, "cpu memory\n").expect("a file");
        }
        folder
    }

    #[test]
    fn v2_alone_and_v1_with_joined_controllers_and_both_beside_each_other_are_told_apart() {
        let v2 = tree(&["cgroup.controllers", "blackstart.slice/cgroup.procs"]);
        let found = Hierarchies::under(v2.path());
        let group = found.group("/blackstart.slice");
        assert!(group.v2("cpu").is_some() && group.v1("cpu").is_none() && group.v2("pids").is_none());

        let both = tree(&["cpu,cpuacct/cgroup.procs", "cpu,cpuacct/z/cgroup.procs", "freezer/cgroup.procs"]);
        std::fs::create_dir_all(both.path().join("unified/z")).expect("a folder");
        std::fs::write(both.path().join("unified/cgroup.controllers"), "").expect("a file");
        let found = Hierarchies::under(both.path());
        let group = found.group("z");
        assert!(group.v1("cpuacct").is_some() && group.v1("freezer").is_none());
        assert!(group.unified().is_some() && group.v2("cpu").is_none(), "v1 has the controller");
    }

    #[test]
    fn what_a_group_has_used_is_read_in_either_version() {
        let write = |folder: &tempfile::TempDir, file: &str, text: &str| {
            std::fs::write(folder.path().join(file), text).expect("a file");
        };
        let v1 = tree(&["cpu,cpuacct/cgroup.procs", "cpu,cpuacct/z/cgroup.procs"]);
        write(&v1, "cpu,cpuacct/z/cpuacct.usage", "1234567\n");
        assert_eq!(Hierarchies::under(v1.path()).processor_ns("/z"), Some(1_234_567));
        write(&v1, "cpu,cpuacct/cpuacct.usage", "7654321\n");
        assert_eq!(Hierarchies::under(v1.path()).processor_ns("/"), Some(7_654_321), "the whole machine");
        let v2 = tree(&["cgroup.controllers", "z/cgroup.procs"]);
        write(&v2, "z/cpu.stat", "usage_usec 1234\nuser_usec 1000\n");
        let found = Hierarchies::under(v2.path());
        assert_eq!((found.processor_ns("/z"), found.processor_ns("/y")), (Some(1_234_000), None));
    }

    #[test]
    fn the_root_group_is_never_meant() {
        let v2 = tree(&["cgroup.controllers", "cgroup.procs"]);
        let found = Hierarchies::under(v2.path());
        assert!(!found.group("/").exists() && found.group("").join(1).is_err());
    }

    #[test]
    fn a_word_is_found_whole() {
        assert_eq!(number_of("nr_periods 7\nnr_throttled 12\n", "nr_throttled"), Some(12));
        assert_eq!(number_of("nr_periods 7\n", "nr"), None);
    }
}
