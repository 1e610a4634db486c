//! Owns the claims about faults on hosts and their processes: each is seen from outside, is told to have ended when it
//! has, and leaves everything as it was. Refuses to use an engine, but for what is claimed of one.

use crate::house::{House, ground};
use crate::lab::{alone, block_on, machine};
use agents::runtime::clock::mono_ns;
use harness::hand::fault::Fault;
use harness::hand::host_fault::{Ground, fault_of};
use harness::hand::machine::{Whose, difference, snapshot};
use harness::hand::protocol::{BootTrouble, Deed, Ending, Look, Target};
use harness::world::docker::engine::{ContainerSpec, Engine};
use harness::world::docker::names::Names;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// No boot is troubled here.
const NO_GATES: &str = "/no-trouble";

fn here() -> Ground {
    ground(Path::new(NO_GATES))
}

fn fault(deed: &Deed, ground: &Ground) -> Box<dyn Fault> {
    fault_of(deed, ground).expect("it is a fault on hosts")
}

#[track_caller]
fn holds(fault: &mut Box<dyn Fault>) -> Look {
    let look = fault.look();
    assert!(look.holds, "{look:?}");
    look
}

#[track_caller]
fn does_not_hold(fault: &mut Box<dyn Fault>, why: &str) {
    let look = fault.look();
    assert!(!look.holds && look.text.contains(why), "{look:?}");
}

/// A host that is nowhere.
fn nobody() -> Target {
    Target { host: "nobody".to_owned(), cgroup: "/blackstart-test-nobody/z0/none".to_owned() }
}

