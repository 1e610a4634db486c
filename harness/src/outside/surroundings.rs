//! Owns what a command from outside is told of the run: variables, and files in the run's folder. Refuses to know how a region
//! comes to its addresses.

use crate::doors::Doors;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The files, in the run's folder.
const DOORS: &str = "doors.json";
const ROOT: &str = "root.pem";

/// Variables of the command; what they name is written first.
///
/// # Errors
/// Where a file cannot be written.
pub(super) fn put(doors: &Doors, run: &str, folder: &Path) -> Result<Vec<(String, String)>> {
    // A command may go elsewhere before it looks.
    let folder = folder.canonicalize().with_context(|| format!("{} is gone", folder.display()))?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path.display().to_string())
    };
    let written = serde_json::to_string_pretty(&doors.doors).context("doors cannot be written down")? + "\n";
    let mut variables = vec![
        ("BLACKSTART_RUN_ID".to_owned(), run.to_owned()),
        ("BLACKSTART_FOLDER".to_owned(), folder.display().to_string()),
        ("BLACKSTART_DOORS".to_owned(), file(DOORS, &written)?),
    ];
    if let Some(root) = &doors.root {
        variables.push(("BLACKSTART_ROOT".to_owned(), file(ROOT, root)?));
    }
    let mut at: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for door in &doors.doors {
        at.entry(variable(door.service.as_str())).or_default().push(door.address.to_string());
    }
    variables.extend(at.into_iter().map(|(name, addresses)| (name, addresses.join(","))));
    Ok(variables)
}

/// A shell knows no hyphens in names.
fn variable(service: &str) -> String {
    format!("BLACKSTART_AT_{}", service.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doors::Door;
    use fixtures::name::{InstanceName, ServiceName, ZoneName};

    #[test]
    fn every_service_is_told_with_all_of_its_addresses() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let door = |zone: &str, address: &str| -> Result<Door> {
            let (service, instance) = (ServiceName::new("table-store")?, InstanceName(format!("table-store-{zone}")));
            let name = "table-store.r1.example".to_owned();
            Ok(Door { service, instance, zone: ZoneName::new(zone)?, name, address: address.parse()? })
        };
        let doors = vec![door("az1", "10.0.1.2:8000")?, door("az2", "10.0.2.2:8000")?];
        let told = put(&Doors { doors, root: Some("a root".to_owned()) }, "r", folder.path())?;
        let told: BTreeMap<_, _> = told.into_iter().collect();
        assert_eq!(told["BLACKSTART_AT_TABLE_STORE"], "10.0.1.2:8000,10.0.2.2:8000");
        assert_eq!(std::fs::read_to_string(&told["BLACKSTART_ROOT"])?, "a root");
        let written: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&told["BLACKSTART_DOORS"])?)?;
        assert_eq!(written[1]["zone"], "az2");
        Ok(())
    }
}
