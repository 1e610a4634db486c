//! Owns the secret that signs messages. Refuses to show it: not in an error, not in the log, not for debugging.
//!
//! A signature is `t=SECONDS,v1=HEX`: the HMAC-SHA256 of `SECONDS.BODY`. A receiver computes it anew, compares in constant
//! time, and turns away what is older than a few minutes.

use anyhow::{Context, Result, bail};
use ring::hmac;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Fewer bytes could be guessed.
const BYTES_MIN: usize = 16;

/// More is another file than was meant.
const BYTES_MAX: usize = 4096;

/// What signs messages.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads it from a file, without the line's end.
    ///
    /// # Errors
    /// A file that cannot be read, or whose content is too short or too long.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.display();
        let about = || format!("the secret in {file} cannot be read");
        let size = std::fs::metadata(path).with_context(about)?;
        if size.len() > BYTES_MAX as u64 {
            bail!("the secret in {file} has more than {BYTES_MAX} bytes: it is another file than was meant");
        }
        if size.permissions().mode() & 0o007 != 0 {
            tracing::warn!("everybody on this machine may read the secret in {file}: `chmod o= {file}`");
        }
        let bytes = std::fs::read(path).with_context(about)?;
        Self::of(bytes.trim_ascii_end()).with_context(|| format!("the secret in {file} cannot be used"))
    }

    /// Of these bytes.
    ///
    /// # Errors
    /// Too few.
    pub fn of(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < BYTES_MIN {
            bail!("it has fewer than {BYTES_MIN} bytes; `openssl rand -hex 32` makes a good one");
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// The signature of a body at this moment, in seconds since 1970.
    pub fn sign(&self, at_s: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{at_s}.").as_bytes());
        context.update(body);
        let tag: String = context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={at_s},v1={tag}")
    }
}
