//! Owns `blackstart import`: reads the files and those that they name, and writes what `fixtures::import` makes of them.
//! Refuses to understand any of it.

use super::print;
use crate::cli::{ImportArgs, ImportCommand};
use crate::load::BadInput;
use anyhow::{Context, Result};
use fixtures::diagnostic::{Diagnostic, Source, render};
use fixtures::import::{self, Asked, Failed, Files, Imported, Kind};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A file that another one names is no larger.
const NAMED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A file of traces is no larger.
const TRACES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Writes topology, graph, first game days and the page of what was left.
///
/// # Errors
/// Bad input, whole; a folder that cannot be written.
pub fn run(command: &ImportCommand, color: bool) -> Result<u8> {
    let nothing: (&[String], Option<&Path>) = (&[], None);
    let (kind, common, (profiles, env_file)) = match command {
        ImportCommand::Compose { common, profiles, env_file } => {
            (Kind::Compose, common, (profiles.as_slice(), env_file.as_deref()))
        }
        ImportCommand::Kubernetes { common } => (Kind::Kubernetes, common, nothing),
        ImportCommand::Traces { common } => (Kind::Traces, common, nothing),
    };
    let most = if kind == Kind::Traces { TRACES_BYTES_MAX } else { NAMED_BYTES_MAX };
    let sources = all(&common.files, most)?;
    let observed = all(&common.observed, TRACES_BYTES_MAX)?;
    let folder = common.files.first().and_then(|file| file.parent()).unwrap_or(Path::new("")).to_path_buf();
    let asked = Asked {
        name: common.name.clone(),
        folder: named_after(&folder, &common.files),
        mock: common.mock,
        entry: common.entry.clone(),
        profiles: profiles.to_vec(),
        variables: variables(kind, env_file, &folder)?,
        placement: placement(common.placement.as_deref(), color)?,
        command: command_line(kind, common),
    };
    let mut read = |path: &str| beside(&folder, path);
    let imported = import::import(kind, Files::new(sources, &mut read), observed, &asked);
    let imported = imported.map_err(|Failed { diagnostics, sources }| told(&diagnostics, &sources, color))?;
    write(&imported, &common.out)?;
    print(&format!("{}\n{}", imported.page.trim_end(), next(&imported, common)))?;
    Ok(crate::exit::OK)
}

fn told(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> BadInput {
    BadInput { text: render(diagnostics, sources, color) }
}

fn all(paths: &[PathBuf], most: u64) -> Result<Vec<Source>, BadInput> {
    let (mut sources, mut problems) = (Vec::new(), String::new());
    for path in paths {
        match text(path, most) {
            Ok(text) => sources.push(Source { name: path.display().to_string(), text }),
            Err(why) => problems += &format!("error: {} {why}\n", path.display()),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(BadInput { text: problems }) }
}

/// The text of a file that is a file, not too large, and text.
fn text(path: &Path, most: u64) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let about = std::fs::metadata(path).map_err(cannot)?;
    if !about.is_file() {
        return Err("is no file".to_owned());
    }
    if about.len() > most {
        return Err(format!("is larger than {} MiB", most / 1024 / 1024));
    }
    String::from_utf8(std::fs::read(path).map_err(cannot)?).map_err(|_| "is no text (UTF-8)".to_owned())
}

/// A file that an imported one names: beside it or below, and nowhere else. An import of somebody else's file must not
/// copy this machine's secrets into a graph.
fn beside(folder: &Path, path: &str) -> Result<String, String> {
    let relative = Path::new(path);
    let leaves = relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    let told = |why: String| format!("{path} {why}");
    if leaves {
        return Err(told("lies outside the folder of the file, and is not read".to_owned()));
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let found = here.join(relative);
    let inside = match (found.canonicalize(), here.canonicalize()) {
        (Ok(found), Ok(here)) => found.starts_with(here),
        (Err(error), _) | (_, Err(error)) => return Err(told(format!("cannot be read: {error}"))),
    };
    if !inside {
        return Err(told("leads outside the folder of the file, and is not read".to_owned()));
    }
    text(&found, NAMED_BYTES_MAX).map_err(told)
}

/// What the graph is called where nobody says it: as the folder, or as the file where that has no name.
fn named_after(folder: &Path, files: &[PathBuf]) -> String {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = here.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let file = || files.first().and_then(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
    folder.or_else(file).unwrap_or_else(|| "imported".to_owned())
}

fn variables(kind: Kind, file: Option<&Path>, folder: &Path) -> Result<BTreeMap<String, String>, BadInput> {
    let path = match file {
        Some(path) => path.to_path_buf(),
        None if kind == Kind::Compose && folder.join(".env").is_file() => folder.join(".env"),
        None => return Ok(BTreeMap::new()),
    };
    let text = text(&path, NAMED_BYTES_MAX);
    let text = text.map_err(|why| BadInput { text: format!("error: {} {why}\n", path.display()) })?;
    Ok(import::variables(&text))
}

fn placement(path: Option<&Path>, color: bool) -> Result<Vec<import::PlacementLine>, BadInput> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let name = path.display().to_string();
    let text = text(path, NAMED_BYTES_MAX);
    let text = text.map_err(|why| BadInput { text: format!("error: {name} {why}\n") })?;
    import::placement(&name, &text).map_err(|found| told(&found, &[Source { name, text }], color))
}

/// The command as it could be typed again, with the names of files and without the folders of this machine.
fn command_line(kind: Kind, common: &ImportArgs) -> String {
    let word = match kind {
        Kind::Compose => "compose",
        Kind::Kubernetes => "kubernetes",
        Kind::Traces => "traces",
    };
    let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut line = vec!["blackstart import".to_owned(), word.to_owned()];
    line.extend(common.files.iter().map(name));
    if common.mock {
        line.push("--mock".to_owned());
    }
    line.extend(common.entry.iter().map(|entry| format!("--entry {entry}")));
    line.extend(common.observed.iter().map(|path| format!("--observed {}", name(path))));
    line.extend(common.placement.iter().map(|path| format!("--placement {}", name(path))));
    line.join(" ")
}

fn write(imported: &Imported, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    for (file, text) in &imported.files {
        let path = out.join(file);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// What to type next.
fn next(imported: &Imported, common: &ImportArgs) -> String {
    let path = |file: &String| common.out.join(file).display().to_string();
    let files: Vec<&str> = imported.files.iter().map(|(file, _)| file.as_str()).collect();
    let mut text = format!("\nfiles in {}: {}\n", common.out.display(), files.join(", "));
    if let Some(first) = imported.scenarios.first() {
        let world = if common.mock { " --world sim" } else { "" };
        text += &format!("next: blackstart check {0}\n      blackstart run {0}{world}\n", path(first));
    }
    text
}
