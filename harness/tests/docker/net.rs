//! Owns the tests of network faults on real packets, in namespaces of their own: no engine is needed, root is. What is
//! asked must be what another process measures. Refuses to judge figures; `examples/bench_net.rs` prints them.

use crate::net_lab::{ECHO, Lab, SHORT, back, bridges, inside, latency, rule, shell, there};
use harness::hand::net::{self, Net};
use harness::hand::protocol::{LinkAct, Shape};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Runs a test's body in namespaces of its own.
fn alone(name: &str, body: impl FnOnce(Lab)) {
    if inside(&["--exact", &format!("net::{name}"), "--nocapture"]) {
        body(Lab::start());
    }
}

fn within_a_tenth_or_two_ms(added_ns: u64, asked_ms: u64) -> bool {
    let (added, asked) = (added_ns as f64 / 1e6, asked_ms as f64);
    // Nothing comes early, but for half a millisecond of the path's own trip that varies.
    added > asked - 0.5 && added < asked + (asked * 0.1).max(2.0)
}

#[test]
fn latency_is_what_was_asked_for() {
    alone("latency_is_what_was_asked_for", |lab| {
        let [[a, _], [b, _]] = &lab.hosts;
        let least = |count| a.round_trips(b, count, 200).into_iter().min().expect("they come back");
        let usual = least(100);
        for asked in [1, 5, 20, 100, 500] {
            let mut fault = lab.fault(vec![there(latency(asked))], a, b);
            fault.begin().expect("it begins");
            // The least of many: on a busy machine some are late, which is the machine's doing.
            let added = least(100).saturating_sub(usual);
            assert!(within_a_tenth_or_two_ms(added, asked), "{asked} ms asked for, {added} ns added");
            let look = fault.view();
            assert_eq!(look.asked.contains_key("latency_ms"), look.measured.contains_key("latency_ms"));
            assert!(lab.net.met("the fault").expect("it is in force")[0].packets >= 100, "{}", look.text);
            fault.end().expect("it ends");
        }
        assert_eq!(lab.net.overruns(), 0);
    });
}

#[test]
fn loss_is_what_was_asked_for_in_its_direction_alone() {
    alone("loss_is_what_was_asked_for_in_its_direction_alone", |lab| {
        let [[a, _], [b, _]] = &lab.hosts;
        let lossy = LinkAct::Shape(Shape { loss_ppm: 150_000, ..Shape::default() });
        let mut fault = lab.fault(vec![there(lossy)], a, b);
        fault.begin().expect("it begins");
        let came = a.datagrams(b, 1_000, 500);
        assert!((835..=865).contains(&came), "{came} of 1000 came, 15 % were to be lost");
        assert_eq!(b.datagrams(a, 200, 500), 200);
        let look = fault.view();
        assert!(look.holds, "{}", look.text);
        assert!((look.measured["loss_percent"] - 15.0).abs() < 1.5, "{look:?}");
        fault.end().expect("it ends");
        assert_eq!(a.datagrams(b, 200, 500), 200);
    });
}

#[test]
fn a_cut_is_silent_and_whole_or_of_one_direction() {
    alone("a_cut_is_silent_and_whole_or_of_one_direction", |lab| {
        let [[a, a2], [b, _]] = &lab.hosts;
        for (rules, forth, reverse) in [
            (vec![there(LinkAct::Drop), back(LinkAct::Drop)], 0, 0),
            (vec![there(LinkAct::Drop)], 0, 50),
            (vec![back(LinkAct::Drop)], 50, 0),
        ] {
            let mut fault = lab.fault(rules, a, b);
            fault.begin().expect("it begins");
            assert_eq!((a.datagrams(b, 50, 1_000), b.datagrams(a, 50, 1_000)), (forth, reverse));
            assert_eq!(a.datagrams(a2, 50, 1_000), 50, "a zone's inside is not cut");
            for _ in 0..2 {
                let look = fault.view();
                assert!(look.holds, "{}", look.text);
                assert_eq!(look.measured["cut_percent"], 100.0);
            }
            fault.end().expect("it ends");
            fault.end().expect("and again");
            assert_eq!((a.datagrams(b, 50, 1_000), b.datagrams(a, 50, 1_000)), (50, 50));
        }
    });
}

