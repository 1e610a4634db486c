//! Owns the claim that a container of ours is an ordinary one: started by other code than ours (testcontainers), it
//! serves. Refuses to use our own way of starting it.

use crate::lab::{block_on, machine};
use agents::config::{HostConfig, InstanceConfig, Process};
use agents::wire::From;
use fixtures::graph::{Acknowledge, Health, State};
use fixtures::name::{HostName, InstanceName, ZoneName};
use harness::world::docker::engine::Engine;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{GenericImage, ImageExt};

fn config() -> HostConfig {
    let (zone, host) = (ZoneName::new("az1").expect("a name"), HostName("az1-api-0".to_owned()));
    let from = From { zone: zone.clone(), host: host.clone(), service: None, instance: None };
    let instance = InstanceConfig {
        from,
        name: InstanceName("api-az1-0".to_owned()),
        zone: zone.clone(),
        listen: "0.0.0.0:8000".parse().expect("an address"),
        seed: 1,
        operations: vec!["serve".to_owned()],
        interval_ns: 0,
        queue: 8,
        workers: None,
        grants: None,
        work: Duration::ZERO,
        needs: Vec::new(),
        calls: Vec::new(),
        state: State::None,
        store: agents::config::StoreConfig::default(),
        control: agents::config::ControlConfig::default(),
        acknowledge: Acknowledge::AfterSync,
        health: Health::Shallow,
        commons: agents::commons::Commons::default(),
        liveness: Health::Shallow,
        counts_arrivals: false,
    };
    HostConfig {
        host,
        zone,
        // Nobody is there: an agent works without a witness.
        witness: "127.0.0.1:9".parse().expect("an address"),
        gate: "/host.json".to_owned(),
        boot_gate: "/no-trouble".to_owned(),
        trouble_dir: String::new(),
        state_dir: "/tmp".to_owned(),
        boot: Duration::from_millis(10),
        processes: vec![Process::Instance(instance)],
    }
}

#[test]
fn a_host_started_by_testcontainers_serves() {
    let Some(_machine) = machine() else { return };
    let tag = format!("alone-{}", std::process::id());
    block_on(async {
        let (engine, info) = Engine::connect().await.expect("an engine");
        // The executable itself prints its image, so that it is the one that runs in it.
        let tar =
            Command::new(assert_cmd::cargo::cargo_bin("blackstart")).arg("image").output().expect("it is run").stdout;
        assert!(!tar.is_empty(), "for {}", info.architecture);
        engine.import_image(&format!("blackstart:{tag}"), &BTreeMap::new(), tar).await.expect("an image is made");
    });
    let json = serde_json::to_vec(&config()).expect("it serialises");
    let image = GenericImage::new("blackstart", &tag)
        .with_exposed_port(8000.tcp())
        .with_wait_for(WaitFor::seconds(0))
        .with_copy_to("/host.json", json)
        .with_env_var("LD_LIBRARY_PATH", "/lib")
        .with_cmd(["/blackstart", "host", "/host.json"]);
    let container = image.start().expect("it starts");
    let port = container.get_host_port_ipv4(8000).expect("it is published");
    for (path, word) in
        [("/livez", "api-az1-0"), ("/readyz", "api-az1-0"), ("/metrics", "blackstart_agent_requests_total")]
    {
        let answer = await_answer(port, path);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(word), "{path}: {answer}");
    }
    drop(container);
    block_on(async {
        let (engine, _) = Engine::connect().await.expect("an engine");
        engine.remove_image(&format!("blackstart:{tag}")).await.expect("it is removed");
    });
}

/// Asks until an answer comes: the host boots meanwhile. Bounded by the test runner's patience alone.
fn await_answer(port: u16, path: &str) -> String {
    loop {
        let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
            write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        match asked {
            Ok(answer) if !answer.is_empty() => return answer,
            _ => std::thread::yield_now(),
        }
    }
}
