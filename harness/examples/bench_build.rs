//! Owns the figures of builds in virtual time: how long a region of 24 and of 300 services takes to build, in real and in
//! virtual time. Fails where one is not open and held, or the large one takes longer than it may. Refuses to say why.

use anyhow::{Context, Result, anyhow, ensure};
use fixtures::load::load_graph;
use fixtures::name::RegionName;
use harness::builder::Ending;
use harness::building::{Spec, build};
use scenarios::verdict::Verdict;
use std::io::Write;
use std::time::{Duration, Instant};

/// The most that a region of 300 services may take on two cores.
const LIMIT: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let mut missed = Vec::new();
    for (name, limit) in [("run-instances", None), ("run-instances-300", Some(LIMIT))] {
        let source = fixtures::builtin::graph(name).context("it is built in")?;
        let (graph, _) = load_graph(&source).map_err(|_| anyhow!("{name} is wrong"))?;
        let spec = Spec::new(graph, RegionName::new("old-1")?, RegionName::new("new-1")?, 1);
        let began = Instant::now();
        let built = build(&spec)?;
        let took = began.elapsed();
        let virtual_s = built.events.last().map_or(0, |event| event.t_ns) / 1_000_000_000;
        writeln!(
            out,
            "{name:<20} {} services, {} instances: {:.1} s{} ({virtual_s} s of virtual time, {} inputs, {} events): {:?}, {}",
            built.estate.graph.services.len(),
            built.estate.placement.instances.len(),
            took.as_secs_f64(),
            limit.map(|limit| format!(" of {} s", limit.as_secs())).unwrap_or_default(),
            built.handed,
            built.events.len(),
            built.ending,
            built.judged.verdict.word(),
        )?;
        let is_built = built.ending == Ending::Completed && built.judged.verdict == Verdict::Held;
        if !is_built || limit.is_some_and(|limit| took > limit) {
            missed.push(name);
        }
    }
    ensure!(missed.is_empty(), "not built, or not in time: {}", missed.join(", "));
    Ok(())
}
