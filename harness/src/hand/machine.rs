//! Owns the comparison of the engine's machine before and after a run: what is on it that a run could leave, and whose
//! the difference is. Refuses to remove anything, and to look at what the engine itself keeps (containers, networks,
//! volumes, images are found by label).

use super::hierarchy::Hierarchies;
use super::{MACHINE_ROOT, cgroup, net};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The kind of control groups.
const GROUP: &str = "cgroup";
const PROCESS: &str = "process";
/// The group under which an engine puts containers that ask for no other.
const ENGINES_GROUP: &str = "/docker in ";

/// Environment variable that tells of which run a container's process is.
pub const RUN_VARIABLE: &str = "BLACKSTART_RUN";

/// What is on a machine: names by kind, sorted; the same name as often as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// By kind: `cgroup`, `mount`, `loop`, `rule`, `interface`, `queue`, `process`.
    pub there: BTreeMap<String, Vec<String>>,
    /// Kinds that could not be looked at here, with the reason: of them no difference is told.
    pub unseen: BTreeMap<String, String>,
}

/// Whose a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Whose {
    /// The run's own: it was left behind.
    Residue,
    /// New, and nothing in it says that it is a run's.
    ChangedBySomebodyElse,
}

/// Looks at the machine. `machine` is its root folder as seen from here.
pub fn snapshot(machine: &Path, hierarchies: &Hierarchies) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut kinds: Vec<(&str, Result<Vec<String>, String>)> = vec![
        (GROUP, Ok(groups(hierarchies))),
        ("mount", read("/proc/1/mountinfo").map(|text| mounts(&text))),
        ("loop", Ok(loops())),
        ("interface", read("/proc/self/net/dev").map(|text| interfaces(&text))),
        (PROCESS, Ok(processes())),
    ];
    // Without the module nobody ever bound a queue.
    let queues_of = read("/proc/self/net/netfilter/nfnetlink_queue").unwrap_or_default();
    kinds.push(("queue", Ok(queues(&queues_of))));
    kinds.push(("rule", rules(machine)));
    for (kind, found) in kinds {
        match found {
            Ok(mut names) => {
                names.sort();
                snapshot.there.insert(kind.to_owned(), names);
            }
            Err(why) => {
                snapshot.unseen.insert(kind.to_owned(), why);
            }
        }
    }
    snapshot
}

/// Rules of both ways of filling the kernel's tables; a program that is not there has left nothing.
fn rules(machine: &Path) -> Result<Vec<String>, String> {
    type Parse = fn(&str) -> Vec<String>;
    let ways: [(&str, &[&str], Parse); 3] = [
        ("iptables-save", &[], iptables_rules),
        ("ip6tables-save", &[], |text| iptables_rules(text).iter().map(|rule| format!("v6 {rule}")).collect()),
        ("nft", &["-s", "list", "ruleset"], nft_rules),
    ];
    // Often a link to elsewhere on that machine, which leads nowhere from here: the link itself is looked for.
    let is_there = |program: &str| {
        let folders = ["usr/sbin", "sbin", "usr/local/sbin", "usr/bin"].into_iter();
        folders.map(|folder| machine.join(folder).join(program)).any(|path| path.symlink_metadata().is_ok())
    };
    let mut all = Vec::new();
    for (program, arguments, parse) in ways.into_iter().filter(|(program, ..)| is_there(program)) {
        let listed =
            if machine == Path::new("/") { run_here(program, arguments) } else { net::run(program, arguments, "") };
        all.extend(parse(&listed?));
    }
    Ok(all)
}

/// That of the engine's machine, from the hand.
pub fn snapshot_from_hand() -> Snapshot {
    snapshot(Path::new(MACHINE_ROOT), &Hierarchies::of_machine())
}

