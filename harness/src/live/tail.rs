//! Owns the reading of a file that another process still writes: whole lines in order, each once. Refuses to know what the
//! lines mean, and to wait: whoever asks decides when to ask again.
//!
//! The file may not be there yet, its last line may be half written, and a line may be longer than anybody writes on
//! purpose: then it is left out and counted.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

/// Bytes that one turn reads at most, so that nobody waits long for a turn.
const TURN_BYTES: usize = 1 << 20;

/// A longer line is no event.
const LINE_BYTES_MAX: usize = 4 << 20;

/// A file that grows.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line whose end is not there yet.
    half: Vec<u8>,
    /// The line under way is too long, and is passed over until its end.
    skipping: bool,
    too_long: u64,
    buffer: Vec<u8>,
}

/// What a turn found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There may be more already.
    More,
    /// This was all for now.
    UpToDate,
}

impl Tail {
    /// Of a file, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let buffer = vec![0; 64 << 10];
        Self { path: path.into(), file: None, half: Vec::new(), skipping: false, too_long: 0, buffer }
    }

    /// Hands over what has been written since the last turn, line by line and without the newline.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub fn turn(&mut self, mut each: impl FnMut(&str)) -> std::io::Result<Turn> {
        let Some(mut file) = self.open()? else { return Ok(Turn::UpToDate) };
        let turn = self.read(&mut file, &mut each);
        self.file = Some(file);
        turn
    }

    fn read(&mut self, file: &mut File, each: &mut impl FnMut(&str)) -> std::io::Result<Turn> {
        let mut read = 0;
        while read < TURN_BYTES {
            let mut buffer = std::mem::take(&mut self.buffer);
            let count = file.read(&mut buffer);
            if let Ok(count) = count {
                self.take(buffer.get(..count).unwrap_or_default(), each);
                read += count;
            }
            self.buffer = buffer;
            match count {
                Ok(0) => return Ok(Turn::UpToDate),
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(Turn::More)
    }

    /// What has been written of a line whose end never came; whoever wrote it is dead. Asked for at the end.
    pub fn torn(&self) -> usize {
        self.half.len()
    }

    /// Lines that were longer than any event, since this was last asked.
    pub fn take_too_long(&mut self) -> u64 {
        std::mem::take(&mut self.too_long)
    }

    fn open(&mut self) -> std::io::Result<Option<File>> {
        if let Some(file) = self.file.take() {
            return Ok(Some(file));
        }
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = piece.strip_suffix(b"\n") else {
                self.keep(piece);
                continue;
            };
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.half.is_empty() {
                each(&String::from_utf8_lossy(end));
            } else {
                self.half.extend_from_slice(end);
                each(&String::from_utf8_lossy(&self.half));
                self.half.clear();
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.skipping {
            return;
        }
        if self.half.len() + piece.len() > LINE_BYTES_MAX {
            self.half = Vec::new();
            self.skipping = true;
            self.too_long += 1;
        } else {
            self.half.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES_MAX, Tail, Turn};
    use std::io::Write;

    fn lines(tail: &mut Tail) -> Vec<String> {
        let mut lines = Vec::new();
        while tail.turn(|line| lines.push(line.to_owned())).unwrap() == Turn::More {}
        lines
    }

    #[test]
    fn whole_lines_come_once_and_halves_wait_for_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut tail = Tail::new(&path);
        assert_eq!(lines(&mut tail), Vec::<String>::new(), "the file is not there yet");
        let mut file = std::fs::File::create(&path).unwrap();
        assert_eq!(lines(&mut tail), Vec::<String>::new(), "it is empty");
        file.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(lines(&mut tail), ["one", "two"]);
        assert_eq!((lines(&mut tail).len(), tail.torn()), (0, 3));
        file.write_all(b"ee\n\nfour").unwrap();
        assert_eq!(lines(&mut tail), ["three", ""]);
        file.write_all(b"\n").unwrap();
        assert_eq!(lines(&mut tail), ["four"]);
        assert_eq!(tail.torn(), 0);
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory_and_the_next_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut file = std::fs::File::create(&path).unwrap();
        let mut tail = Tail::new(&path);
        for _ in 0..LINE_BYTES_MAX / 1_000_000 + 3 {
            file.write_all(&vec![b'x'; 1_000_000]).unwrap();
            assert_eq!(lines(&mut tail), Vec::<String>::new());
            assert!(tail.torn() <= LINE_BYTES_MAX);
        }
        file.write_all(b"\nnext\n").unwrap();
        assert_eq!(lines(&mut tail), ["next"]);
        assert_eq!((tail.take_too_long(), tail.take_too_long()), (1, 0));
    }

    #[test]
    fn a_turn_reads_no_more_than_its_share_and_says_that_there_is_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "a line of some length\n".repeat(200_000)).unwrap();
        let mut tail = Tail::new(&path);
        let mut count = 0;
        assert_eq!(tail.turn(|_| count += 1).unwrap(), Turn::More);
        assert!((1..200_000).contains(&count));
        while tail.turn(|_| count += 1).unwrap() == Turn::More {}
        assert_eq!(count, 200_000);
    }
}
