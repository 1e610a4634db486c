//! Owns one workload in two simulators: so many hosts, each of which calls one other every 100 ms. Refuses to choose
//! which is better: it counts requests a second of wall time.
//!
//! Half of our hosts carry an instance of a front, which calls a peer on one of the others; that peer calls another peer.
//! So each host calls one other every 100 ms, as there. Ours carries more than those: a customer beside each front sets it
//! off and asks a control as often, and the witness looks at everybody; the event log is written. Both are told: calls from
//! host to host, which are the whole workload there, and all requests but the witness's.

use super::{Log, now};
use fixtures::graph::{Backoff, Call, Entry, Graph, Reach, Routing, Scope, Service, Strength};
use fixtures::name::{
    GraphName, OperationName, PartitionName, RegionName, ServiceName, TeamName, TopologyName, ZoneName,
};
use fixtures::placement::Placement;
use fixtures::topology::{BootTime, Latencies, Region, Topology, Zone, ZoneKind};
use fixtures::unit::Rate;
use harness::controller::{Do, Done, Input};
use harness::world::World;
use harness::world::sim::costs::Costs;
use harness::world::sim::{Parts, SimWorld};
use scenarios::customers::Traffic;
use scenarios::event::Detail;
use scenarios::scenario::Gathered;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Between two calls of a host.
const EVERY: Duration = Duration::from_millis(100);
/// One way between two hosts.
const LATENCY: Duration = Duration::from_micros(500);
const PORT: u16 = 8_000;

/// Requests, and how long they took on the wall.
pub(crate) struct Carried {
    /// From host to host.
    calls: u64,
    /// Of customers beside them.
    others: u64,
    seconds: f64,
}

impl Carried {
    /// Calls from host to host, a second of wall time.
    pub(crate) fn calls_a_second(&self) -> f64 {
        self.calls as f64 / self.seconds
    }

    /// All requests, a second of wall time.
    pub(crate) fn all_a_second(&self) -> f64 {
        (self.calls + self.others) as f64 / self.seconds
    }
}

/// In our simulator, for so many seconds of virtual time.
pub(crate) fn ours(hosts: usize, virtual_s: u64) -> anyhow::Result<Carried> {
    let (topology, graph) = (topology(hosts)?, graph()?);
    let placement = Placement::new(&topology, &graph);
    let rate = Rate { milli_per_s: 1_000_000 / u64::try_from(EVERY.as_millis())? };
    let traffic = Traffic::plain(rate, Rate { milli_per_s: 1 }, Duration::from_secs(2));
    let begun = now();
    let costs = Costs::calibrated()?;
    let parts = Parts {
        topology: &topology,
        graph: &graph,
        placement: &placement,
        traffic: &traffic,
        gathered: Gathered::default(),
        seed: 7,
        costs,
    };
    let mut world = SimWorld::new(&parts);
    let (mut log, mut calls, mut others) = (Log::new()?, 0, 0);
    world.perform(Do::Provision);
    while let Some(input) = world.next(virtual_s * 1_000_000_000) {
        match input {
            Input::Done(Ok(Done::Provisioned)) => {
                world.perform(Do::PowerOn(placement.hosts.iter().map(|host| host.name.clone()).collect()));
            }
            Input::Probe { instance, report, .. } => log.probe(&placement, instance, report.life, world.now())?,
            Input::Seen { t_ns, by, place, detail } => {
                match &detail {
                    Detail::Call { sent, .. } => calls += sent,
                    Detail::Canary { sent, .. } => others += sent,
                    _ => {}
                }
                log.write(t_ns, by, place, detail)?;
            }
            _ => {}
        }
    }
    Ok(Carried { calls, others, seconds: begun.elapsed().as_secs_f64() })
}

