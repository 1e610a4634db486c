//! Owns an instance's state file: appended, synced, and read again after a power loss. Refuses to know what the
//! entries mean.
//!
//! One entry a line: `CRC32 KEY VALUE`. A torn last line (power went in the middle of a write) is recognised by its
//! checksum and cut off; everything before it counts.

use crate::machine::RequestId;
use fixtures::graph::store::TornEnd;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

/// An entry to append.
#[derive(Debug)]
pub struct Append {
    /// The request whose write it is.
    pub id: RequestId,
    /// Key: no white space.
    pub key: String,
    /// Value: no line break.
    pub value: String,
    /// Whether it must be on the disk before it counts as done.
    pub sync: bool,
}

/// Reads a state file, cuts off a torn end, and leaves the file open at its end.
///
/// # Errors
/// Where the file cannot be made, read or cut; where its end is torn and that is refused.
pub fn open(path: &Path, torn_end: TornEnd) -> std::io::Result<(File, Vec<(String, String)>)> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (entries, whole) = parse(&bytes);
    if whole < bytes.len() && torn_end == TornEnd::Refuse {
        let text = format!("{}: what follows byte {whole} is torn, and this service refuses that", path.display());
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
    }
    file.set_len(whole as u64)?;
    file.seek(SeekFrom::End(0))?;
    // The file's own entry in its folder must survive too, or the first write would be acknowledged in vain.
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok((file, entries))
}

/// Entries up to the first that is torn or damaged, and how many bytes they take.
fn parse(bytes: &[u8]) -> (Vec<(String, String)>, usize) {
    let (mut entries, mut whole) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let Some(entry) = parse_line(line) else { break };
        entries.push(entry);
        whole += line.len();
    }
    (entries, whole)
}

fn parse_line(line: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (checksum, rest) = text.split_once(' ')?;
    let (key, value) = rest.split_once(' ')?;
    let expected = u32::from_str_radix(checksum, 16).ok()?;
    (crc32fast::hash(rest.as_bytes()) == expected).then(|| (key.to_owned(), value.to_owned()))
}

fn line(append: &Append) -> String {
    let rest = format!("{} {}", append.key, append.value);
    format!("{:08x} {rest}\n", crc32fast::hash(rest.as_bytes()))
}

/// Starts the thread that writes `file`. `done` is told of every append; those that arrive while a sync is under way
/// share the next one.
///
/// # Errors
/// Where the thread cannot be started.
pub fn start(file: File, done: impl Fn(RequestId, bool) + Send + 'static) -> std::io::Result<Sender<Append>> {
    let (sender, receiver) = channel();
    std::thread::Builder::new().name("disk".to_owned()).spawn(move || write_all(file, &receiver, done))?;
    Ok(sender)
}

fn write_all(mut file: File, queue: &Receiver<Append>, done: impl Fn(RequestId, bool)) {
    // Bytes that are known to be whole. After a failure the rest is cut off before anything else is written: entries
    // behind a torn one would be acknowledged now and not be found after the next start.
    let mut whole = file.stream_position();
    let mut clean = whole.is_ok();
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter());
        let sync = batch.iter().any(|append| append.sync);
        let text: String = batch.iter().map(line).collect();
        if !clean && let Ok(bytes) = whole {
            clean = cut(&mut file, bytes).is_ok();
        }
        let ok = clean && write(&mut file, &text, sync).is_ok();
        clean = ok;
        if ok {
            whole = whole.map(|bytes| bytes + text.len() as u64);
        }
        for append in batch {
            done(append.id, ok);
        }
    }
}

fn write(file: &mut File, text: &str, sync: bool) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    if sync { file.sync_data() } else { Ok(()) }
}

fn cut(file: &mut File, bytes: u64) -> std::io::Result<()> {
    file.set_len(bytes)?;
    file.seek(SeekFrom::Start(bytes))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str) -> String {
        line(&Append { id: RequestId(0), key: key.to_owned(), value: value.to_owned(), sync: true })
    }

    #[test]
    fn a_torn_last_entry_is_cut_off_and_the_rest_is_kept() {
        let whole = entry("a", "1") + &entry("b", "two words");
        let third = entry("c", "3");
        for cut in 0..third.len() {
            let (entries, bytes) = parse((whole.clone() + &third[..cut]).as_bytes());
            assert_eq!(entries.len(), 2, "cut after {cut} bytes");
            assert_eq!(bytes, whole.len());
        }
        assert_eq!(parse((whole + &third).as_bytes()).0.len(), 3);
    }

    /// `/dev/full` takes no byte and cannot be cut: nothing behind such a failure may count as stored.
    #[test]
    fn what_cannot_be_written_is_told_so_and_so_is_what_follows() -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).open("/dev/full")?;
        let (told, tells) = channel();
        let disk = start(file, move |id, ok| told.send((id, ok)).unwrap_or_default())?;
        for number in 0..3 {
            let append = Append { id: RequestId(number), key: "k".to_owned(), value: "v".to_owned(), sync: true };
            disk.send(append).map_err(std::io::Error::other)?;
            assert_eq!(tells.recv().map_err(std::io::Error::other)?, (RequestId(number), false));
        }
        Ok(())
    }

    #[test]
    fn who_refuses_a_torn_end_leaves_the_file_as_it_is() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("instance.log");
        let torn = entry("a", "1") + &entry("b", "2")[..5];
        std::fs::write(&path, &torn)?;
        let refused = open(&path, TornEnd::Refuse).map(drop).map_err(|error| error.kind());
        assert_eq!(refused, Err(std::io::ErrorKind::InvalidData));
        assert_eq!(std::fs::read_to_string(&path)?, torn);
        assert_eq!(open(&path, TornEnd::Cut)?.1.len(), 1);
        assert_eq!(open(&path, TornEnd::Refuse)?.1.len(), 1, "nothing is torn any more");
        Ok(())
    }

    #[test]
    fn what_was_appended_is_read_again() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("host/instance.log");
        let (file, entries) = open(&path, TornEnd::Cut)?;
        assert!(entries.is_empty());
        let (told, tells) = channel();
        let disk = start(file, move |id, ok| told.send((id, ok)).unwrap_or_default())?;
        for number in 0..10 {
            let append = Append { id: RequestId(number), key: format!("k{number}"), value: "v".to_owned(), sync: true };
            disk.send(append).map_err(std::io::Error::other)?;
        }
        for number in 0..10 {
            assert_eq!(tells.recv().map_err(std::io::Error::other)?, (RequestId(number), true));
        }
        assert_eq!(open(&path, TornEnd::Cut)?.1.len(), 10);
        Ok(())
    }
}
