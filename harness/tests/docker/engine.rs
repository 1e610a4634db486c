//! Owns the contract with the real engine: what the client sends is what this engine understands. Refuses to know game
//! days.

use crate::lab::{block_on, machine};
use harness::world::docker::engine::{ContainerSpec, Engine, NetworkSpec, ObjectKind, is_overlap};
use harness::world::docker::{image, sweep};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Every call that a run makes is made once, on whatever engine is there; a client that pins a version the engine does
/// not know fails at the first.
#[test]
fn every_call_of_a_run_is_understood_by_this_engine() {
    let Some(_machine) = machine() else { return };
    block_on(async {
        let (engine, info) = Engine::connect().await.expect("an engine");
        assert!(!info.version.is_empty() && !info.api.is_empty() && !info.architecture.is_empty());
        let run = format!("contract-{:06x}", std::process::id());
        let label = format!("blackstart.run={run}");
        let labels = BTreeMap::from([("blackstart.run".to_owned(), run.clone())]);
        let tar = image::build(Some(&dynamic_agent()), &info.architecture).unwrap_or_else(|_| tiny_image());
        let image = format!("blackstart:{run}");
        engine.import_image(&image, &labels, tar).await.expect("an image is made");
        engine.create_volume(&run, &labels, None).await.expect("a volume is made");
        let bridge = format!("bs{:06x}t", std::process::id());
        let mut spec = NetworkSpec {
            name: &run,
            bridge: &bridge,
            subnet: "198.19.255.0/27",
            gateway: "198.19.255.1",
            internal: true,
            labels: &labels,
        };
        engine.create_network(spec).await.expect("a network is made");
        let other = format!("{run}-other");
        spec.name = &other;
        let error = engine.create_network(spec).await.expect_err("its subnet is taken");
        assert!(is_overlap(&error), "{error:#}");
        let container = ContainerSpec {
            name: run.clone(),
            hostname: "contract".to_owned(),
            image: image.clone(),
            command: vec!["/nothing-there".to_owned()],
            labels: labels.clone(),
            user: "65532:65532".to_owned(),
            network: Some((run.clone(), "198.19.255.9".to_owned())),
            memory_bytes: 32 << 20,
            pids: 16,
            ..ContainerSpec::default()
        };
        let id = engine.create(&container).await.expect("a container is created");
        assert_eq!(id.len(), 64);
        engine.start(&run).await.expect_err("there is no such program in it");
        engine.kill(&run).await.expect("one that does not run needs no killing");
        for kind in ObjectKind::ALL {
            let found = engine.find(kind, &label).await.expect("it answers");
            assert_eq!(found.len(), 1, "{kind:?}: {found:?}");
        }
        for _ in 0..2 {
            // The second time there is nothing to remove, and that is fine.
            engine.remove_container(&run).await.expect("removed");
            engine.remove_network(&run).await.expect("removed");
            engine.remove_volume(&run).await.expect("removed");
            engine.remove_image(&image).await.expect("removed");
        }
        for kind in ObjectKind::ALL {
            assert_eq!(engine.find(kind, &label).await.expect("it answers"), []);
        }
    });
}

/// An engine that is told to remove a container while it starts it may forget it and keep its process and its place in
/// the network: a run that is cancelled while hosts start must not come to that.
#[test]
fn a_container_that_is_removed_while_it_starts_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    block_on(async {
        let (engine, info) = Engine::connect().await.expect("an engine");
        let run = format!("starting-{:06x}", std::process::id());
        let labels = BTreeMap::from([("blackstart.run".to_owned(), run.clone())]);
        let image = format!("blackstart:{run}");
        let tar = image::build(Some(&dynamic_agent()), &info.architecture).unwrap_or_else(|_| tiny_image());
        engine.import_image(&image, &labels, tar).await.expect("an image is made");
        for round in 0..STARTING_ROUNDS {
            let bridge = format!("bs{:06x}s", std::process::id());
            let (subnet, gateway) = ("198.19.255.0/27", "198.19.255.1");
            let spec = NetworkSpec { name: &run, bridge: &bridge, subnet, gateway, internal: true, labels: &labels };
            engine.create_network(spec).await.expect("a network is made");
            let names: Vec<String> = (0..STARTING).map(|number| format!("{run}-{number}")).collect();
            for (number, name) in names.iter().enumerate() {
                let container = ContainerSpec {
                    name: name.clone(),
                    hostname: name.clone(),
                    image: image.clone(),
                    // It waits for words on its standard input, which nobody says.
                    command: vec![image::EXECUTABLE.to_owned(), "witness".to_owned()],
                    labels: labels.clone(),
                    user: "65532:65532".to_owned(),
                    network: Some((run.clone(), format!("198.19.255.{}", number + 2))),
                    attach: true,
                    ..ContainerSpec::default()
                };
                engine.create(&container).await.expect("a container is created");
            }
            let starts = futures_util::future::join_all(names.iter().map(|name| engine.start(name)));
            // The image is for the next round; the starts fail or not, as it comes.
            let spare = BTreeSet::from([image.clone()]);
            let (_, left) = tokio::join!(starts, async {
                // Later each time: the order to remove comes at another moment of the starts.
                tokio::time::sleep(Duration::from_millis(u64::from(round) * 60)).await;
                sweep::remove_run(&engine, &run, &spare).await
            });
            assert_eq!(left.expect("the engine answers"), [], "round {round}");
            assert_eq!(processes_of(&run), Vec::<String>::new(), "round {round}");
        }
        engine.remove_image(&image).await.expect("removed");
    });
}

/// Containers that start at once, and how often.
const STARTING: usize = 6;
const STARTING_ROUNDS: u32 = 5;

/// Processes that have a run's name in their environment.
fn processes_of(run: &str) -> Vec<String> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let row = format!("BLACKSTART_RUN={run}");
    let is_ours = |path: &std::path::Path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|one| one == row.as_bytes())
    };
    let ours = pids.map(|entry| entry.path()).filter(|path| is_ours(path));
    ours.map(|path| path.display().to_string()).collect()
}

/// `build` refuses a dynamic executable that is not the running program; a static one is taken as it is.
fn dynamic_agent() -> std::path::PathBuf {
    assert_cmd::cargo::cargo_bin("blackstart")
}

/// Any tar is an image.
fn tiny_image() -> Vec<u8> {
    image::build(None, std::env::consts::ARCH).expect("this test's own executable makes one")
}
