//! Owns a file that one process has for itself while it works on it. Refuses to know what is in it.
//!
//! The lock belongs to the open file, and a process that was just forked has a copy of that until it becomes another
//! program: a file that is only closed stays locked for that moment. So it is let go of, not just closed; where a process
//! dies the kernel does it.

use std::fs::File;
use std::ops::{Deref, DerefMut};

/// A file that is locked until this is dropped, or its process ends, however it does.
#[derive(Debug)]
pub struct Locked(File);

impl Locked {
    /// Takes it; `None` where somebody else has it (or its file system knows no locks).
    pub fn take(file: File) -> Option<Self> {
        file.try_lock().is_ok().then_some(Self(file))
    }
}

impl Deref for Locked {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // What cannot be let go of is closed in the next moment.
        let _closed_next = self.0.unlock();
    }
}