/// What is new, by kind and name, and whose it is. `short` is the run's short id. What belongs to another run of ours is
/// none: that run, or `clean`, answers for it.
pub fn difference(before: &Snapshot, after: &Snapshot, short: &str) -> Vec<(String, String, Whose)> {
    let mut found = Vec::new();
    for (kind, names) in &after.there {
        if before.unseen.contains_key(kind) {
            continue;
        }
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        for name in before.there.get(kind).into_iter().flatten() {
            *known.entry(name).or_default() += 1;
        }
        for name in names {
            if let Some(count) = known.get_mut(name.as_str()).filter(|count| **count > 0) {
                *count -= 1;
            } else if kind == GROUP && name.starts_with(ENGINES_GROUP) {
                // The engine's own, which it makes with its first container and keeps.
            } else if kind == PROCESS && removes_it(name) {
                // It ends when nothing else is left.
            } else if has_word(name, short) {
                found.push((kind.clone(), name.clone(), Whose::Residue));
            } else if !is_of_a_run(name) {
                found.push((kind.clone(), name.clone(), Whose::ChangedBySomebodyElse));
            }
        }
    }
    found
}

/// Whether a process is one of those who remove a run that others began: its guard, or a builder that took it up. Both are
/// told its id.
fn removes_it(name: &str) -> bool {
    let mut words = name.split(' ').skip(1);
    match words.next() {
        Some("guard") => true,
        Some("build") => words.any(|word| word == "--take-up"),
        _ => false,
    }
}

fn is_hex(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a short id is in a name by itself, and not by chance within a container's long one.
fn has_word(name: &str, short: &str) -> bool {
    let bytes = name.as_bytes();
    let alone = |at: usize| (at == 0 || !is_hex(bytes.get(at - 1))) && !is_hex(bytes.get(at + short.len()));
    !short.is_empty() && name.match_indices(short).any(|(at, _)| alone(at))
}

/// Whether a name is one that runs give: a word of theirs with a short id behind it.
fn is_of_a_run(name: &str) -> bool {
    let follows = |word: &str| {
        name.match_indices(word).any(|(at, _)| {
            let rest = &name.as_bytes()[at + word.len()..];
            (0..6).all(|place| is_hex(rest.get(place))) && !is_hex(rest.get(6))
        })
    };
    ["blackstart-", "BS-", "BSI-", "bs"].into_iter().any(follows)
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn run_here(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = std::process::Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program} could not be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program}: {} ({})", String::from_utf8_lossy(&output.stderr).trim(), output.status))
}

/// Every group with the hierarchies that have it: `/docker/4711 in cpu, memory`.
fn groups(hierarchies: &Hierarchies) -> Vec<String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (hierarchy, root) in hierarchies.roots() {
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for child in cgroup::children(&folder) {
                let path = child.strip_prefix(root).unwrap_or(&child).display().to_string();
                found.entry(path).or_default().push(hierarchy.clone());
                folders.push(child);
            }
        }
    }
    found.into_iter().map(|(path, hierarchies)| format!("/{path} in {}", hierarchies.join(", "))).collect()
}

/// Where, of which kind, from where, of `/proc/PID/mountinfo` (`proc(5)`).
fn mounts(text: &str) -> Vec<String> {
    let parse = |line: &str| {
        let (place, source) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, at) = (place.next()?, place.next()?);
        let mut source = source.split(' ');
        let (kind, device) = (source.next()?, source.next()?);
        let root = if root == "/" { String::new() } else { format!(" {root}") };
        Some(format!("{at} ({kind} {device}{root})"))
    };
    text.lines().filter_map(parse).collect()
}

/// Loop devices with their files.
fn loops() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let bound = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let file = std::fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
        Some(format!("{name} on {}", file.trim()))
    };
    entries.filter_map(bound).collect()
}

/// Interfaces of `/proc/net/dev`, with the bridge that each is on.
fn interfaces(text: &str) -> Vec<String> {
    let names = text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim()));
    let full = |name: &str| {
        let master = std::fs::read_link(format!("/sys/class/net/{name}/master")).ok();
        let bridge = master.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        bridge.map_or_else(|| name.to_owned(), |bridge| format!("{name} on {bridge}"))
    };
    names.map(full).collect()
}

/// Queues of packets with the process that reads them (`net/netfilter/nfnetlink_queue.c`, `seq_show`: number, port id of
/// the reader, which is its process id where it has one queue …).
fn queues(text: &str) -> Vec<String> {
    let parse = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (number, reader) = (words.next()?, words.next()?);
        let who = process_name(reader).unwrap_or_else(|| "a reader that cannot be told".to_owned());
        Some(format!("{number} read by {who}"))
    };
    text.lines().filter_map(parse).collect()
}

