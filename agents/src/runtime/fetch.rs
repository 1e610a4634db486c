//! Owns how a generic host comes to its software: from its own disk, or else from a repository, verified in either case, and put
//! on the disk before it is run. Refuses to run anything that was not verified, and to give up.
//!
//! Asking is a machine's: one that offers nothing and needs nothing but this software, with its names, its certificates of
//! others, its pauses and its patience. A refused artefact is to it as one that was not granted.

use super::drive::{Around, Driver};
use super::reporter::Reporter;
use crate::artefact::{ARTEFACT_BYTES_MAX, Expected, Opened, Refusal};
use crate::config::{GenericConfig, InstanceConfig, Software};
use crate::machine::{Input, Machine};
use crate::wire::{Delivery, Note};
use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::rc::Rc;

/// What is to be fetched, and what came of it.
#[derive(Debug)]
pub(super) struct Order {
    expected: Expected,
    reporter: Option<Reporter>,
    fetched: RefCell<Option<Fetched>>,
    refused: RefCell<u64>,
}

/// An artefact that was fetched and verified.
#[derive(Debug)]
struct Fetched {
    bytes: Vec<u8>,
    opened: Opened,
    software: Software,
    from: String,
}

impl Order {
    fn new(expected: Expected, reporter: Option<Reporter>) -> Self {
        Self { expected, reporter, fetched: RefCell::default(), refused: RefCell::default() }
    }

    /// Where it is asked for.
    pub(super) fn path(&self) -> String {
        format!("/artefacts/{}", self.expected.name())
    }

    /// Takes what somebody gave out; false where it is refused. `None` is more than anybody reads.
    pub(super) fn take(&self, from: &str, bytes: Option<&[u8]>) -> bool {
        let opened = bytes.ok_or(Refusal::TooLarge).and_then(|bytes| Ok((bytes, read(&self.expected, bytes)?)));
        match opened {
            Ok((bytes, (opened, software))) => {
                let fetched = Fetched { bytes: bytes.to_vec(), opened, software, from: from.to_owned() };
                *self.fetched.borrow_mut() = Some(fetched);
                true
            }
            Err(refusal) => {
                *self.refused.borrow_mut() += 1;
                // Told at the first and then ever more rarely, as what is missing is.
                if self.refused.borrow().is_power_of_two() {
                    self.tell(Delivery::Refused, None, from, refusal.to_string());
                }
                false
            }
        }
    }

    fn tell(&self, delivery: Delivery, opened: Option<&Opened>, from: &str, why: String) {
        let Some(reporter) = &self.reporter else { return };
        let (version, sha256) =
            opened.map(|opened| (opened.manifest.version, opened.manifest.sha256.clone())).unwrap_or_default();
        reporter.note(Note::Software { delivery, version, sha256, from: from.to_owned(), why });
    }
}

/// Verifies an artefact, and reads its payload.
fn read(expected: &Expected, bytes: &[u8]) -> Result<(Opened, Software), Refusal> {
    let opened = expected.open(bytes)?;
    let software = serde_json::from_str(&opened.payload);
    let software = software.map_err(|_| Refusal::Damaged("its payload is no software for this run time"))?;
    Ok((opened, software))
}

/// What a generic process becomes, once its software is on the host's disk and verified. Waits for that as long as it takes.
///
/// # Errors
/// Where its configuration is of no service, or the disk does not take the software: the supervisor starts it again.
pub(super) async fn installed(
    generic: &GenericConfig,
    reporter: Option<Reporter>,
    state_dir: &Path,
    trouble_dir: &str,
) -> std::io::Result<InstanceConfig> {
    let expected =
        generic.expected().ok_or_else(|| std::io::Error::other("a generic host's process has no service"))?;
    let path = state_dir.join(format!("{}.artefact", generic.own.name));
    let order = Rc::new(Order::new(expected, reporter.clone()));
    if let Some(software) = kept(&path, &order)? {
        return Ok(software.installed(&generic.own));
    }
    let mut around = Around::new(trouble_dir, generic.own.from.service.clone(), &generic.own.commons);
    around.order = Some(Rc::clone(&order));
    let driver = Driver::new(Machine::new(generic.own.clone()), around, reporter, None)?;
    driver.feed(Input::Start { entries: Vec::new() });
    tokio::select! { () = driver.complete() => {} () = Rc::clone(&driver).wake() => {} }
    let fetched =
        order.fetched.take().ok_or_else(|| std::io::Error::other("software was granted, and none was given"))?;
    keep(&path, &fetched.bytes)?;
    order.tell(Delivery::Fetched, Some(&fetched.opened), &fetched.from, String::new());
    Ok(fetched.software.installed(&generic.own))
}

/// The copy on the host's own disk, where there is one that will do.
fn kept(path: &Path, order: &Order) -> std::io::Result<Option<Software>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    // One byte more than will do is too many.
    file.take(ARTEFACT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    match read(&order.expected, &bytes) {
        Ok((opened, software)) => {
            order.tell(Delivery::Kept, Some(&opened), "", String::new());
            Ok(Some(software))
        }
        // It was replaced: nothing is wrong with it.
        Err(Refusal::Older { .. }) => Ok(None),
        Err(refusal) => {
            order.tell(Delivery::Damaged, None, "", refusal.to_string());
            Ok(None)
        }
    }
}

/// Puts an artefact on the disk, whole: it survives whatever happens from here on.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artefact::{Signer, altered};
    use fixtures::name::ServiceName;

    fn order(signer: &Signer, version: u64) -> Order {
        let service = ServiceName::new("quota").expect("a name");
        Order::new(Expected { service, edition: "az1".to_owned(), version, signer: signer.public() }, None)
    }

    fn software() -> &'static str {
        r#"{"operations":["check"],"interval_ns":0,"queue":64,"workers":null,"grants":null,"work":{"secs":0,"nanos":1000},
            "needs":[],"calls":[],"state":"none","store":{},"control":{},"acknowledge":"after-sync","health":"shallow",
            "liveness":"shallow","directory":null,"lifetimes":{},"renew_at_ppm":0,"granted":null,"meter":null,"board":null,
            "scaler":null,"duty":null}"#
    }

    #[test]
    fn only_what_was_verified_is_taken_and_found_on_the_disk_again() -> std::io::Result<()> {
        let signer = Signer::of(b"ours");
        let service = ServiceName::new("quota").expect("a name");
        let artefact = signer.pack(&service, "az1", 1, software());
        let one = order(&signer, 1);
        assert!(!one.take("packages", Some(altered(&artefact).as_bytes())) && one.fetched.borrow().is_none());
        assert!(!one.take("packages", None) && !one.take("packages", Some(b"")));
        assert!(
            !one.take("packages", Some(signer.pack(&service, "az1", 1, "{}").as_bytes())),
            "signed, and no software"
        );
        assert!(one.take("packages", Some(artefact.as_bytes())));
        let fetched = one.fetched.take().expect("it was taken");
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("host/quota.artefact");
        assert!(kept(&path, &one)?.is_none(), "there is none yet");
        keep(&path, &fetched.bytes)?;
        assert_eq!(kept(&path, &one)?, Some(fetched.software));
        assert!(kept(&path, &order(&signer, 2))?.is_none(), "a later one is to be run");
        assert!(kept(&path, &order(&Signer::of(b"theirs"), 1))?.is_none());
        std::fs::write(&path, altered(&artefact))?;
        assert!(kept(&path, &one)?.is_none(), "what was changed on the disk is not run");
        Ok(())
    }
}
