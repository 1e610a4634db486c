//! Claims about artefacts: what was signed is opened, and nothing else is, whatever was done to it; what a host knows and what
//! it fetches make the instance that the graph says.

use agents::artefact::{ARTEFACT_BYTES_MAX, Expected, Refusal, Signer, altered};
use agents::config::{InstanceConfig, Region, Software};
use fixtures::graph::Graph;
use fixtures::load::{load_graph, load_topology};
use fixtures::name::ServiceName;
use fixtures::placement::Placement;
use proptest::prelude::{any, proptest};
use std::net::SocketAddr;

const PAYLOAD: &str = r#"{"operations":["check"],"queue":64}"#;

fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("a name")
}

fn ours() -> Signer {
    Signer::of(b"ours")
}

fn expected(version: u64) -> Expected {
    Expected { service: service("quota"), edition: "az1".to_owned(), version, signer: ours().public() }
}

fn artefact() -> String {
    ours().pack(&service("quota"), "az1", 3, PAYLOAD)
}

#[track_caller]
fn refused(artefact: &str, expect: &Refusal) {
    assert_eq!(expected(3).open(artefact.as_bytes()).as_ref(), Err(expect));
}

#[test]
fn what_was_signed_is_opened_and_the_same_secret_signs_alike() {
    let opened = expected(3).open(artefact().as_bytes()).expect("it is right");
    assert_eq!((opened.payload.as_str(), opened.manifest.version), (PAYLOAD, 3));
    assert_eq!(opened.manifest.sha256.len(), 64);
    assert!(expected(2).open(artefact().as_bytes()).is_ok(), "a later one will do");
    assert_eq!(artefact(), artefact());
    assert_eq!(expected(3).name(), "quota@az1");
}

#[test]
fn each_way_to_be_wrong_has_its_word() {
    refused(&altered(&artefact()), &Refusal::WrongHash);
    refused(&(artefact() + " "), &Refusal::WrongHash);
    refused(&Signer::of(b"theirs").pack(&service("quota"), "az1", 3, PAYLOAD), &Refusal::WrongSignature);
    // What was signed for another one is signed, and is another one.
    let other = |is: &str| Refusal::Other { is: is.to_owned(), wanted: "quota@az1".to_owned() };
    refused(&ours().pack(&service("launch"), "az1", 3, PAYLOAD), &other("launch@az1"));
    refused(&ours().pack(&service("quota"), "az2", 3, PAYLOAD), &other("quota@az2"));
    refused(&ours().pack(&service("quota"), "az1", 2, PAYLOAD), &Refusal::Older { is: 2, wanted: 3 });
    refused(&artefact().replace("\"version\":3", "\"version\":4"), &Refusal::WrongSignature);
    refused("", &Refusal::Damaged("it does not begin as one"));
    refused("blackstart-artefact 1\n{}", &Refusal::Damaged("it ends too early"));
    let large = ours().pack(&service("quota"), "az1", 3, &"x".repeat(ARTEFACT_BYTES_MAX));
    refused(&large, &Refusal::TooLarge);
    let without = Expected { signer: String::new(), ..expected(3) };
    assert_eq!(without.open(artefact().as_bytes()), Err(Refusal::WrongSignature), "nobody signs for who has no key");
}

/// Every single bit, not only some of them.
#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let whole = artefact().into_bytes();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(expected(3).open(&bytes).is_err(), "bit {bit} of byte {at}: {}", String::from_utf8_lossy(&bytes));
        }
    }
    for length in 0..whole.len() {
        assert!(expected(3).open(&whole[..length]).is_err(), "cut after {length} bytes");
    }
}

proptest! {
    #[test]
    fn whatever_is_packed_is_opened_again_and_altered_it_is_not(payload in ".{0,200}", secret in any::<[u8; 8]>()) {
        let signer = Signer::of(&secret);
        let artefact = signer.pack(&service("quota"), "az1", 1, &payload);
        let expected = Expected { signer: signer.public(), version: 1, ..expected(1) };
        let opened = expected.open(artefact.as_bytes()).expect("it is right");
        assert_eq!(opened.payload, payload);
        assert_eq!(expected.open(altered(&artefact).as_bytes()), Err(Refusal::WrongHash));
    }

    #[test]
    fn bytes_from_anywhere_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        assert!(expected(1).open(&bytes).is_err());
    }
}

/// Configurations of every instance of a graph, in a region of three zones.
fn configs(name: &str) -> Vec<InstanceConfig> {
    let graph = load_graph(&fixtures::builtin::graph(name).expect("it is built in")).expect("it is right").0;
    let graph: Graph = fixtures::regional::complete(&graph).expect("it has names");
    let topology = fixtures::builtin::topology("us-test-1").expect("it is built in");
    let topology = load_topology(&topology).expect("it is right").0;
    let placement = Placement::new(&topology, &graph);
    let addresses: Vec<SocketAddr> =
        (0..placement.instances.len()).map(|at| SocketAddr::from(([10, 0, 0, 1], 8_000 + at as u16))).collect();
    let region = Region::new(&topology, &graph, &placement, &addresses);
    (0..addresses.len()).map(|index| region.instance(index, index as u64)).collect()
}

#[test]
fn a_host_and_its_software_make_the_instance_that_the_graph_says() {
    let mut split = 0;
    for config in ["named", "run-instances"].into_iter().flat_map(configs) {
        let Some((own, software)) = Software::split(config.clone(), "package") else { continue };
        split += 1;
        assert!(own.operations.is_empty() && own.calls.is_empty(), "without it the host can serve nothing");
        assert_eq!(own.needs.iter().map(|need| need.kind.as_str()).collect::<Vec<_>>(), ["package"]);
        let text = serde_json::to_string(&software).expect("it is plain");
        assert!(!text.contains("\"seed\":"), "who it is is the host's own: {text}");
        let read: Software = serde_json::from_str(&text).expect("it is read again");
        let mut expect = config;
        expect.needs.retain(|need| need.kind != "package");
        assert_eq!(read.installed(&own), expect);
    }
    assert!(split > 20, "{split}");
}