/// Processes that are ours by their program, their group or their environment. Others come and go.
fn processes() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = std::process::id().to_string();
    let pids = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let others = pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && *pid != own);
    others.filter_map(|pid| process_name(&pid)).filter(|name| name.contains("blackstart")).collect()
}

/// Command line, group, and run of a process; no numbers, which differ each time.
fn process_name(pid: &str) -> Option<String> {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = words.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let paths: BTreeSet<&str> = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
    let group = paths.into_iter().max_by_key(|path| path.len()).unwrap_or("/");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let run = environment.split(|&byte| byte == 0).find_map(|row| {
        String::from_utf8_lossy(row).strip_prefix(&format!("{RUN_VARIABLE}=")).map(|run| format!(" of run {run}"))
    });
    let words = words.trim();
    (!words.is_empty()).then(|| format!("{words} in {group}{}", run.unwrap_or_default()))
}

/// Chains and rules of `iptables-save`, each with its table; counters differ each time and are left out.
fn iptables_rules(text: &str) -> Vec<String> {
    let (mut table, mut found) = ("", Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(chain) = line.strip_prefix(':') {
            let chain = chain.split(" [").next().unwrap_or(chain);
            found.push(format!("{table}: chain {chain}"));
        } else if line.starts_with("-A ") {
            found.push(format!("{table}: {line}"));
        }
    }
    found
}