#[test]
fn a_paused_host_answers_nothing_and_goes_on_where_it_stood() {
    let _turn = alone();
    let Some(house) = House::alight(Path::new(NO_GATES)) else { return };
    let before = house.settings();
    let deed = Deed::Pause { hosts: vec![house.target()] };
    let mut pause = fault(&deed, &here());
    does_not_hold(&mut pause, "not paused");
    for _ in 0..2 {
        pause.act().expect("it is paused");
    }
    holds(&mut pause);
    let mut asked = house.ask().expect("the kernel still takes connections");
    asked.set_read_timeout(Some(Duration::from_millis(300))).expect("a bound");
    asked.read(&mut [0]).expect_err("nobody answers");
    // Another hand, which knows only the deed, ends it; and ends it again.
    let mut other = fault(&deed, &here());
    holds(&mut other);
    for _ in 0..2 {
        other.heal().expect("it goes on");
    }
    asked.set_read_timeout(None).expect("no bound");
    let mut answer = String::new();
    asked.read_to_string(&mut answer).expect("the request of before is answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(house.settings(), before);
}

#[test]
fn a_pause_that_somebody_ends_or_that_is_aimed_at_nothing_does_not_hold() {
    let _turn = alone();
    let Some(house) = House::alight(Path::new(NO_GATES)) else { return };
    let mut pause = fault(&Deed::Pause { hosts: vec![house.target()] }, &here());
    pause.act().expect("it is paused");
    holds(&mut pause);
    let path = house.control(&["cgroup.freeze", "freezer.state"]);
    std::fs::write(&path, if path.ends_with("cgroup.freeze") { "0" } else { "THAWED" }).expect("it is thawed");
    house.await_answer();
    does_not_hold(&mut pause, &house.name);
    for hosts in [vec![], vec![nobody()]] {
        let mut pause = fault(&Deed::Pause { hosts }, &here());
        pause.act().expect("there is nothing to do");
        does_not_hold(&mut pause, "");
        pause.heal().expect("there is nothing to do");
    }
}

#[test]
fn an_ended_process_is_another_one_when_its_supervisor_has_started_it_again() {
    let _turn = alone();
    let Some(house) = House::alight(Path::new(NO_GATES)) else { return };
    for ending in [Ending::Killed, Ending::Asked { patience_ms: Vec::new() }] {
        let first = house.processes("agent");
        assert_eq!(first.len(), 1);
        let deed = Deed::End { hosts: vec![house.target()], processes: vec![vec![0]], ending };
        let mut end = fault(&deed, &here());
        does_not_hold(&mut end, "0 of 1");
        end.act().expect("it is ended");
        holds(&mut end);
        while end.look().measured["restarted_processes"] < 1.0 {
            std::thread::yield_now();
        }
        house.await_answer();
        holds(&mut end);
        let second = house.processes("agent");
        assert!(second.len() == 1 && second != first, "{first:?} {second:?}");
        end.heal().expect("there is nothing to do");
    }
}

#[test]
fn an_end_of_no_process_does_not_hold() {
    let _turn = alone();
    let Some(house) = House::alight(Path::new(NO_GATES)) else { return };
    let first = house.processes("agent");
    for (hosts, processes) in
        [(vec![house.target()], vec![vec![7]]), (vec![house.target()], vec![vec![]]), (vec![nobody()], vec![vec![0]])]
    {
        let mut end = fault(&Deed::End { hosts, processes, ending: Ending::Killed }, &here());
        end.act().expect("there is nothing to do");
        does_not_hold(&mut end, "process");
    }
    assert_eq!(house.processes("agent"), first);
}

#[test]
fn a_host_short_of_processor_time_is_throttled_and_free_again_afterwards() {
    let _turn = alone();
    let Some(house) = House::alight(Path::new(NO_GATES)) else { return };
    let before = house.settings();
    let throttled = || {
        let text = std::fs::read_to_string(house.control(&["cpu.cfs_quota_us", "cpu.max"]).with_file_name("cpu.stat"));
        let text = text.expect("it can be read");
        let row = text.lines().find_map(|line| line.strip_prefix("nr_throttled ")).expect("it is counted");
        row.parse::<u64>().expect("a number")
    };
    let deed = Deed::Processor { hosts: vec![house.target()], left_milli: 100 };
    let mut processor = fault(&deed, &here());
    for _ in 0..2 {
        processor.act().expect("it is short of time");
    }
    // A process is there a moment before its command line is.
    while house.processes("burn").is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(house.processes("burn").len(), 1);
    let first = throttled();
    for _ in 0..3 {
        let look = holds(&mut processor);
        eprintln!("asked {:?}, measured {:?}", look.asked, look.measured);
    }
    assert!(throttled() > first);
    house.await_answer();
    // A hand that crashed leaves its burner for a moment; one that knows only the deed ends it.
    std::mem::forget(processor);
    let mut other = fault(&deed, &here());
    does_not_hold(&mut other, "burner");
    for _ in 0..2 {
        other.heal().expect("it has its time again");
    }
    assert_eq!(house.settings(), before);
}

#[test]
fn a_shortage_of_processor_time_that_somebody_ends_does_not_hold() {
    let _turn = alone();
    let Some(house) = House::alight(Path::new(NO_GATES)) else { return };
    let deed = Deed::Processor { hosts: vec![house.target()], left_milli: 200 };
    let mut processor = fault(&deed, &here());
    processor.act().expect("it is short of time");
    let quota = house.control(&["cpu.cfs_quota_us", "cpu.max"]);
    std::fs::write(&quota, if quota.ends_with("cpu.max") { "max" } else { "-1" }).expect("it is freed");
    does_not_hold(&mut processor, "bound");
    processor.heal().expect("it is ended");
    processor.act().expect("it is short of time again");
    holds(&mut processor);
    house.processes("burn").into_iter().for_each(|pid| house.kill(pid));
    does_not_hold(&mut processor, "burner");
    processor.heal().expect("it is ended");
    let mut nothing = fault(&Deed::Processor { hosts: vec![nobody()], left_milli: 200 }, &here());
    nothing.act().expect("there is nothing to do");
    does_not_hold(&mut nothing, "not there");
    for left_milli in [0, 5, 1000] {
        let refused = fault(&Deed::Processor { hosts: vec![house.target()], left_milli }, &here()).act();
        assert!(refused.is_err_and(|why| why.contains("thousandths")));
    }
}

#[test]
fn a_host_short_of_memory_is_as_full_as_was_asked_and_empties_again() {
    let _turn = alone();
    let Some(house) = House::alight(Path::new(NO_GATES)) else { return };
    let before = house.settings();
    let usage = || {
        let text = std::fs::read_to_string(house.control(&["memory.usage_in_bytes", "memory.current"]));
        text.expect("it can be read").trim().parse::<f64>().expect("a number") / f64::from(64 << 20)
    };
    assert!(usage() < 0.5);
    let deed = Deed::Memory { hosts: vec![house.target()], fill_milli: 900 };
    let mut memory = fault(&deed, &here());
    for _ in 0..2 {
        memory.act().expect("it is filled");
    }
    let look = loop {
        let look = memory.look();
        if look.holds {
            break look;
        }
    };
    eprintln!("asked {:?}, measured {:?}", look.asked, look.measured);
    assert!((0.88..0.95).contains(&usage()), "{}", usage());
    let hog = house.processes("hog");
    let score = std::fs::read_to_string(format!("/proc/{}/oom_score_adj", hog[0])).expect("it lives");
    assert_eq!(score.trim(), "1000", "it is the first to be killed");
    house.await_answer();
    house.kill(hog[0]);
    does_not_hold(&mut memory, "gone");
    memory.heal().expect("it is ended");
    memory.act().expect("it is filled again");
    std::mem::forget(memory);
    let mut other = fault(&deed, &here());
    for _ in 0..2 {
        other.heal().expect("another hand ends it");
    }
    assert_eq!(house.settings(), before);
    assert!(usage() < 0.5, "{}", usage());
    let mut nothing = fault(&Deed::Memory { hosts: vec![nobody()], fill_milli: 900 }, &here());
    nothing.act().expect("there is nothing to do");
    does_not_hold(&mut nothing, "not there");
}

/// However a hand dies, the kernel closes its end of the pipe.
#[test]
fn a_helper_ends_when_its_hand_does() {
    let _turn = alone();
    for arguments in [["burn"].as_slice(), &["hog", "/proc/sys/kernel/pid_max", "1"]] {
        for told_to_work in [true, false] {
            let mut helper = Command::new(assert_cmd::cargo::cargo_bin("blackstart"))
                .args(arguments)
                .stdin(Stdio::piped())
                .spawn()
                .expect("it can be started");
            let mut life = helper.stdin.take().expect("it is piped");
            if told_to_work {
                life.write_all(b"go\n").expect("it reads");
            }
            drop(life);
            assert!(helper.wait().expect("it ends").success());
        }
    }
}

fn booting(trouble: BootTrouble, houses: &[House]) -> Deed {
    Deed::Boot { gates: houses.iter().map(|house| house.name.clone()).collect(), trouble }
}

#[test]
fn hosts_that_never_boot_wait_at_their_boot_gates_until_the_heal() {
    let _turn = alone();
    let gates = tempfile::tempdir().expect("a folder can be made");
    let mut houses: Vec<House> = (0..3).filter_map(|_| House::build(gates.path())).collect();
    if houses.is_empty() {
        return;
    }
    let mut never = fault(&booting(BootTrouble::Never, &houses), &ground(gates.path()));
    for _ in 0..2 {
        never.act().expect("the boot gates are closed");
    }
    does_not_hold(&mut never, "not come");
    houses.iter_mut().for_each(House::power_on);
    while !never.look().holds {}
    let look = holds(&mut never);
    assert_eq!((look.measured["held_up_hosts"], look.measured["passed_hosts"]), (3.0, 0.0));
    for house in &houses {
        assert!(house.processes("agent").is_empty() && house.ask().is_err());
    }
    std::fs::remove_file(gates.path().join(&houses[1].name)).expect("somebody removes a gate");
    does_not_hold(&mut never, &houses[1].name);
    for _ in 0..2 {
        never.heal().expect("the boot gates are open");
    }
    houses.iter().for_each(House::await_answer);
}

#[test]
fn a_late_host_boots_by_itself_and_not_before_its_time() {
    let _turn = alone();
    let gates = tempfile::tempdir().expect("a folder can be made");
    let Some(house) = House::build(gates.path()) else { return };
    let mut houses = [house];
    let mut late = fault(&booting(BootTrouble::Late(250), &houses), &ground(gates.path()));
    late.act().expect("the boot gate is closed");
    houses[0].power_on();
    houses[0].await_answer();
    let look = holds(&mut late);
    eprintln!("asked {:?}, measured {:?}", look.asked, look.measured);
    assert!(look.measured["passed_hosts"] == 1.0 && look.measured["late_ms"] >= 250.0, "{look:?}");
    late.heal().expect("there is nothing more to open");
}

#[test]
fn a_bottleneck_lets_everybody_boot_in_the_end() {
    let _turn = alone();
    let gates = tempfile::tempdir().expect("a folder can be made");
    let mut houses: Vec<House> = (0..3).filter_map(|_| House::build(gates.path())).collect();
    let narrow = BootTrouble::Bottleneck { at_once: 1, each_ms: 100 };
    let mut bottleneck = fault(&booting(narrow, &houses), &ground(gates.path()));
    bottleneck.act().expect("the boot gates are closed");
    houses.iter_mut().for_each(House::power_on);
    houses.iter().for_each(House::await_answer);
    if !houses.is_empty() {
        assert_eq!(holds(&mut bottleneck).measured["passed_hosts"], 3.0);
    }
    bottleneck.heal().expect("there is nothing more to open");
}

#[test]
fn boot_gates_that_nobody_comes_to_do_not_hold_and_a_lost_hand_opens_its_own() {
    let _turn = alone();
    let gates = tempfile::tempdir().expect("a folder can be made");
    let Some(mut house) = House::build(gates.path()) else { return };
    let nobody = Deed::Boot { gates: vec!["nobody".to_owned()], trouble: BootTrouble::Never };
    let mut aimed_at_nothing = fault(&nobody, &ground(gates.path()));
    aimed_at_nothing.act().expect("a gate is closed");
    does_not_hold(&mut aimed_at_nothing, "nobody");
    let deed = Deed::Boot { gates: vec![house.name.clone()], trouble: BootTrouble::Never };
    let mut never = fault(&deed, &ground(gates.path()));
    never.act().expect("the boot gate is closed");
    house.power_on();
    while !never.look().holds {}
    drop(never);
    house.await_answer();
}

#[test]
fn what_a_run_leaves_on_a_machine_is_found_and_told_from_what_others_do() {
    let Some(_machine) = machine() else { return };
    let Some(house) = House::build(Path::new(NO_GATES)) else { return };
    let short = format!("{:06x}", std::process::id());
    let look = || snapshot(Path::new("/"), &here().hierarchies);
    let before = look();
    assert_eq!(before.unseen, BTreeMap::new());
    let run = |words: &str| {
        let mut words = words.split(' ');
        let status = Command::new(words.next().expect("a program")).args(words).status();
        assert!(status.is_ok_and(|status| status.success()));
    };
    let mount = tempfile::Builder::new().prefix(&format!("blackstart-{short}-")).tempdir().expect("a folder");
    let chain = format!("BS-{short}");
    run(&format!("iptables -w -N {chain}"));
    run(&format!("ip link add bs{short}z0 type bridge"));
    run(&format!("mount -t tmpfs tmpfs {}", mount.path().display()));
    let file = mount.path().join("disk");
    std::fs::write(&file, vec![0; 1 << 20]).expect("it is written");
    let device = Command::new("losetup").args(["--find", "--show"]).arg(&file).output().expect("it can be run").stdout;
    let device = String::from_utf8_lossy(&device).trim().to_owned();
    let group = house.control(&["cgroup.procs"]).with_file_name(format!("blackstart-{short}"));
    std::fs::create_dir(&group).expect("a group can be made");
    let mut process = Command::new(assert_cmd::cargo::cargo_bin("blackstart"))
        .arg("burn")
        .env("BLACKSTART_RUN", format!("20261124T000000Z-{short}"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("it can be started");
    // The kernel lets its parent go on before a new program has its command line and environment.
    let environment = format!("/proc/{}/environ", process.id());
    while !std::fs::read_to_string(&environment).is_ok_and(|text| text.contains(&short)) {
        std::thread::yield_now();
    }
    let began = mono_ns();
    let after = look();
    eprintln!("the machine was looked at in {} ms", (mono_ns() - began) / 1_000_000);
    drop(process.stdin.take());
    process.wait().expect("it ends");
    if !device.is_empty() {
        run(&format!("losetup -d {device}"));
    }
    std::fs::remove_dir(&group).expect("it is empty");
    run(&format!("umount {}", mount.path().display()));
    run(&format!("ip link del bs{short}z0"));
    run(&format!("iptables -w -X {chain}"));
    let residue: Vec<(String, String)> = difference(&before, &after, &short)
        .into_iter()
        .filter(|(_, _, whose)| *whose == Whose::Residue)
        .map(|(kind, name, _)| (kind, name))
        .collect();
    for kind in ["rule", "interface", "mount", "cgroup", "process"] {
        assert!(residue.iter().any(|(found, _)| found == kind), "no {kind} in {residue:?}");
    }
    assert!(device.is_empty() || residue.iter().any(|(kind, _)| kind == "loop"), "{residue:?}");
    let left = difference(&before, &look(), &short);
    assert!(left.iter().all(|(_, _, whose)| *whose != Whose::Residue), "{left:?}");
}

/// With rights the engine is not asked; without, it pauses by itself. Either way a host that dies paused can be started.
#[test]
fn a_paused_container_runs_for_the_engine_unless_the_engine_pauses_it() {
    let Some(_machine) = machine() else { return };
    let run = format!("pause-{:06x}", std::process::id());
    block_on(async {
        let (engine, info) = Engine::connect().await.expect("an engine");
        let names = Names::new(&run, info.systemd_cgroups);
        let labels = names.labels(&[]);
        let tar = Command::new(assert_cmd::cargo::cargo_bin("blackstart")).arg("image").output().expect("it is run");
        engine.import_image(&names.image(), &labels, tar.stdout).await.expect("an image is made");
        let name = names.object("host-paused");
        let spec = ContainerSpec {
            name: name.clone(),
            hostname: "paused".to_owned(),
            image: names.image(),
            command: vec!["/blackstart".to_owned(), "burn".to_owned()],
            labels,
            user: "65532:65532".to_owned(),
            cgroup_parent: names.cgroup_parent(0),
            attach: true,
            ..ContainerSpec::default()
        };
        let id = engine.create(&spec).await.expect("a container is created");
        let _attached = engine.attach(&name).await.expect("it is attached to");
        engine.start(&name).await.expect("it starts");
        let cgroup = names.cgroup_of(0, &id);
        let mut pause = fault(&Deed::Pause { hosts: vec![Target { host: "paused".to_owned(), cgroup }] }, &here());
        pause.act().expect("it is paused");
        holds(&mut pause);
        assert!(!engine.is_paused(&name).await.expect("it answers"), "the engine was not asked");
        // Killed while it is paused, it starts again and is not paused.
        engine.kill(&name).await.expect("it is killed");
        engine.start(&name).await.expect("it starts");
        does_not_hold(&mut pause, "paused");
        pause.heal().expect("there is nothing to do");
        for _ in 0..2 {
            engine.pause(&name).await.expect("the engine pauses it");
        }
        assert!(engine.is_paused(&name).await.expect("it answers"));
        for _ in 0..2 {
            engine.unpause(&name).await.expect("the engine lets it go on");
        }
        assert!(!engine.is_paused(&name).await.expect("it answers"));
        engine.pause(&name).await.expect("the engine pauses it");
        engine.remove_container(&name).await.expect("a paused one can be removed");
        engine.remove_image(&names.image()).await.expect("removed");
        remove_groups(&names.cgroup_root());
    });
}

/// The engine leaves the groups above its containers.
fn remove_groups(root: &str) {
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").expect("it is there").flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain(["/sys/fs/cgroup".into()]) {
        let folder = hierarchy.join(root.trim_start_matches('/'));
        for child in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let _control_file = std::fs::remove_dir(child.path());
        }
        let _absent = std::fs::remove_dir(folder);
    }
}
