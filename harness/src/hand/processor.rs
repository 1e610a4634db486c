//! Owns the shortage of processor time on hosts: a bound on their group, and a burner in it that uses what is left.
//! Refuses to touch a group that somebody else has bounded: its inverse would not be known.

use super::fault::Fault;
use super::helper::{BURN, Helper, end_all};
use super::hierarchy::{Group, number_of, read, write};
use super::host_fault::{Ground, look, within};
use super::protocol::{Look, Target};
use agents::runtime::clock::mono_ns;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The kernel's least quota: one millisecond of the usual period of a hundred.
const LEFT_MILLI_MIN: u32 = 10;
/// The burner is one thread: where a core or more is left, nothing is short.
const LEFT_MILLI_MAX: u32 = 950;
/// Less than a few periods of the kernel's (100 ms) tell nothing.
const SPAN_NS_MIN: u64 = 350_000_000;
/// How long burners may take to start and be held back for the first time, on a busy machine.
const BEGINNING_MAX: Duration = Duration::from_secs(2);
/// How much more than what is left may be measured, beside [`SLACK_NS`]: clocks are read one after the other.
const OVERDRAWN: f64 = 1.1;
/// What a group may have beyond whole periods: the slice (5 ms) that each of two cores was handed before the quota ran
/// out.
const SLACK_NS: f64 = 10_000_000.0;

/// Hosts with too little processor time.
#[derive(Debug)]
pub(super) struct Processor {
    hosts: Vec<Target>,
    left_milli: u32,
    ground: Ground,
    burners: BTreeMap<String, Helper>,
    /// The first sample since the fault began, and the latest.
    samples: BTreeMap<String, (Sample, Sample)>,
}

