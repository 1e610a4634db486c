//! Owns the fault of a slow disk: the kernel holds back writes of the hosts' control groups to their zone's device.
//! Refuses to know what waits.

use super::full::remove;
use super::loop_device::LoopDevice;
use super::place::Place;
use super::timed_write::TimedWrite;
use crate::hand::fault::Fault;
use crate::hand::hierarchy::{Hierarchies, read, write};
use crate::hand::host_fault::look;
use crate::hand::protocol::{Look, Target};
use std::path::PathBuf;
use std::time::Duration;

/// Down to one write a second it counts writes, below that bytes.
const DELAY_MS_COUNTED: u64 = 1000;
/// Bytes of a small write, as they reach the device: one block.
const WRITE_BYTES: u64 = 1024;
/// The least share of the delay that must be seen, in hundredths: a write that comes late in a slice waits less.
const SEEN_PERCENT: u64 = 80;
/// How long one look waits for a write of its own.
const LOOK_WAIT: Duration = Duration::from_millis(300);
/// What a machine without any fault may add to a write.
const OVERHEAD: Duration = Duration::from_secs(10);

/// Slow disks of these zones, for these hosts.
#[derive(Debug)]
pub(in crate::hand) struct DiskSlow {
    place: Place,
    zones: Vec<String>,
    hosts: Vec<Target>,
    delay_ms: u64,
    /// A write of our own that waits.
    waiting: Option<TimedWrite>,
    /// Looks so far: each takes another host and zone.
    looks: usize,
    seen_ms: Option<f64>,
}

/// A control file and what is written to it, for a device.
struct Throttle {
    file: PathBuf,
    on: String,
    off: String,
    procs: PathBuf,
}

impl DiskSlow {
    pub(in crate::hand) fn new(place: Place, zones: Vec<String>, hosts: Vec<Target>, delay_ms: u64) -> Self {
        Self { place, zones, hosts, delay_ms, waiting: None, looks: 0, seen_ms: None }
    }

    fn throttle(&self, hierarchies: &Hierarchies, host: &Target, device: &str) -> Option<Throttle> {
        let group = hierarchies.group(&host.cgroup);
        let counted = self.delay_ms <= DELAY_MS_COUNTED;
        // Game days ask for no less than the kernel can hold back; a delay of nothing is held back as little as it can.
        let delay_ms = self.delay_ms.max(1);
        let most = if counted { 1000 / delay_ms } else { (WRITE_BYTES * 1000 / delay_ms).max(1) };
        if let Some(folder) = group.v1("blkio") {
            let name = if counted { "write_iops_device" } else { "write_bps_device" };
            let file = folder.join(format!("blkio.throttle.{name}"));
            let (on, off) = (format!("{device} {most}"), format!("{device} 0"));
            return Some(Throttle { file, on, off, procs: folder.join("cgroup.procs") });
        }
        let folder = group.v2("io")?;
        let (file, key) = (folder.join("io.max"), if counted { "wiops" } else { "wbps" });
        let (on, off) = (format!("{device} {key}={most}"), format!("{device} {key}=max"));
        Some(Throttle { file, on, off, procs: folder.join("cgroup.procs") })
    }

    /// Holds back writes of every host that is there; returns how many are.
    fn apply(&self, hierarchies: &Hierarchies) -> Result<usize, String> {
        let mut held = 0;
        for zone in &self.zones {
            let device = LoopDevice::find(&self.place, zone);
            let device = device.ok_or_else(|| format!("zone {zone} has no disk of its own"))?.numbers()?;
            for host in self.hosts.iter().filter(|host| hierarchies.group(&host.cgroup).exists()) {
                let throttle = self.throttle(hierarchies, host, &device);
                let throttle =
                    throttle.ok_or("hosts have no control group that can hold back writes (blkio, or io)")?;
                // A host that got power again is in a new group.
                if !read(&throttle.file).lines().any(|line| line.starts_with(&throttle.on)) {
                    write(&throttle.file, &throttle.on)?;
                }
                held += 1;
            }
        }
        Ok(held)
    }

    /// Writes from inside a host's group.
    fn begin_write(&mut self, hierarchies: &Hierarchies) -> Result<(), String> {
        let there: Vec<&Target> = self.hosts.iter().filter(|host| hierarchies.group(&host.cgroup).exists()).collect();
        let (Some(host), Some(zone)) =
            (there.get(self.looks % there.len().max(1)), self.zones.get(self.looks % self.zones.len().max(1)))
        else {
            return Err("none of the hosts is there".to_owned());
        };
        let (device, mounted) = self.place.open(zone)?;
        let throttle = self.throttle(hierarchies, host, &device.numbers()?);
        let procs = throttle.ok_or("the host's control group is gone")?.procs;
        self.waiting = Some(TimedWrite::begin(&self.place, &mounted, &procs)?);
        self.looks += 1;
        Ok(())
    }

    /// What a write of our own took, as soon as it has ended.
    fn take_seen(&mut self, wait: Duration) -> Result<(), String> {
        if let Some(ms) = self.waiting.as_mut().map(|write| write.ended(wait)).transpose()?.flatten() {
            self.seen_ms = Some(ms);
            self.waiting = None;
        }
        Ok(())
    }
}

impl Fault for DiskSlow {
    fn act(&mut self) -> Result<(), String> {
        let hierarchies = Hierarchies::under(&self.place.control_groups());
        if self.apply(&hierarchies)? == 0 {
            return Err("none of the hosts is there".to_owned());
        }
        self.begin_write(&hierarchies)?;
        self.take_seen(OVERHEAD + 3 * Duration::from_millis(self.delay_ms))
    }

    fn look(&mut self) -> Look {
        let hierarchies = Hierarchies::under(&self.place.control_groups());
        let looked = self.apply(&hierarchies).and_then(|held| {
            self.take_seen(Duration::ZERO)?;
            if self.waiting.is_none() {
                self.begin_write(&hierarchies)?;
            }
            self.take_seen(LOOK_WAIT)?;
            Ok(held)
        });
        let seen = self.seen_ms.unwrap_or_default();
        match looked {
            Err(why) => look(false, why, &[]),
            Ok(held) => {
                let text = format!(
                    "{held} control groups are held back; a synced write of our own inside one took {seen:.0} ms"
                );
                // Milliseconds of a fault are far below 2^52.
                let (asked, least) = (self.delay_ms as f64, (self.delay_ms * SEEN_PERCENT / 100) as f64);
                look(held > 0 && seen >= least, text, &[("delay_ms", asked, seen)])
            }
        }
    }

    fn heal(&mut self) -> Result<(), String> {
        let hierarchies = Hierarchies::under(&self.place.control_groups());
        self.waiting = None;
        for zone in &self.zones {
            let (device, mounted) = self.place.open(zone)?;
            for host in &self.hosts {
                if let Some(throttle) = self.throttle(&hierarchies, host, &device.numbers()?) {
                    let written = write(&throttle.file, &throttle.off);
                    // A group that went meanwhile took its limit with it.
                    written.or_else(|why| if throttle.file.exists() { Err(why) } else { Ok(()) })?;
                }
            }
            remove(&mounted.own(super::timed_write::TRIAL)).map_err(|error| format!("zone {zone}: {error}"))?;
        }
        Ok(())
    }
}
