//! Owns the claim that a container of ours is an ordinary one: started by other code than ours (the engine's
//! command line), it serves. Refuses to use our own way of starting it.

use crate::lab::{block_on, docker, machine};
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

/// Removed with whatever runs in it.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        // Where the test fails, its own words matter.
        let _gone = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

#[test]
fn a_host_started_by_the_command_line_serves() {
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
    let folder = tempfile::tempdir().expect("a folder");
    let config_file = folder.path().join("host.json");
    std::fs::write(&config_file, serde_json::to_vec(&config()).expect("it serialises")).expect("it is written");
    let container = Container(docker(&[
        "create",
        "--publish",
        "127.0.0.1::8000",
        "--env",
        "LD_LIBRARY_PATH=/lib",
        &format!("blackstart:{tag}"),
        "/blackstart",
        "host",
        "/host.json",
    ]));
    docker(&["cp", &config_file.display().to_string(), &format!("{}:/host.json", container.0)]);
    docker(&["start", &container.0]);
    let published = docker(&["port", &container.0, "8000/tcp"]);
    let port = published.rsplit(':').next().and_then(|port| port.parse().ok()).expect("it is published");
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
