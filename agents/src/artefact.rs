//! Owns an artefact: the software of a service as a package repository gives it out, with what is signed about it. Packing,
//! signing, verifying; every reason to refuse one. Refuses to know what the payload says, where artefacts are kept and how they
//! travel.
//!
//! ```text
//! blackstart-artefact 1
//! {"service":"quota","edition":"eu-test-7-az1","version":1,"sha256":"…","bytes":1734}
//! signature of the line above (Ed25519, hexadecimal digits)
//! payload
//! ```
//!
//! The line is what is signed, byte for byte, and has the hash of the payload. Nothing of it is read before its signature is
//! verified, and nothing of the payload before its hash is. Digits are small letters, so that nothing has two spellings.

use fixtures::name::ServiceName;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// How every artefact begins.
const MAGIC: &str = "blackstart-artefact 1\n";
/// The largest artefact that anybody takes, in bytes.
pub const ARTEFACT_BYTES_MAX: usize = 1 << 20;

/// What is signed of an artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Whose software it is.
    pub service: ServiceName,
    /// For where it was made: the endpoints of one zone are in it.
    pub edition: String,
    /// The later one of two has the higher number.
    pub version: u64,
    /// SHA-256 of the payload, in hexadecimal digits.
    pub sha256: String,
    /// Length of the payload, in bytes.
    pub bytes: u64,
}

/// What a host is to run, as whoever provisioned it told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Whose software.
    pub service: ServiceName,
    /// For where.
    pub edition: String,
    /// The lowest version that will do: an old artefact is signed as well.
    pub version: u64,
    /// The public key of whoever signs, in hexadecimal digits.
    pub signer: String,
}

/// An artefact that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What is signed of it.
    pub manifest: Manifest,
    /// The payload.
    pub payload: String,
}

/// Why an artefact is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody reads as much.
    #[error("it is larger than {ARTEFACT_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no artefact.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// Somebody else signed it, or it was changed since.
    #[error("its signature is not that of whoever signs for this region")]
    WrongSignature,
    /// It is something else.
    #[error("it is `{is}`, and `{wanted}` was asked for")]
    Other {
        /// What it is.
        is: String,
        /// What was asked for.
        wanted: String,
    },
    /// It was replaced by a later one.
    #[error("it is version {is}, and {wanted} is to be run")]
    Older {
        /// Its version.
        is: u64,
        /// The lowest that will do.
        wanted: u64,
    },
    /// The payload was changed since it was signed.
    #[error("its payload does not have the hash that was signed")]
    WrongHash,
}

/// Whoever signs artefacts.
#[derive(Debug)]
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// The key that follows from a secret: the same one from the same secret.
    ///
    /// # Panics
    /// Never: any 32 bytes are a key.
    pub fn of(secret: &[u8]) -> Self {
        let seed = digest(&SHA256, secret);
        Self(Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).expect("any 32 bytes are a seed"))
    }

    /// Its public key, in hexadecimal digits.
    pub fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// Packs a payload and signs it.
    ///
    /// # Panics
    /// Never: a manifest has text keys and no serialiser of its own.
    pub fn pack(&self, service: &ServiceName, edition: &str, version: u64, payload: &str) -> String {
        let (service, edition, bytes) = (service.clone(), edition.to_owned(), payload.len() as u64);
        let manifest = Manifest { service, edition, version, sha256: sha256(payload), bytes };
        let line = serde_json::to_string(&manifest).expect("a manifest is a plain tree of texts and numbers");
        let signature = hex(self.0.sign(signed(&line).as_bytes()).as_ref());
        format!("{MAGIC}{line}\n{signature}\n{payload}")
    }
}

impl Expected {
    /// The name under which a repository has it: `quota@eu-test-7-az1`.
    pub fn name(&self) -> String {
        name(&self.service, &self.edition)
    }

    /// Verifies an artefact.
    ///
    /// # Errors
    /// Where it is anything else than what is to be run.
    pub fn open(&self, artefact: &[u8]) -> Result<Opened, Refusal> {
        if artefact.len() > ARTEFACT_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let text = std::str::from_utf8(artefact).map_err(|_| Refusal::Damaged("it is no text"))?;
        let rest = text.strip_prefix(MAGIC).ok_or(Refusal::Damaged("it does not begin as one"))?;
        let (line, rest) = rest.split_once('\n').ok_or(Refusal::Damaged("it ends too early"))?;
        let (signature, payload) = rest.split_once('\n').ok_or(Refusal::Damaged("it ends too early"))?;
        let key = unhex(&self.signer).ok_or(Refusal::WrongSignature)?;
        let signature = unhex(signature).ok_or(Refusal::Damaged("its signature is no number"))?;
        let verified = UnparsedPublicKey::new(&ED25519, key).verify(signed(line).as_bytes(), &signature);
        verified.map_err(|_| Refusal::WrongSignature)?;
        let manifest: Manifest =
            serde_json::from_str(line).map_err(|_| Refusal::Damaged("what is signed of it is not understood"))?;
        let (is, wanted) = (name(&manifest.service, &manifest.edition), self.name());
        if is != wanted {
            return Err(Refusal::Other { is, wanted });
        }
        if manifest.version < self.version {
            return Err(Refusal::Older { is: manifest.version, wanted: self.version });
        }
        if manifest.bytes != payload.len() as u64 || manifest.sha256 != sha256(payload) {
            return Err(Refusal::WrongHash);
        }
        Ok(Opened { manifest, payload: payload.to_owned() })
    }
}

/// The same artefact with another payload than the one that was signed: one digit differs, and it would run.
pub fn altered(artefact: &str) -> String {
    let from = artefact.match_indices('\n').nth(2).map_or(0, |(at, _)| at + 1);
    let (head, payload) = artefact.split_at(from);
    match payload.find(|one: char| one.is_ascii_digit()) {
        Some(at) => {
            let digit = if payload[at..].starts_with('9') { "1" } else { "9" };
            format!("{head}{}{digit}{}", &payload[..at], &payload[at + 1..])
        }
        None => format!("{head}{payload} "),
    }
}

fn name(service: &ServiceName, edition: &str) -> String {
    format!("{service}@{edition}")
}

/// What is signed: nothing else that this key signs begins so.
fn signed(line: &str) -> String {
    format!("{MAGIC}{line}")
}

fn sha256(payload: &str) -> String {
    hex(digest(&SHA256, payload.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Small letters alone: what has two spellings could be changed without anybody seeing it.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |one: u8| match one {
        b'0'..=b'9' => Some(one - b'0'),
        b'a'..=b'f' => Some(one - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}