/// A front, which calls a peer when its customer asks, and peers, which call another one of them when a front does.
fn graph() -> anyhow::Result<Graph> {
    let (front, peer) = (ServiceName::new("front")?, ServiceName::new("peer")?);
    let (serve, answer) = (OperationName::new("serve")?, OperationName::new("answer")?);
    let services = vec![
        service(&front, vec![serve.clone()], call(&peer, &serve, &serve)),
        service(&peer, vec![serve.clone(), answer.clone()], call(&peer, &answer, &serve)),
    ];
    let entry = Entry { service: front, operation: serve, peak: None };
    let (name, title) = (GraphName::new("peers")?, "Peers".to_owned());
    Ok(Graph { name, title, entry, names: None, identity: None, telemetry: None, scaler: None, services })
}

/// A call of an operation, made during another one.
fn call(to: &ServiceName, operation: &OperationName, during: &OperationName) -> Call {
    Call {
        to: to.clone(),
        operation: operation.clone(),
        during: vec![during.clone()],
        strength: Strength::Hard,
        timeout: Duration::from_millis(500),
        attempts: 1,
        backoff: Backoff { base: Duration::from_millis(10), cap: Duration::from_millis(100), jitter: true },
        breaker: None,
        routing: Routing::Spread,
        reach: Reach::Zone,
        carries_writes: false,
        fallback: false,
    }
}

fn service(name: &ServiceName, operations: Vec<OperationName>, call: Call) -> Service {
    let plain = Service::plain(name.clone(), TeamName::new("peers").expect("a name"), operations);
    Service { scope: Scope::Regional, calls: vec![call], ..plain }
}

/// A zone for two hosts, because each zone has one customer.
fn topology(hosts: usize) -> anyhow::Result<Topology> {
    let zone = |number: usize| -> anyhow::Result<Zone> {
        Ok(Zone { name: ZoneName::new(format!("z{number}"))?, kind: ZoneKind::Availability })
    };
    Ok(Topology {
        name: TopologyName::new("peers")?,
        partition: PartitionName::new("test")?,
        domain: "blackstart.test".to_owned(),
        regions: vec![Region {
            name: RegionName::new("r")?,
            zones: (0..hosts / 2).map(zone).collect::<Result<_, _>>()?,
        }],
        latencies: Latencies { default: 2 * LATENCY, pairs: BTreeMap::new() },
        boot: BootTime { min: Duration::from_millis(50), max: Duration::from_millis(250) },
        instances_per_host: 1,
    })
}

/// In turmoil, with a tick of a millisecond, over connections that are kept.
pub(crate) fn turmoil(hosts: usize, virtual_s: u64) -> anyhow::Result<Carried> {
    let begun = now();
    let requests = Arc::new(AtomicU64::new(0));
    let mut sim = turmoil::Builder::new()
        .tick_duration(Duration::from_millis(1))
        .simulation_duration(Duration::from_secs(virtual_s + 1))
        .min_message_latency(LATENCY)
        .max_message_latency(LATENCY)
        .build();
    for host in 0..hosts {
        let (requests, other) = (Arc::clone(&requests), format!("peer-{}", (host + 1) % hosts));
        sim.host(format!("peer-{host}"), move || {
            let (requests, other) = (Arc::clone(&requests), other.clone());
            async move {
                let listener = turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?;
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(answer(stream));
                    }
                });
                ask(&other, &requests).await?;
                Ok(())
            }
        });
    }
    for _tick in 0..virtual_s * 1_000 {
        sim.step().map_err(|error| anyhow::anyhow!("turmoil: {error}"))?;
    }
    let calls = requests.load(Ordering::Relaxed);
    Ok(Carried { calls, others: 0, seconds: begun.elapsed().as_secs_f64() })
}

/// Answers whatever is asked on a connection.
async fn answer(mut stream: turmoil::net::TcpStream) -> std::io::Result<()> {
    let mut message = [0; 64];
    loop {
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
    }
}

/// Asks another host again and again.
async fn ask(other: &str, requests: &AtomicU64) -> std::io::Result<()> {
    let mut interval = tokio::time::interval(EVERY);
    // The first moment is at once, when nobody listens yet.
    interval.tick().await;
    interval.tick().await;
    let mut stream = turmoil::net::TcpStream::connect((other, PORT)).await?;
    let mut message = [7; 64];
    loop {
        interval.tick().await;
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        requests.fetch_add(1, Ordering::Relaxed);
    }
}
