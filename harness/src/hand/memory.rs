//! Owns the shortage of memory on hosts: a hog in their group that fills its limit to a share. Refuses to change the
//! limit, and to press on a group that has none.

use super::fault::Fault;
use super::helper::{HOG, Helper, end_all};
use super::hierarchy::{Group, read};
use super::host_fault::{Ground, look, within};
use super::protocol::{Look, Target};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A limit above this is v1's way to say that there is none (the largest number of whole pages).
const LIMIT_MAX: u64 = 1 << 60;
/// How far below what was asked the share may be: the kernel counts in batches for each core.
const TOLERANCE_PERCENT: f64 = 2.0;
/// Why a fault does not hold whose hog still fills.
const NOT_FULL: &str = "it is not as full as was asked";
/// How long hogs may take to fill it for the first time: pages are taken one by one, and a host may be short of processor
/// time for another fault. More would keep the hand from other orders.
const BEGINNING_MAX: Duration = Duration::from_secs(5);
/// How long a look waits for a hog that fills again what others let go.
const FILLING_MAX: Duration = Duration::from_millis(400);

/// Hosts with too little memory.
#[derive(Debug)]
pub(super) struct Memory {
    hosts: Vec<Target>,
    fill_milli: u32,
    ground: Ground,
    hogs: BTreeMap<String, Helper>,
}

/// Where a group's memory is counted, and its limit in bytes.
#[derive(Debug)]
struct Account {
    usage: PathBuf,
    limit: u64,
}

impl Account {
    fn of(group: &Group<'_>) -> Option<Self> {
        let v1 = group.v1("memory").map(|folder| (folder, "memory.usage_in_bytes", "memory.limit_in_bytes"));
        let v2 = group.v2("memory").map(|folder| (folder, "memory.current", "memory.max"));
        let (folder, usage, limit) = v1.or(v2)?;
        let limit = read(&folder.join(limit)).parse().ok().filter(|&limit| limit > 0 && limit < LIMIT_MAX)?;
        Some(Self { usage: folder.join(usage), limit })
    }

    fn percent(&self) -> f64 {
        let usage: u64 = read(&self.usage).parse().unwrap_or_default();
        usage as f64 / self.limit as f64 * 100.0
    }
}

impl Memory {
    pub(super) fn new(hosts: Vec<Target>, fill_milli: u32, ground: Ground) -> Self {
        Self { hosts, fill_milli, ground, hogs: BTreeMap::new() }
    }

    fn press(&mut self, target: &Target) -> Result<(), String> {
        let group = self.ground.hierarchies.group(&target.cgroup);
        if !group.exists() || self.hogs.contains_key(&target.host) {
            return Ok(());
        }
        let told = |what: String| format!("{}: {what}", target.host);
        let account = Account::of(&group).ok_or_else(|| told("its group has no limit of memory".to_owned()))?;
        let bytes = (account.limit / 1000 * u64::from(self.fill_milli)).to_string();
        let usage = account.usage.display().to_string();
        let hog = Helper::start(&self.ground.executable, &[HOG, &usage, &bytes], &group).map_err(told)?;
        self.hogs.insert(target.host.clone(), hog);
        Ok(())
    }

    /// The share of one host, and why the fault does not hold.
    fn look_at(&mut self, target: &Target) -> (f64, Option<&'static str>) {
        let group = self.ground.hierarchies.group(&target.cgroup);
        let Some(account) = Account::of(&group) else { return (0.0, Some("it is not there")) };
        let percent = account.percent();
        let at_work = self.hogs.get_mut(&target.host).is_some_and(|hog| hog.is_at_work(&group));
        let why = if !at_work {
            Some("what filled it is gone, killed by somebody or for want of memory")
        } else if percent < f64::from(self.fill_milli) / 10.0 - TOLERANCE_PERCENT {
            Some(NOT_FULL)
        } else {
            None
        };
        (percent, why)
    }
}

impl Fault for Memory {
    fn act(&mut self) -> Result<(), String> {
        if !(1..=1000).contains(&self.fill_milli) {
            return Err(format!("memory cannot be filled to {} thousandths: 1 to 1000 can be", self.fill_milli));
        }
        let hosts = self.hosts.clone();
        hosts.iter().try_for_each(|target| self.press(target))?;
        // It begins when it is full. Memory that does not come to that is told by the look.
        within(BEGINNING_MAX, || !hosts.iter().any(|target| self.look_at(target).1 == Some(NOT_FULL)));
        Ok(())
    }

    fn look(&mut self) -> Look {
        let mut seen = Vec::new();
        within(FILLING_MAX, || {
            seen = self.hosts.clone().iter().map(|target| (target.host.clone(), self.look_at(target))).collect();
            seen.iter().all(|(_, (_, why))| why.is_none())
        });
        let least = seen.iter().map(|(_, (percent, _))| *percent).fold(f64::INFINITY, f64::min);
        let least = if seen.is_empty() { 0.0 } else { least };
        let failed: Vec<String> =
            seen.iter().filter_map(|(host, (_, why))| Some(format!("{host}: {}", (*why)?))).collect();
        let text = match (seen.len(), failed.as_slice()) {
            (0, _) => "aimed at no host".to_owned(),
            (count, []) => format!("memory of {count} host(s) is filled to {least:.1} % at least"),
            (_, failed) => failed.join("; "),
        };
        let holds = failed.is_empty() && !seen.is_empty();
        look(holds, text, &[("fill_percent", f64::from(self.fill_milli) / 10.0, least)])
    }

    fn heal(&mut self) -> Result<(), String> {
        self.hogs.clear();
        let heal = |target: &Target| {
            let ended = end_all(&self.ground.hierarchies.group(&target.cgroup), HOG);
            ended.map_err(|what| format!("{}: {what}", target.host))
        };
        let failed: Vec<String> = self.hosts.iter().filter_map(|target| heal(target).err()).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}
