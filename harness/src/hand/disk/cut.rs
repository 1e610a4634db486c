//! Owns a power loss of one zone's disk: what was not synced is gone, measured, and on demand the ends of files are
//! torn. Refuses to kill anybody: that comes before.

use super::mounted::{Mounted, StateFile};
use super::{Disks, Held, until};
use crate::hand::protocol::Tearing;
use agents::runtime::clock::mono_ns;
use scenarios::seed::{Draw, Seeds};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How much of a file's end is kept in mind, to tear it.
const END_BYTES: u64 = 64 << 10;

/// What a power loss did to a zone's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutReport {
    /// The zone.
    pub zone: String,
    /// Files of hosts, before.
    pub files: usize,
    /// Their bytes as hosts saw them, before.
    pub bytes_before: u64,
    /// Their bytes after the journal was replayed.
    pub bytes_after: u64,
    /// Files whose ends were torn, with the bytes of the torn end.
    pub torn: Vec<(PathBuf, u64)>,
    /// Milliseconds until nobody had the filesystem mounted any more.
    pub gone_ms: u64,
}

impl CutReport {
    /// Whether a file of this host has a torn end.
    pub fn tore(&self, host: &str) -> bool {
        self.torn.iter().any(|(path, _)| path.starts_with(host))
    }
}

impl fmt::Display for CutReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { zone, files, bytes_before, bytes_after, torn, .. } = self;
        let lost = bytes_before.saturating_sub(*bytes_after);
        write!(out, "the disk of {zone} lost {lost} of {bytes_before} bytes in {files} files: they were not synced")?;
        match torn.len() {
            0 => Ok(()),
            count => write!(out, "; {count} of them end in a part of what was written"),
        }
    }
}

impl Disks {
    /// Cuts the power of a zone's disk. Call it right after every process of the zone was killed, and start none before
    /// it returns. A limit of the disk stays.
    ///
    /// # Errors
    /// Where the zone has no disk, where somebody still has it mounted after all were killed, or where it cannot be
    /// mounted again.
    pub fn cut(&mut self, zone: &str, torn: Option<&Tearing>) -> Result<CutReport, String> {
        let held = self.held.get_mut(zone).ok_or_else(|| format!("zone {zone} has no disk of its own"))?;
        held.cut(zone, torn).map_err(|why| format!("the disk of zone {zone}: {why}"))
    }
}

impl Held {
    fn cut(&mut self, zone: &str, torn: Option<&Tearing>) -> Result<CutReport, String> {
        let told = |error: std::io::Error| error.to_string();
        let mounted = match self.mounted.take() {
            Some(mounted) => mounted,
            None => Mounted::new(&self.device)?,
        };
        let before = mounted.state_files().map_err(told)?;
        let ends = if torn.is_some() { ends(&mounted, &before) } else { BTreeMap::new() };
        mounted.shut_down().map_err(|error| format!("its filesystem does not stop: {error}"))?;
        drop(mounted);
        let began = mono_ns();
        if !until(|| !self.device.is_live()) {
            return Err(format!("somebody still has {} mounted", self.device.name()));
        }
        let gone_ms = (mono_ns() - began) / 1_000_000;
        let limit = self.device.limit();
        self.device.set_limit(0)?;
        let mounted = Mounted::new(&self.device)?;
        let after = mounted.state_files().map_err(told)?;
        let torn = match torn {
            Some(tearing) => tear(&mounted, &after, &ends, tearing)?,
            None => Vec::new(),
        };
        self.device.set_limit(limit)?;
        self.mounted = Some(mounted);
        let sum = |files: &[StateFile]| files.iter().map(|file| file.bytes).sum();
        let (bytes_before, bytes_after) = (sum(&before), sum(&after));
        Ok(CutReport { zone: zone.to_owned(), files: before.len(), bytes_before, bytes_after, torn, gone_ms })
    }
}

/// The last bytes of a file, and where they begin.
type End = (u64, Vec<u8>);

/// Ends of all files as hosts saw them; those that cannot be read (a fault of the disk) are left out.
fn ends(mounted: &Mounted, files: &[StateFile]) -> BTreeMap<PathBuf, End> {
    let read = |file: &StateFile| {
        let from = file.bytes.saturating_sub(END_BYTES);
        Some((file.path.clone(), (from, read_from(&mounted.path().join(&file.path), from)?)))
    };
    files.iter().filter_map(read).collect()
}

fn read_from(path: &Path, from: u64) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn tear(
    mounted: &Mounted,
    files: &[StateFile],
    ends: &BTreeMap<PathBuf, End>,
    Tearing { seed, real }: &Tearing,
) -> Result<Vec<(PathBuf, u64)>, String> {
    let (mut draw, mut torn) = (Draw { seed: *seed, fault: "power-off" }.of("torn"), Vec::new());
    for file in files {
        let Some((from, end)) = ends.get(&file.path) else { continue };
        let synced = usize::try_from(file.bytes.saturating_sub(*from)).unwrap_or(usize::MAX).min(end.len());
        let tail = if real.iter().any(|host| file.path.starts_with(host)) {
            // What was not synced must follow what is there, or there is more of it than is known.
            let is_there =
                read_from(&mounted.path().join(&file.path), *from).is_some_and(|bytes| bytes == end[..synced]);
            let follows = *from <= file.bytes && is_there;
            if follows { a_part(&end[synced..], &mut draw) } else { Vec::new() }
        } else {
            torn_end(&end[..synced], &end[synced..], &mut draw)
        };
        if tail.is_empty() {
            continue;
        }
        let written = OpenOptions::new().append(true).open(mounted.path().join(&file.path));
        let written = written.and_then(|mut open| open.write_all(&tail).and_then(|()| open.sync_all()));
        written.map_err(|error| format!("{} could not be torn: {error}", file.path.display()))?;
        torn.push((file.path.clone(), tail.len() as u64));
    }
    Ok(torn)
}

/// A beginning of the bytes that were not synced, which reached the disk: never all of them, and nothing else.
fn a_part(unsynced: &[u8], draw: &mut Seeds) -> Vec<u8> {
    let Some(most) = unsynced.len().checked_sub(1).filter(|most| *most > 0) else { return Vec::new() };
    let more = usize::try_from(draw.below(most as u64)).unwrap_or_default() + 1;
    unsynced[..more].to_vec()
}

/// What of the bytes that were not synced reached the disk; where all were, half of one more record like the last.
/// Never ends where a record does.
fn torn_end(synced: &[u8], unsynced: &[u8], draw: &mut Seeds) -> Vec<u8> {
    let mut bytes = match draw.below(unsynced.len() as u64) {
        _ if unsynced.is_empty() => {
            let last = synced.split_inclusive(|&byte| byte == b'\n').next_back().unwrap_or_default();
            last[..last.len() / 2].to_vec()
        }
        more => unsynced[..usize::try_from(more).unwrap_or_default() + 1].to_vec(),
    };
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes
}
