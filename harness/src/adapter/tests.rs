//! Owns the claims about what an adapter makes of answers: no connection, no answer, a refusal, a value. Refuses to start
//! real software: see `tests/docker/images.rs`.

use super::{Trouble, command, etcd, http};
use agents::config::AdapterConfig;
use agents::wire::From;
use fixtures::graph::image::{Client, ClientReach, Probe, Protocol, Request};
use fixtures::name::{HostName, InstanceName, ZoneName};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// A server that answers one connection with these bytes, and ends.
fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut asked = [0; 4096];
        // Whoever asks sends less than this at once.
        let _length = stream.read(&mut asked);
        let _written = stream.write_all(answer.as_bytes());
    });
    address
}

fn asked<T>(asking: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, asking)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n value\n";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

#[test]
fn http_is_judged_by_status_and_body_and_silence_is_silence() {
    let plain = Request::default();
    let ask = |answer, request: &Request, filled| asked(http::ask(server(answer), request, filled));
    assert_eq!(ask(OK, &plain, None), Ok(Some("value".to_owned())));
    assert_eq!(ask(NOT_FOUND, &plain, Some(("k", ""))), Ok(None), "there is no such key");
    assert_eq!(ask(NOT_FOUND, &plain, None), Err(Trouble::Refused("status 404".to_owned())));
    let wanted = Request { status: Some(404), ..Request::default() };
    assert_eq!(ask(NOT_FOUND, &wanted, None), Ok(Some(String::new())));
    let text = Request { body: Some("{value}".to_owned()), ..Request::default() };
    assert_eq!(ask(OK, &text, Some(("k", "value"))), Ok(Some("value".to_owned())));
    assert!(matches!(ask(OK, &text, Some(("k", "other"))), Err(Trouble::Refused(_))));
    assert_eq!(ask("", &plain, None), Err(Trouble::Silent), "it ended before its answer");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    assert_eq!(asked(http::ask(nobody, &plain, None)), Err(Trouble::Silent), "nobody listens");
}

#[test]
fn etcd_tells_a_value_from_a_missing_key_and_from_a_refusal() {
    let value = "HTTP/1.1 200 OK\r\ncontent-length: 36\r\n\r\n{\"kvs\":[{\"value\":\"djE=\"}],\"count\":1}";
    assert_eq!(asked(etcd::read(server(value), "k")), Ok(Some("v1".to_owned())));
    let nothing = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"header\":{}}";
    assert_eq!(asked(etcd::read(server(nothing), "k")), Ok(None));
    assert_eq!(asked(etcd::write(server(nothing), "k", "v")), Ok(()));
    let refused = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nno leader";
    assert_eq!(asked(etcd::write(server(refused), "k", "v")), Err(Trouble::Refused("no leader".to_owned())));
}

fn config() -> AdapterConfig {
    let own = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let name = InstanceName("a-az1-0".to_owned());
    let zone = ZoneName::new("az1").expect("a name");
    let timeout = Duration::from_secs(5);
    AdapterConfig {
        from: From { zone, host: HostName("h".to_owned()), service: None, instance: None },
        name: name.clone(),
        listen: SocketAddr::new(own, 0),
        operations: Vec::new(),
        stores: true,
        probe: Probe { protocol: Protocol::Command, port: 0, request: Request::default(), timeout },
        client: Client {
            protocol: Protocol::Command,
            port: 0,
            reach: ClientReach::Own,
            user: None,
            password: None,
            database: None,
            timeout,
            operations: BTreeMap::new(),
            write: None,
            read: None,
        },
        own,
        members: vec![(name, own)],
        environment: vec![("WORD".to_owned(), "seen".to_owned())],
        sentinels: Vec::new(),
    }
}

#[test]
fn commands_are_judged_by_their_exit_status_and_have_the_softwares_variables() {
    let run = |script: &str, filled| {
        let run = ["/bin/sh", "-c", script, "sh", "{key}"].map(str::to_owned).into();
        let request = Request { run: Some(run), ..Request::default() };
        asked(command::run(&config(), &request, filled))
    };
    assert_eq!(run("echo $WORD $1", Some(("k1", ""))), Ok(Some("seen k1".to_owned())));
    assert_eq!(run("exit 1", Some(("k1", ""))), Ok(None), "a read that finds nothing");
    assert!(matches!(run("exit 1", Some(("k1", "v"))), Err(Trouble::Refused(_))), "a write that failed");
    assert!(matches!(run("exit 2", Some(("k1", ""))), Err(Trouble::Refused(_))));
    assert!(matches!(run("exit 1", None), Err(Trouble::Refused(_))));
}
