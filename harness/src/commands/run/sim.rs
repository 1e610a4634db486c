//! Owns a game day in virtual time. Refuses to know what the command line was.

use super::record::Facts;
use super::{Day, Left};
use crate::clock::{self, Clock};
use crate::controller::Controller;
use crate::journal::Journal;
use crate::live::tui::Signals;
use crate::load::Loaded;
use crate::world::sim::costs::{Costs, SHARING_MAX};
use crate::world::sim::{Parts, SimWorld, course};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Day<'_> {
    pub(super) fn hold_in_sim(mut self) -> Result<Left> {
        let clock = Arc::new(Clock::standing());
        let run = self.args.tied_as.clone().unwrap_or_else(clock::run_id);
        let seed = self.args.seed.unwrap_or_else(clock::fresh_seed);
        self.loaded.plan = scenarios::plan::plan(&self.loaded.scenario, &self.loaded.placement, seed);
        // Who looks on sees lines when they are on the disk.
        let create = if self.watchers.any() { Journal::create } else { Journal::create_buffered };
        let mut journal = create(&self.args.out, &run, Arc::clone(&clock))?;
        let terminal = self.terminal();
        let Loaded { scenario, topology, graph, placement, plan, .. } = &self.loaded;
        terminal.say(&format!("{}: {}", scenario.name, scenario.title));
        terminal.say(&format!("run {run}, seed {seed}, world sim (virtual time)\n"));
        let about = self.about(&run, "sim", seed);
        let mut watch = self.watchers.begin(about, &self.case(), journal.folder(), Signals::Nobody)?;
        let costs = Costs::calibrated().context("the calibration that was compiled in is damaged")?;
        let traffic = &scenario.traffic;
        let parts = Parts { topology, graph, placement, traffic, gathered: scenario.gathered(), seed, costs };
        let mut world = SimWorld::new(&parts);
        // A region in virtual time ends with the process: there is nothing to keep.
        let mut controller = Controller::new(scenario.clone(), plan.clone(), placement.clone(), false);
        let ending = course::run(&mut controller, &mut world, |entry| {
            let course::Entry { t_ns, by, place, detail } = entry;
            terminal.event(journal.write(t_ns, by, place, detail, false)?);
            Ok(())
        })?;
        watch.give_back_terminal();
        let facts = Facts {
            world: "sim",
            versions: BTreeMap::new(),
            rights: BTreeMap::new(),
            addresses: world.addresses(),
            measured: measured(&parts.costs, placement.instances.len()),
            said: Vec::new(),
        };
        let record = self.record(&run, seed, &clock, facts, &journal);
        self.leave(record, &mut journal, &ending)
    }
}

/// What the simulated times lean on.
fn measured(costs: &Costs, instances: usize) -> BTreeMap<String, String> {
    let ms = |ns: u64| format!("{}.{:03}ms", ns / 1_000_000, ns / 1_000 % 1_000);
    let cores = if instances > SHARING_MAX { "one for each host".to_owned() } else { costs.cores.to_string() };
    let rows = [
        ("sim.source", costs.source.clone()),
        ("sim.cores", cores),
        ("sim.start", ms(costs.start_ns)),
        ("sim.message", ms(costs.message_ns)),
        ("sim.handshake", ms(costs.handshake_ns)),
        (
            "sim.outside",
            format!("{}.{:03} of what hosts use", costs.outside_milli / 1_000, costs.outside_milli % 1_000),
        ),
        ("sim.latency", ms(costs.latency_ns)),
        ("sim.sync", ms(costs.sync_ns)),
    ];
    rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