/// How a group's processor time is bounded here.
#[derive(Debug)]
enum Bound {
    /// `cpu.cfs_quota_us` in this folder, and the folder with `cpuacct.usage`.
    V1(PathBuf, Option<PathBuf>),
    /// `cpu.max` in this folder.
    V2(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sample {
    at_ns: u64,
    /// Processor time used.
    used_ns: u64,
    periods: u64,
    throttled: u64,
    /// How long the burner wanted time and did not have it.
    waited_ns: u64,
}

impl Bound {
    fn of(group: &Group<'_>) -> Option<Self> {
        if let Some(folder) = group.v1("cpu").filter(|folder| folder.join("cpu.cfs_quota_us").exists()) {
            return Some(Self::V1(folder, group.v1("cpuacct")));
        }
        group.v2("cpu").filter(|folder| folder.join("cpu.max").exists()).map(Self::V2)
    }

    /// Quota and period in microseconds; no quota is no bound.
    fn get(&self) -> (Option<u64>, u64) {
        let (quota, period) = match self {
            Self::V1(folder, _) => (read(&folder.join("cpu.cfs_quota_us")), read(&folder.join("cpu.cfs_period_us"))),
            Self::V2(folder) => {
                let text = read(&folder.join("cpu.max"));
                let (quota, period) = text.split_once(' ').unwrap_or(("max", ""));
                (quota.to_owned(), period.to_owned())
            }
        };
        // `-1` and `max` are no numbers of this kind.
        (quota.parse().ok(), period.parse().unwrap_or(100_000))
    }

    fn set(&self, quota_us: Option<u64>) -> Result<(), String> {
        let text = |unbounded: &str| quota_us.map_or_else(|| unbounded.to_owned(), |quota| quota.to_string());
        match self {
            Self::V1(folder, _) => write(&folder.join("cpu.cfs_quota_us"), &text("-1")),
            Self::V2(folder) => write(&folder.join("cpu.max"), &text("max")),
        }
    }

    fn sample(&self, burner: Option<&Helper>) -> Sample {
        let waited_ns = burner.map(Helper::waited_ns).unwrap_or_default();
        let (folder, used_ns) = match self {
            Self::V1(folder, accounts) => {
                let used = accounts.as_ref().map(|accounts| read(&accounts.join("cpuacct.usage")));
                (folder, used.and_then(|text| text.parse().ok()).unwrap_or_default())
            }
            Self::V2(folder) => {
                let used = number_of(&read(&folder.join("cpu.stat")), "usage_usec");
                (folder, used.unwrap_or_default() * 1000)
            }
        };
        let stat = read(&folder.join("cpu.stat"));
        let number = |word| number_of(&stat, word).unwrap_or_default();
        Sample {
            at_ns: mono_ns(),
            used_ns,
            periods: number("nr_periods"),
            throttled: number("nr_throttled"),
            waited_ns,
        }
    }
}

/// Percent of a core that was used between two samples.
fn had_percent(before: Sample, after: Sample) -> f64 {
    let span = after.at_ns.saturating_sub(before.at_ns).max(1);
    after.used_ns.saturating_sub(before.used_ns) as f64 / span as f64 * 100.0
}

/// Whether a host was short of time between two samples, held to so much of a core in periods of this length.
fn was_short(before: Sample, after: Sample, left: f64, period_ns: f64) -> bool {
    let periods = after.periods.saturating_sub(before.periods);
    let throttled = after.throttled.saturating_sub(before.throttled);
    let span = after.at_ns.saturating_sub(before.at_ns) as f64;
    // A busy machine may itself leave less than the bound, which is not reached then: the burner has waited all the same.
    let waited = after.waited_ns.saturating_sub(before.waited_ns) as f64;
    let reached = throttled > 0 && throttled * 4 >= periods || waited > 0.0 && waited >= span / 4.0;
    let used = after.used_ns.saturating_sub(before.used_ns) as f64;
    // The time between two samples begins and ends within a period, either of which may hold a whole quota.
    reached && used <= left * (span * OVERDRAWN + period_ns) + SLACK_NS
}

impl Processor {
    pub(super) fn new(hosts: Vec<Target>, left_milli: u32, ground: Ground) -> Self {
        Self { hosts, left_milli, ground, burners: BTreeMap::new(), samples: BTreeMap::new() }
    }

    fn quota(&self, period: u64) -> u64 {
        period * u64::from(self.left_milli) / 1000
    }

    fn press(&mut self, target: &Target) -> Result<(), String> {
        let group = self.ground.hierarchies.group(&target.cgroup);
        if !group.exists() || self.burners.contains_key(&target.host) {
            return Ok(());
        }
        let told = |what: String| format!("{}: {what}", target.host);
        let bound = Bound::of(&group).ok_or_else(|| told("its group has no bound of processor time".to_owned()))?;
        let (quota, period) = bound.get();
        let wanted = self.quota(period);
        if quota.is_some_and(|quota| quota != wanted) {
            return Err(told("somebody else has bounded its processor time".to_owned()));
        }
        bound.set(Some(wanted)).map_err(told)?;
        let burner = Helper::start(&self.ground.executable, &[BURN], &group).map_err(told)?;
        let first = bound.sample(Some(&burner));
        self.samples.insert(target.host.clone(), (first, first));
        self.burners.insert(target.host.clone(), burner);
        Ok(())
    }

    /// Whether a host was held back since this sample, or its burner found no processor free.
    fn has_begun(&self, host: &str, first: Sample) -> bool {
        let target = self.hosts.iter().find(|target| target.host == host);
        let bound = target.and_then(|target| Bound::of(&self.ground.hierarchies.group(&target.cgroup)));
        let now = bound.map(|bound| bound.sample(self.burners.get(host)));
        now.is_none_or(|now| now.throttled > first.throttled || now.waited_ns > first.waited_ns + SLACK_NS as u64)
    }

    /// Looks at one host: what it had of a core, and why the fault does not hold.
    fn look_at(&mut self, target: &Target) -> (Option<f64>, Option<&'static str>) {
        let group = self.ground.hierarchies.group(&target.cgroup);
        let Some(bound) = Bound::of(&group) else { return (None, Some("it is not there")) };
        let (quota, period) = bound.get();
        let after = bound.sample(self.burners.get(&target.host));
        let (first, before) = self.samples.get(&target.host).copied().unwrap_or((after, after));
        self.samples.insert(target.host.clone(), (first, after));
        let short = was_short(before, after, f64::from(self.left_milli) / 1000.0, period as f64 * 1000.0);
        let at_work = self.burners.get_mut(&target.host).is_some_and(|burner| burner.is_at_work(&group));
        let why = if quota != Some(self.quota(period)) {
            Some("its bound is not the one that was set")
        } else if !at_work {
            Some("its burner is gone")
        } else if short {
            None
        } else {
            Some("it was not short of time")
        };
        (Some(had_percent(first, after)), why)
    }
}

impl Fault for Processor {
    fn act(&mut self) -> Result<(), String> {
        if !(LEFT_MILLI_MIN..=LEFT_MILLI_MAX).contains(&self.left_milli) {
            let left = self.left_milli;
            return Err(format!(
                "{left} thousandths of a core cannot be left: {LEFT_MILLI_MIN} to {LEFT_MILLI_MAX} can"
            ));
        }
        self.hosts.clone().iter().try_for_each(|target| self.press(target))?;
        // It begins when the burners are at work. One that does not come to that is told by the look.
        within(BEGINNING_MAX, || self.samples.iter().all(|(host, (first, _))| self.has_begun(host, *first)));
        let hosts = self.hosts.iter().filter(|target| self.samples.contains_key(&target.host));
        let bounds =
            hosts.filter_map(|target| Some((target, Bound::of(&self.ground.hierarchies.group(&target.cgroup))?)));
        let samples = bounds.map(|(target, bound)| (target.host.clone(), bound.sample(self.burners.get(&target.host))));
        self.samples = samples.map(|(host, now)| (host, (now, now))).collect();
        Ok(())
    }

    fn look(&mut self) -> Look {
        let latest = self.samples.values().map(|(_, latest)| latest.at_ns).max();
        let missing = latest.map_or(0, |latest| (latest + SPAN_NS_MIN).saturating_sub(mono_ns()));
        std::thread::sleep(Duration::from_nanos(missing));
        let seen: Vec<_> =
            self.hosts.clone().iter().map(|target| (target.host.clone(), self.look_at(target))).collect();
        let had = seen.iter().filter_map(|(_, (had, _))| *had).fold(0.0, f64::max);
        let failed: Vec<String> =
            seen.iter().filter_map(|(host, (_, why))| Some(format!("{host}: {}", (*why)?))).collect();
        let text = match (seen.len(), failed.as_slice()) {
            (0, _) => "aimed at no host".to_owned(),
            (count, []) => format!("{count} host(s) are held to {had:.1} % of a core at most"),
            (_, failed) => failed.join("; "),
        };
        let holds = failed.is_empty() && !seen.is_empty();
        look(holds, text, &[("left_percent", f64::from(self.left_milli) / 10.0, had)])
    }

    fn heal(&mut self) -> Result<(), String> {
        self.burners.clear();
        self.samples.clear();
        let heal = |target: &Target| {
            let group = self.ground.hierarchies.group(&target.cgroup);
            let ended = end_all(&group, BURN);
            let (Some(bound), true) = (Bound::of(&group), group.exists()) else { return ended };
            // Only our own bound is taken away.
            let (quota, period) = bound.get();
            let freed = if quota == Some(self.quota(period)) { bound.set(None) } else { Ok(()) };
            ended.and(freed).map_err(|what| format!("{}: {what}", target.host))
        };
        let failed: Vec<String> = self.hosts.iter().filter_map(|target| heal(target).err()).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Sample = Sample { at_ns: 0, used_ns: 0, periods: 10, throttled: 5, waited_ns: 0 };

    const PERIOD_NS: f64 = 1e8;

    #[test]
    fn a_host_that_is_throttled_and_had_no_more_than_what_is_left_is_short() {
        let after = Sample { at_ns: 1_000_000_000, used_ns: 100_000_000, periods: 20, throttled: 15, waited_ns: 0 };
        assert_eq!(had_percent(BEFORE, after), 10.0);
        assert!(was_short(BEFORE, after, 0.10, PERIOD_NS));
        assert!(!was_short(BEFORE, after, 0.05, PERIOD_NS), "it had more");
    }

    #[test]
    fn a_look_that_begins_and_ends_with_a_whole_quota_is_no_overdraft() {
        let after = Sample { at_ns: 350_000_000, used_ns: 53_000_000, periods: 14, throttled: 9, waited_ns: 0 };
        assert!(was_short(BEFORE, after, 0.10, PERIOD_NS));
    }

    #[test]
    fn a_host_that_was_never_throttled_is_not_short() {
        let after = Sample { at_ns: 1_000_000_000, used_ns: 10_000_000, periods: 20, throttled: 5, waited_ns: 0 };
        assert!(!was_short(BEFORE, after, 0.10, PERIOD_NS));
        let waited = Sample { waited_ns: 700_000_000, ..after };
        assert!(was_short(BEFORE, waited, 0.10, PERIOD_NS), "the machine left it even less");
        assert!(!was_short(BEFORE, BEFORE, 0.10, PERIOD_NS), "nothing was measured");
    }
}
