//! Owns the figures of builds in virtual time: how long a region of 24 and of 300 services takes to build, in real and in
//! virtual time. Refuses to judge them.

use anyhow::{Context, Result, anyhow};
use fixtures::load::load_graph;
use fixtures::name::RegionName;
use harness::building::{Spec, build};
use std::io::Write;
use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    for name in ["run-instances", "run-instances-300"] {
        let source = fixtures::builtin::graph(name).context("it is built in")?;
        let (graph, _) = load_graph(&source).map_err(|_| anyhow!("{name} is wrong"))?;
        let spec = Spec::new(graph, RegionName::new("old-1")?, RegionName::new("new-1")?, 1);
        let began = Instant::now();
        let built = build(&spec)?;
        let took = began.elapsed();
        let virtual_s = built.events.last().map_or(0, |event| event.t_ns) / 1_000_000_000;
        writeln!(
            out,
            "{name:<20} {} services, {} instances: {:.1} s ({virtual_s} s of virtual time, {} inputs, {} events): {:?}, {}",
            built.estate.graph.services.len(),
            built.estate.placement.instances.len(),
            took.as_secs_f64(),
            built.handed,
            built.events.len(),
            built.ending,
            built.judged.verdict.word(),
        )?;
    }
    Ok(())
}