/// Writes a byte over an established connection and waits for its echo.
fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(&[1])?;
    stream.read_exact(&mut [0])
}

#[test]
fn established_connections_are_cut_silently_and_refused_by_a_reset() {
    alone("established_connections_are_cut_silently_and_refused_by_a_reset", |lab| {
        let [[a, _], [b, _]] = &lab.hosts;
        let to = b.at(ECHO);
        let open = || a.run(move || TcpStream::connect(to)).join().expect("it runs").expect("it listens");
        let (mut cut, mut refused) = (open(), open());
        echo(&mut cut).expect("it echoes");
        echo(&mut refused).expect("it echoes");
        let mut fault = lab.fault(vec![there(LinkAct::Drop)], a, b);
        fault.begin().expect("it begins");
        assert_eq!(echo(&mut cut).expect_err("it is cut").kind(), ErrorKind::WouldBlock);
        fault.end().expect("it ends");
        let mut fault = lab.fault(vec![there(LinkAct::Refuse)], a, b);
        fault.begin().expect("it begins");
        assert_eq!(echo(&mut refused).expect_err("it is refused").kind(), ErrorKind::ConnectionReset);
        let look = fault.view();
        assert!(look.holds, "{}", look.text);
        fault.end().expect("it ends");
        echo(&mut open()).expect("it echoes again");
    });
}

#[test]
fn packets_are_doubled_as_asked() {
    alone("packets_are_doubled_as_asked", |lab| {
        let [[a, a2], [b, _]] = &lab.hosts;
        let double = LinkAct::Shape(Shape { duplicate_ppm: 500_000, latency_us: 2_000, ..Shape::default() });
        let inner = rule("10.77.0.0/24", "10.77.0.0/24", double);
        let mut fault = lab.fault(vec![there(double), inner], a, b);
        fault.begin().expect("it begins");
        // The connects that measure the path draw from the same deck.
        let came = [a.datagrams(b, 400, 500), a.datagrams(a2, 400, 500)];
        assert!(came.iter().all(|came| (570..=630).contains(came)), "{came:?} of 400 came, across and inside a bridge");
        // A doubled stream is still one stream.
        assert!(a.bulk(b, 1) > 0.0);
        let look = fault.view();
        assert!(look.holds && (look.measured["duplicate_percent"] - 50.0).abs() < 1.5, "{look:?}");
        fault.end().expect("it ends");
        assert_eq!(lab.net.overruns(), 0);
    });
}

#[test]
fn a_rate_is_not_passed_and_is_used() {
    alone("a_rate_is_not_passed_and_is_used", |lab| {
        let [[a, _], [b, _]] = &lab.hosts;
        let rate = 1_000_000;
        let slow = LinkAct::Shape(Shape { rate, ..Shape::default() });
        let mut fault = lab.fault(vec![there(slow)], a, b);
        fault.begin().expect("it begins");
        let had = a.bulk(b, 3);
        assert!(had < rate as f64 * 1.05 && had > rate as f64 * 0.6, "{had} bytes a second came, {rate} asked for");
        let look = fault.view();
        assert!(look.holds, "{}", look.text);
        fault.end().expect("it ends");
        assert!(a.bulk(b, 1) > 10.0 * rate as f64);
    });
}

