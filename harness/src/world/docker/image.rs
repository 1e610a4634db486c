//! Owns the image: a tar made in memory out of an executable of ours and, where it is not static, its loader and
//! libraries. No registry, no base image, no second build. Refuses to talk to the engine.

use crate::hand::HOST_UID;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the executable is in the image.
pub const EXECUTABLE: &str = "/blackstart";
/// Where its libraries are; every container's environment points the loader there.
const LIBRARIES: &str = "lib";
/// Where hosts keep their state; it is theirs, and so is a volume that is first mounted there.
const STATE: &str = "state";
/// Folders that mounts need, since the root is read-only.
///
/// A folder comes before what is in it: one that the engine has to make up is closed to the hosts' user where the engine
/// runs without root.
const FOLDERS: [&str; 9] = ["proc", "sys", "dev", "etc", "tmp", "run", "run/blackstart", STATE, LIBRARIES];

/// Builds the image's root folder as a tar.
///
/// # Errors
/// Where the executable cannot be read, or is not one that can run on the engine's machine.
pub fn build(agent: Option<&Path>, engine_architecture: &str) -> Result<Vec<u8>> {
    let own = std::env::current_exe().context("this program's own file cannot be found")?;
    let path = agent.unwrap_or(&own);
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let elf = Elf::parse(&bytes).filter(|elf| elf.machine == engine_architecture);
    let Some(elf) = elf else {
        bail!(
            "{} is no Linux executable for {engine_architecture}, which the engine's machine needs.\nGive one with \
             --agent FILE; to make it, on any machine with Rust:\n  rustup target add {engine_architecture}-unknown-linux-gnu\n  \
             RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target \
             {engine_architecture}-unknown-linux-gnu\nor name an image that has it at {EXECUTABLE} with --agent-image NAME",
            path.display()
        );
    };
    let mut archive = tar::Builder::new(Vec::with_capacity(bytes.len() + 8 * 1024 * 1024));
    for folder in FOLDERS {
        append(&mut archive, tar::EntryType::Directory, folder, &[])?;
    }
    if let Some(interpreter) = elf.interpreter {
        if agent.is_some() {
            bail!(
                "{} needs shared libraries of the machine that built it; an executable given with --agent must be \
                 static (RUSTFLAGS='-C target-feature=+crt-static' and an explicit --target)",
                path.display()
            );
        }
        append_libraries(&mut archive, &interpreter)?;
    }
    append(&mut archive, tar::EntryType::Regular, EXECUTABLE.trim_start_matches('/'), &bytes)?;
    archive.into_inner().context("the image could not be made")
}

/// Our executable runs in images that are not ours, with their libraries: it must need none.
///
/// # Errors
/// Where it needs some.
pub fn must_be_static(agent: Option<&Path>) -> Result<()> {
    let own = std::env::current_exe().context("this program's own file cannot be found")?;
    let path = agent.unwrap_or(&own);
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if Elf::parse(&bytes).is_some_and(|elf| elf.interpreter.is_some()) {
        bail!(
            "{} needs shared libraries, and real software has others: build it static (from a clone, `cargo build \
             --release`; its .cargo/config.toml says how), or name one that is with --agent FILE",
            path.display()
        )
    }
    Ok(())
}

fn append_libraries(archive: &mut tar::Builder<Vec<u8>>, interpreter: &str) -> Result<()> {
    let loader = std::fs::read(interpreter).with_context(|| format!("the loader {interpreter} cannot be read"))?;
    let path = interpreter.trim_start_matches('/');
    if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| *folder != LIBRARIES) {
        append(archive, tar::EntryType::Directory, folder, &[])?;
    }
    append(archive, tar::EntryType::Regular, path, &loader)?;
    for library in mapped_libraries()? {
        let bytes = std::fs::read(&library).with_context(|| format!("{} cannot be read", library.display()))?;
        let name = library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        append(archive, tar::EntryType::Regular, &format!("{LIBRARIES}/{name}"), &bytes)?;
    }
    Ok(())
}

/// The shared libraries that this very process runs on, as the loader found them.
fn mapped_libraries() -> Result<BTreeSet<PathBuf>> {
    let maps = std::fs::read_to_string("/proc/self/maps").context("this program's libraries cannot be listed")?;
    let paths = maps.lines().filter_map(|line| line.split_ascii_whitespace().nth(5));
    let libraries = paths.filter(|path| path.starts_with('/') && path.contains(".so"));
    Ok(libraries.map(PathBuf::from).collect())
}

fn append(archive: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, path: &str, bytes: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    if path == STATE {
        header.set_uid(HOST_UID.into());
        header.set_gid(HOST_UID.into());
    }
    header.set_size(bytes.len() as u64);
    // No times, no owners: the same executable gives the same image.
    header.set_mtime(0);
    archive.append_data(&mut header, path, bytes).with_context(|| format!("{path} could not be put into the image"))
}

/// What must be known of an executable.
#[derive(Debug, PartialEq, Eq)]
struct Elf {
    /// As the engine names it.
    machine: &'static str,
    /// The loader, where it is not static.
    interpreter: Option<String>,
}

impl Elf {
    /// Reads the header of a 64-bit little-endian ELF file (System V ABI, chapters 4 and 5).
    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..6)? != [0x7f, b'E', b'L', b'F', 2, 1] {
            return None;
        }
        let number = |at: usize, size: usize| {
            let field = bytes.get(at..at.checked_add(size)?)?;
            Some(field.iter().rev().fold(0_usize, |value, &byte| (value << 8) | usize::from(byte)))
        };
        let machine = match number(18, 2)? {
            62 => "x86_64",
            183 => "aarch64",
            _ => return None,
        };
        let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        let mut interpreter = None;
        for index in 0..count {
            let header = table.checked_add(index * size)?;
            if number(header, 4)? == 3 {
                let (offset, length) = (number(header + 8, 8)?, number(header + 32, 8)?);
                let text = bytes.get(offset..offset.checked_add(length)?)?;
                interpreter = Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
            }
        }
        Some(Self { machine, interpreter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_executable_is_refused_with_the_way_to_make_one() {
        let own = std::env::current_exe().expect("a test has a file");
        assert!(build(None, std::env::consts::ARCH).is_ok());
        let error = build(Some(Path::new("/etc/passwd")), "x86_64").expect_err("a text file is no executable");
        assert!(error.to_string().contains("--agent-image"), "{error}");
        let other = if std::env::consts::ARCH == "x86_64" { "aarch64" } else { "x86_64" };
        assert!(build(Some(&own), other).is_err());
    }

    #[test]
    fn a_cut_off_executable_is_refused_and_does_no_harm() {
        let bytes = std::fs::read(std::env::current_exe().expect("a test has a file")).expect("it can be read");
        let whole = Elf::parse(&bytes).expect("a test is an executable");
        assert_eq!(whole.machine, std::env::consts::ARCH);
        for cut in 0..200.min(bytes.len()) {
            let _none_or_some = Elf::parse(&bytes[..cut]);
        }
    }
}
