//! Owns the benchmark of network faults without `netem`: what was asked beside what was measured, the path's own cost,
//! and what the queue costs at rest and under load. In namespaces of its own; needs root and no engine. Refuses to
//! judge.
//!
//! `cargo run --profile ci --example bench_net` — the last figures are in `figures/bench-net.txt`.

#[path = "../tests/docker/net_lab.rs"]
#[allow(dead_code, reason = "the tests use more of the lab than the benchmark does")]
mod net_lab;

use harness::hand::protocol::{LinkAct, Shape};
use net_lab::{Host, Lab, back, inside, latency, there};

const REQUESTS: u64 = 1_000;
const A_SECOND: u64 = 200;

fn main() {
    if !inside(&[]) {
        return;
    }
    let lab = Lab::start();
    let [[a, _], [b, _]] = &lab.hosts;
    println!("{:<62} {:>9} {:>9}", "", "asked", "measured");
    overhead(&lab, a, b);
    latencies(&lab, a, b);
    losses(&lab, a, b);
    doubles_and_rates(&lab, a, b);
    costs(&lab, a, b);
    println!("{:<62} {:>9} {:>9}", "packets lost at our own buffers", "0", lab.net.overruns());
}

fn median(mut trips: Vec<u64>) -> f64 {
    trips.sort_unstable();
    trips.get(trips.len() / 2).copied().unwrap_or_default() as f64 / 1e6
}

fn row(what: &str, asked: f64, measured: f64) {
    println!("{what:<62} {asked:>9.3} {measured:>9.3}");
}

/// What the queue costs a round trip that it adds nothing to: both directions go through it.
fn overhead(lab: &Lab, a: &Host, b: &Host) {
    let without = median(a.round_trips(b, REQUESTS, A_SECOND));
    lab.net.set_base(vec![there(latency(0)), back(latency(0))]).expect("it is set");
    let with = median(a.round_trips(b, REQUESTS, A_SECOND));
    lab.net.set_base(Vec::new()).expect("it is unset");
    println!("{:<62} {:>9} {without:>9.3}", "round trip with rules and no fault, ms", "");
    println!("{:<62} {:>9} {with:>9.3}", "round trip through the queue twice, nothing added, ms", "");
    println!("{:<62} {:>9} {:>9.3}", "overhead of the queue, ms a round trip (under 0.3)", "", with - without);
}

fn latencies(lab: &Lab, a: &Host, b: &Host) {
    let usual = median(a.round_trips(b, 400, A_SECOND));
    for ms in [1, 5, 20, 100, 500] {
        lab.net.inject("slow", &[there(latency(ms))]).expect("it begins");
        let had = median(a.round_trips(b, REQUESTS, A_SECOND));
        lab.net.heal("slow").expect("it ends");
        row("added latency, one direction, ms (within 10 % or 2 ms)", ms as f64, had - usual);
    }
    let shape = Shape { latency_us: 50_000, jitter_us: 10_000, ..Shape::default() };
    lab.net.inject("jitter", &[there(LinkAct::Shape(shape))]).expect("it begins");
    let mut trips = a.round_trips(b, REQUESTS, A_SECOND);
    lab.net.heal("jitter").expect("it ends");
    trips.sort_unstable();
    let spread = (trips[trips.len() * 9 / 10] - trips[trips.len() / 10]) as f64 / 1e6;
    row("50 ms with 10 ms of jitter: between 10th and 90th percentile, ms", 16.0, spread);
}

fn losses(lab: &Lab, a: &Host, b: &Host) {
    for percent in [1.0, 15.0, 50.0] {
        let shape = Shape { loss_ppm: (percent * 1e4) as u32, ..Shape::default() };
        lab.net.inject("lossy", &[there(LinkAct::Shape(shape))]).expect("it begins");
        let came = a.datagrams(b, REQUESTS, A_SECOND);
        lab.net.heal("lossy").expect("it ends");
        row("loss, % (15 % within 1.5)", percent, 100.0 - came as f64 / REQUESTS as f64 * 100.0);
    }
}

fn doubles_and_rates(lab: &Lab, a: &Host, b: &Host) {
    let shape = Shape { duplicate_ppm: 200_000, ..Shape::default() };
    lab.net.inject("double", &[there(LinkAct::Shape(shape))]).expect("it begins");
    let came = a.datagrams(b, REQUESTS, A_SECOND);
    lab.net.heal("double").expect("it ends");
    row("doubled, %", 20.0, came as f64 / REQUESTS as f64 * 100.0 - 100.0);
    for mbit in [1_u64, 10, 100] {
        let shape = Shape { rate: mbit * 125_000, ..Shape::default() };
        lab.net.inject("narrow", &[there(LinkAct::Shape(shape))]).expect("it begins");
        let had = a.bulk(b, 5) * 8.0 / 1e6;
        lab.net.heal("narrow").expect("it ends");
        row("one stream at a bounded rate, Mbit/s with all headers", mbit as f64, had);
    }
    let free = a.bulk(b, 2) * 8.0 / 1e6;
    println!("{:<62} {:>9} {free:>9.0}", "one stream past the queue, Mbit/s", "");
    lab.net.set_base(vec![there(latency(0)), back(latency(0))]).expect("it is set");
    let through = a.bulk(b, 2) * 8.0 / 1e6;
    lab.net.set_base(Vec::new()).expect("it is unset");
    println!("{:<62} {:>9} {through:>9.0}", "one stream through the queue, nothing added, Mbit/s", "");
}

/// Processor time of the queue's thread in milliseconds, and the process's resident memory in MB.
fn used() -> (f64, f64) {
    let tasks = std::fs::read_dir("/proc/self/task").expect("it is there").flatten();
    let named = |name: &std::path::Path| std::fs::read_to_string(name.join("comm")).is_ok_and(|comm| comm == "queue\n");
    let queue = tasks.map(|task| task.path()).find(|path| named(path)).expect("the queue has a thread");
    // Nanoseconds on a processor come first.
    let spent = std::fs::read_to_string(queue.join("schedstat")).expect("it is there");
    let spent = spent.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default() / 1e6;
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let resident = resident.split_ascii_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    (spent, resident.unwrap_or_default() / 1024.0)
}

fn costs(lab: &Lab, a: &Host, b: &Host) {
    let told = |what: &str, value: f64| println!("{what:<62} {:>9} {value:>9.2}", "");
    lab.net.set_base(vec![there(latency(20)), back(latency(20))]).expect("it is set");
    let (before, resident) = used();
    std::thread::sleep(std::time::Duration::from_secs(5));
    told("queue at rest, % of one core", (used().0 - before) / 50.0);
    let before = used().0;
    let seconds = 5;
    // Each request is two packets.
    let trips = a.round_trips(b, 500 * seconds, 500);
    let (after, loaded) = used();
    told("queue at 1,000 packets a second, % of one core", (after - before) / (seconds as f64 * 10.0));
    told("of these requests lost", (500 * seconds) as f64 - trips.len() as f64);
    told("resident with the lab around it, at rest, MB", resident);
    told("the same after 1,000 packets a second, MB", loaded);
    lab.net.set_base(Vec::new()).expect("it is unset");
}