#[test]
fn faults_inside_one_bridge_work_whatever_the_machines_own_switch_says() {
    alone("faults_inside_one_bridge_work_whatever_the_machines_own_switch_says", |lab| {
        let [[a, a2], [b, _]] = &lab.hosts;
        for switch in ["0", "1"] {
            std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", switch).expect("it can be written");
            let inner = |act| vec![rule(&a.address.to_string(), &a2.address.to_string(), act)];
            let mut fault = lab.fault(inner(latency(20)), a, a2);
            fault.begin().expect("it begins");
            assert!(a.round_trips(a2, 20, 200).into_iter().min().expect("they come back") > 20_000_000);
            assert!(a.round_trips(b, 20, 200).into_iter().min().expect("they come back") < 20_000_000);
            fault.end().expect("it ends");
            let mut fault = lab.fault(inner(LinkAct::Drop), a, a2);
            fault.begin().expect("it begins");
            assert_eq!((a.datagrams(a2, 20, 1_000), a2.datagrams(a, 20, 1_000)), (0, 20));
            let look = fault.view();
            assert!(look.holds, "{}", look.text);
            fault.end().expect("it ends");
        }
    });
}

#[test]
fn a_fault_aimed_at_nothing_does_not_hold() {
    alone("a_fault_aimed_at_nothing_does_not_hold", |lab| {
        let [[a, _], [b, _]] = &lab.hosts;
        let nobody = rule("10.77.0.200", "10.77.1.0/24", LinkAct::Drop);
        let mut fault = lab.fault(vec![nobody], a, b);
        fault.begin().expect("it begins");
        let look = fault.view();
        assert!(!look.holds && look.text.contains("no packet met any of its rules"), "{}", look.text);
        fault.end().expect("it ends");
        // In force by the rules, but somebody flushes them.
        let mut fault = lab.fault(vec![there(LinkAct::Drop)], a, b);
        fault.begin().expect("it begins");
        assert!(fault.view().holds);
        shell("iptables", &["-w", "-F", &format!("BSF-{SHORT}")]);
        let look = fault.view();
        assert!(!look.holds && look.text.contains("opened over a cut path"), "{}", look.text);
    });
}

#[test]
fn a_fault_adds_to_the_base_and_another_hand_finds_and_removes_everything() {
    alone("a_fault_adds_to_the_base_and_another_hand_finds_and_removes_everything", |lab| {
        let [[a, _], [b, _]] = &lab.hosts;
        let least = || a.round_trips(b, 40, 200).into_iter().min().expect("they come back");
        let before = shell("iptables", &["-w", "-S"]);
        lab.net.set_base(vec![there(latency(10)), back(latency(10))]).expect("it is set");
        assert!((20_000_000..28_000_000).contains(&least()));
        lab.net.inject("slow", &[there(latency(30))]).expect("it begins");
        lab.net.inject("slow", &[there(latency(30))]).expect("twice is once");
        assert!((50_000_000..58_000_000).contains(&least()));
        lab.net.inject("cut", &[there(LinkAct::Drop)]).expect("it begins");
        assert_eq!(a.datagrams(b, 10, 1_000), 0);
        lab.net.heal("slow").expect("it ends");
        lab.net.heal("cut").expect("it ends");
        assert!((20_000_000..28_000_000).contains(&least()));
        lab.net.set_base(Vec::new()).expect("it is unset");
        assert_eq!(shell("iptables", &["-w", "-S"]), before);

        // The hand dies with a cut in force; another one starts: healed, and nothing twice.
        lab.net.inject("cut", &[there(LinkAct::Drop)]).expect("it begins");
        let second = Net::start(SHORT, &bridges(), 1).expect("rules can be written");
        second.heal("cut").expect("it is healed already");
        assert_eq!(a.datagrams(b, 10, 1_000), 10);
        assert_eq!(shell("iptables", &["-w", "-S"]), before);
        drop((second, lab));
        assert_eq!(net::remove(SHORT), Vec::<String>::new());
        let left = shell("iptables", &["-w", "-S"]);
        assert!(!left.contains(SHORT), "{left}");
        assert_eq!(std::fs::read_to_string("/proc/net/netfilter/nfnetlink_queue").unwrap_or_default(), "");
    });
}
