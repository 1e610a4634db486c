//! Owns `blackstart ops-review`: one document on a week of runs. Refuses to judge a run again.

use super::print;
use crate::cli::OpsReviewArgs;
use crate::load;
use anyhow::{Context, Result};
use reports::page::Page;
use reports::week::Week;
use std::path::{Path, PathBuf};

/// Writes the review, and says where.
///
/// # Errors
/// Bad input: no such folder of runs, a policy that cannot be read. A file that cannot be written.
pub fn run(args: &OpsReviewArgs, color: bool) -> Result<u8> {
    let policy = load::policy(args.policy.as_deref(), color)?;
    let history = super::history::open(&args.runs)?;
    let today = crate::clock::today();
    let week = args.week.unwrap_or_else(|| Week::of(today).before());
    let page = reports::ops_review::review(&history.all()?, week, &policy, today);
    print(&told(&write(&args.out, &format!("ops-review-{week}"), &page)?))?;
    Ok(crate::exit::OK)
}

/// Writes a page in both forms.
///
/// # Errors
/// Where the folder cannot be written.
pub(super) fn write(folder: &Path, name: &str, page: &Page) -> Result<Vec<PathBuf>> {
    let told = |path: &Path| format!("{} cannot be written; name another folder with --out", path.display());
    std::fs::create_dir_all(folder).with_context(|| told(folder))?;
    let mut paths = Vec::new();
    for (ending, text) in [("md", page.markdown()), ("html", page.html())] {
        let path = folder.join(format!("{name}.{ending}"));
        std::fs::write(&path, text).with_context(|| told(&path))?;
        paths.push(path);
    }
    Ok(paths)
}

/// Where files were written.
pub(super) fn told(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("{}\n", path.display())).collect()
}
