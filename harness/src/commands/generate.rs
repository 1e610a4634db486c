//! Owns `blackstart generate`: writes a region drawn from published statistics, with its labels.

use super::print;
use crate::cli::GenerateArgs;
use crate::load::BadInput;
use anyhow::{Context, Result};
use fixtures::generate::{REGIONS_MAX, SERVICES_MIN, Spec, ZONES_MAX, ZONES_MIN, generate};
use fixtures::placement::Placement;

/// Writes topology, graph and labels into a folder.
///
/// # Errors
/// Bad input; a folder that cannot be written.
pub fn run(args: &GenerateArgs) -> Result<u8> {
    let GenerateArgs { services, regions, zones, seed, out, name, copies, instances_per_host, startup_cycle } = args;
    let zones_fit = (ZONES_MIN..=ZONES_MAX).contains(zones);
    let regions_fit = (1..=REGIONS_MAX).contains(regions);
    if *services < SERVICES_MIN || !zones_fit || !regions_fit || *copies == 0 {
        let text = format!(
            "error: a region has at least {SERVICES_MIN} services, {ZONES_MIN} to {ZONES_MAX} zones and one instance of \
             each service in a zone; a partition has 1 to {REGIONS_MAX} regions\nhelp: blackstart generate --services 300 --zones 3 --seed 1 --out DIR\n"
        );
        return Err(BadInput { text }.into());
    }
    let name = name.clone().unwrap_or_else(|| format!("generated-{services}"));
    let spec = Spec {
        name: name.clone(),
        services: *services,
        regions: *regions,
        zones: *zones,
        copies: *copies,
        per_host: *instances_per_host,
        startup_cycle: *startup_cycle,
        seed: *seed,
    };
    let made = generate(&spec).map_err(|error| BadInput { text: format!("error: {error}\n") })?;
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let mut flags = if *regions > 1 { format!(" --regions {regions}") } else { String::new() };
    flags += if *startup_cycle { " --startup-cycle" } else { "" };
    let comment = format!(
        "Drawn from published statistics of real service graphs; it stands for no real system. Made by:\nblackstart \
         generate --services {services} --zones {zones} --seed {seed} --copies {copies} --instances-per-host \
         {instances_per_host} --name {name}{flags}"
    );
    let files = [
        (format!("{name}.toml"), fixtures::write::graph(&made.graph, &comment)),
        (format!("{name}-zones.toml"), fixtures::write::topology(&made.topology, &comment)),
        (format!("{name}-labels.json"), serde_json::to_string_pretty(&made.labels)? + "\n"),
    ];
    for (file, text) in &files {
        let path = out.join(file);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let placement = Placement::new(&made.topology, &made.graph);
    let calls: usize = made.graph.services.iter().map(|service| service.calls.len()).sum();
    print(&format!(
        "{name}: {} services, {calls} calls, {} call circles; {} instances on {} hosts\nfiles: {}",
        made.graph.services.len(),
        made.labels.call_cycles.len(),
        placement.instances.len(),
        placement.hosts.len(),
        out.display()
    ))?;
    Ok(crate::exit::OK)
}
