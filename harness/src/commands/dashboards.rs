//! Owns `blackstart dashboards`: writes what a monitoring system takes into a folder. Refuses to know what is in it.

use super::print;
use crate::cli::DashboardsArgs;
use crate::dashboards;
use anyhow::{Context, Result};

/// Writes the files, and says where.
///
/// # Errors
/// A folder that cannot be written.
pub fn run(args: &DashboardsArgs) -> Result<u8> {
    let told = || format!("{} cannot be written; name another folder with --out", args.out.display());
    std::fs::create_dir_all(&args.out).with_context(told)?;
    for (name, text) in dashboards::files(&args.runbooks) {
        let path = args.out.join(name);
        std::fs::write(&path, text).with_context(told)?;
        print(&path.display().to_string())?;
    }
    Ok(crate::exit::OK)
}
