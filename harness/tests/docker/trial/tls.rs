//! Owns the claims of TLS on trial: a real client of HTTPS in an image is answered by whoever is played, with a certificate that
//! the trial's root has signed; an image that is asked over TLS is. Refuses to try settings: `patients.rs` has those.

use super::{BOUNDS, Image, left_of, record, told};
use crate::lab::{long_machine, machine, system};
use harness::world::docker::image::EXECUTABLE;
use reports::trial::TrialRecord;
use std::process::{Command, Output};

/// An image of Debian's curl.
const CURL: &str = "blackstart-systems/curl:debian";
/// A service that is up when it has its settings, over HTTPS.
const SERVICE: &str = "until curl -sf --max-time 2 $BELIEVES https://config.internal/settings >/tmp/settings; do sleep 0.2; done; \
                       touch /tmp/ready; exec sleep 600";
/// One call of it: over HTTP/2, as TLS agrees on it.
const CALL: &str = "exec:curl -sf --http2 --max-time 2 --cacert /etc/blackstart/ca.pem https://orders.internal/place";

fn tried(arguments: &[&str]) -> (Output, TrialRecord) {
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("blackstart"));
    command.arg("try").args(BOUNDS).args(["--format", "json", "--out"]).arg(out.path()).args(arguments);
    let output = command.output().expect("it runs");
    let record = record(&output);
    assert!(record.residue.is_empty() && left_of(&record.run).is_empty(), "{:?}", left_of(&record.run));
    (output, record)
}

fn curl(believes: &str) -> (Option<i32>, Vec<&'static str>, String) {
    let believes = format!("BELIEVES={believes}");
    let asked = ["--probe", "exec:test -e /tmp/ready", "--call", CALL, "--allow", "certificate,config.internal:443"];
    let command = ["--env", &believes, "--", "sh", "-c", SERVICE];
    let (output, record) = tried(&[&[CURL], &asked[..], &command].concat());
    let (verdicts, text) = told(&record);
    let requests =
        record.edges.iter().filter_map(|edge| Some(format!("{} asked {}", edge.name, edge.request.as_ref()?)));
    (output.status.code(), verdicts, [text].into_iter().chain(requests).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_debian_client_of_https_is_answered_and_one_that_does_not_believe_is_told_of() {
    let Some(_machine) = long_machine() else { return };
    if !system("curl") {
        return;
    }
    let (status, verdicts, text) = curl("--cacert /etc/blackstart/ca.pem");
    assert_eq!(verdicts, ["held", "held", "held", "held", "held", "not-judged"], "{text}");
    assert_eq!(status, Some(0), "{text}");
    for words in [
        "hard at call orders.internal",
        "config.internal asked GET /settings by HTTP/2 over TLS",
        "orders.internal asked GET /place by HTTP/2 over TLS",
    ] {
        assert!(text.contains(words), "nothing says `{words}`:\n{text}");
    }
    // It believes another certificate, which has signed nothing.
    let (status, _, text) = curl("--cacert /etc/blackstart/certificate.pem");
    assert_eq!(status, Some(3), "{text}");
    assert!(text.contains("config.internal:443 was addressed over TLS") && text.contains("ca.pem"), "{text}");
}

#[test]
fn an_image_that_is_asked_over_tls_answers() {
    let Some(_machine) = machine() else { return };
    let image = Image::import();
    let settings = r#"{"port":8443,"certificate":"/etc/blackstart"}"#;
    let asked = ["--probe", "https://:8443/readyz", "--call", "https://:8443/work", "--allow", "certificate"];
    let (output, record) = tried(&[&[image.0.as_str()], &asked[..], &["--", EXECUTABLE, "patient", settings]].concat());
    let (verdicts, text) = told(&record);
    assert_eq!((verdicts[0], output.status.code()), ("held", Some(0)), "{text}");
}