/// Chains, sets and rules of `nft list ruleset`, each with its table. Tables that bear the names of iptables' own are
/// its: they are in [`iptables_rules`] already.
fn nft_rules(text: &str) -> Vec<String> {
    let (mut table, mut block, mut found) = (String::new(), String::new(), Vec::new());
    for line in text.lines() {
        let body = line.trim();
        let depth = line.len() - line.trim_start().len();
        let opens = body.strip_suffix('{').map(str::trim);
        match (depth, opens) {
            (0, Some(name)) => {
                table = name.strip_prefix("table ").unwrap_or(name).to_owned();
                block.clear();
                found.push(table.clone());
            }
            (1, Some(name)) => {
                block = name.to_owned();
                found.push(format!("{table}: {block}"));
            }
            // Elements of sets and a chain's own line (`type filter hook …`) say nothing more.
            _ if block.starts_with("chain ") && !body.is_empty() && body != "}" => {
                found.push(format!("{table}: {block}: {body}"));
            }
            _ => {}
        }
    }
    let is_iptables = |rule: &String| {
        let head = rule.split(':').next().unwrap_or_default();
        let (family, name) = head.split_once(' ').unwrap_or_default();
        matches!(family, "ip" | "ip6") && ["filter", "nat", "mangle", "raw", "security"].contains(&name)
    };
    found.retain(|rule| !is_iptables(rule));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(rows: &[(&str, &str)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (kind, name) in rows {
            snapshot.there.entry((*kind).to_owned()).or_default().push((*name).to_owned());
        }
        snapshot
    }

    #[test]
    fn what_is_new_and_bears_the_runs_id_is_residue_and_everything_else_is_told_apart() {
        let before = machine(&[("mount", "/ (ext4 /dev/vda)"), ("interface", "eth0")]);
        let mut rows = vec![("mount", "/ (ext4 /dev/vda)"), ("interface", "eth0")];
        rows.extend([
            ("cgroup", "/blackstart-0abc12/z0 in cpu"),
            ("cgroup", "/blackstart.slice/blackstart-0abc12.slice in unified"),
            ("interface", "bs0abc12z1"),
            ("interface", "veth12ab on bs0abc12z1"),
            ("rule", "filter: -A DOCKER-USER -j BS-0abc12"),
            ("loop", "loop3 on /var/lib/docker/volumes/blackstart-0abc12-state-az1/_data/disk"),
        ]);
        let residue = difference(&before, &machine(&rows), "0abc12");
        assert_eq!(residue.len(), 6, "{residue:?}");
        assert!(residue.iter().all(|(_, _, whose)| *whose == Whose::Residue), "{residue:?}");
        let rows = [
            ("cgroup", "/blackstart-fffff0/z0 in cpu"),
            ("rule", "filter: chain BSI-fffff0 -"),
            ("interface", "bsfffff0z1"),
            ("process", "/blackstart witness in /docker/1 of run 20261124-blackstart-fffff0"),
            ("mount", "/mnt (ext4 /dev/sdb)"),
        ];
        let whose = difference(&before, &machine(&rows), "0abc12");
        let stranger = ("mount".to_owned(), "/mnt (ext4 /dev/sdb)".to_owned(), Whose::ChangedBySomebodyElse);
        assert_eq!(whose, [stranger], "another run's are none");
    }

    #[test]
    fn whoever_removes_a_run_is_not_left_of_it() {
        let of = |words: &str| difference(&Snapshot::default(), &machine(&[("process", words)]), "0abc12");
        assert_eq!(of("/x/blackstart guard 20261124-0abc12 in /user"), []);
        assert_eq!(of("/x/blackstart build eu-test-7 --out /tmp/x --take-up 20261124-0abc12 in /user"), []);
        assert_eq!(of("/x/blackstart witness 20261124-0abc12 in /docker/1")[0].2, Whose::Residue);
    }

    #[test]
    fn an_id_inside_a_containers_long_one_is_a_coincidence() {
        let after = machine(&[("cgroup", "/docker/77e0abc12f00 in cpu")]);
        let found = difference(&Snapshot::default(), &after, "0abc12");
        assert_eq!(found[0].2, Whose::ChangedBySomebodyElse);
    }

    #[test]
    fn the_engines_own_group_of_its_first_container_is_nobodys_change() {
        let after = machine(&[("cgroup", "/docker in cpu, memory"), ("cgroup", "/docker/4711 in cpu, memory")]);
        let found = difference(&Snapshot::default(), &after, "0abc12");
        assert_eq!(found.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>(), ["/docker/4711 in cpu, memory"]);
    }

    #[test]
    fn one_more_of_what_was_there_is_new() {
        let before = machine(&[("process", "/blackstart agent /c 0 in /a")]);
        let after =
            machine(&[("process", "/blackstart agent /c 0 in /a"), ("process", "/blackstart agent /c 0 in /a")]);
        assert_eq!(difference(&before, &after, "0abc12").len(), 1);
        assert_eq!(difference(&after, &before, "0abc12"), []);
    }

    #[test]
    fn of_a_kind_that_was_not_seen_no_difference_is_told() {
        let mut before = Snapshot::default();
        before.unseen.insert("mount".to_owned(), "/proc/1/mountinfo: Permission denied".to_owned());
        assert_eq!(difference(&before, &machine(&[("mount", "/x (ext4 /dev/sdb)")]), "0abc12"), []);
    }

    #[test]
    fn listings_are_read_without_what_differs_each_time() {
        let saved = "# Generated\n*filter\n:INPUT ACCEPT [8:9]\n:BS-0abc12 - [0:0]\n-A INPUT -j BS-0abc12\nCOMMIT\n";
        let wanted = ["filter: chain INPUT ACCEPT", "filter: chain BS-0abc12 -", "filter: -A INPUT -j BS-0abc12"];
        assert_eq!(iptables_rules(saved), wanted);
        let listed = "table ip filter {\n\tchain INPUT {\n\t\taccept\n\t}\n}\ntable inet bs0abc12 {\n\tset cut {\n\t\t\
                      type ifname\n\t}\n\n\tchain forward {\n\t\tiifname \"a\" drop\n\t}\n}\n";
        let wanted = [
            "inet bs0abc12",
            "inet bs0abc12: set cut",
            "inet bs0abc12: chain forward",
            "inet bs0abc12: chain forward: iifname \"a\" drop",
        ];
        assert_eq!(nft_rules(listed), wanted);
        let mounted = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext4 /dev/root rw\n";
        assert_eq!(mounts(mounted), ["/mnt2 (ext4 /dev/root /mnt1)"]);
        assert_eq!(
            queues("    7  999999999     0 2 65535     0     0  3  1\n"),
            ["7 read by a reader that cannot be told"]
        );
    }
}
