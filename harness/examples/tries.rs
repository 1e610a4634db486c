//! Owns the record of trials: every setting of our own executable, a static web server, and real systems where their images are
//! there, tried with the usual bounds several times; each verdict compared with the right one. Refuses to go on quietly: a wrong
//! verdict fails it.
//!
//! Images are made by `docs/try/static-web-server static-web:1` and, of the systems, by `systems/build`; of one that is not there
//! it is said that it was not tried.
//!
//! `cargo build --release && cargo run --release --example tries [TIMES]` — the figures of the last one are in `figures/try.txt`.

#[path = "../tests/docker/trial/patients.rs"]
mod patients;

use harness::world::docker::engine::Engine;
use harness::world::docker::image;
use patients::{PATIENTS, QUESTIONS, told};
use reports::trial::TrialRecord;
use std::path::Path;
use std::process::Command;

/// Trials of each, unless told otherwise.
const TIMES: usize = 3;
/// The issue has it so.
const TAKES_AT_MOST_MS: u64 = 60_000;
/// Invariants, in the order of the table.
const IDS: &str = "S1            S2            S3            S8            D6            D9";

const ALONE: [&str; 6] = ["held", "not-judged", "not-judged", "not-judged", "not-judged", "not-judged"];
/// What makes a database of its own, and then is it.
const POSTGRES: &str =
    "initdb --no-sync --pgdata /tmp/data --auth trust --locale C && exec postgres -D /tmp/data -k /tmp";

/// Images that are not ours: a name, the image, what follows it, the right verdicts.
const IMAGES: [(&str, &str, &[&str], [&str; 6]); 6] = [
    ("static-web-server", "static-web:1", &[], ALONE),
    (
        "etcd, one member",
        "blackstart-systems/etcd:debian",
        &[
            "--probe",
            "http://:2379/health",
            "--",
            "--listen-client-urls=http://0.0.0.0:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--data-dir=/tmp/etcd",
        ],
        ALONE,
    ),
    // It looks for its members by a name at its start, and ends where that name means nothing.
    (
        "etcd, members by DNS",
        "blackstart-systems/etcd:debian",
        &[
            "--probe",
            "http://:2379/health",
            "--",
            "--discovery-srv=etcd.example",
            "--initial-advertise-peer-urls=http://127.0.0.1:2380",
            "--listen-client-urls=http://0.0.0.0:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--data-dir=/tmp/etcd",
        ],
        ["inconclusive", "inconclusive", "inconclusive", "inconclusive", "inconclusive", "not-judged"],
    ),
    (
        "PostgreSQL, alone",
        "blackstart-systems/postgres:debian",
        &["--probe", "exec:pg_isready -h 127.0.0.1", "--start-within", "40s", "--", "/bin/sh", "-c", POSTGRES],
        ALONE,
    ),
    (
        "Redis, alone",
        "blackstart-systems/redis:debian",
        &["--probe", "exec:redis-cli PING", "--", "--dir", "/tmp"],
        ALONE,
    ),
    // A replica answers while it looks for its primary, for ever; what it asks there no mock could answer.
    (
        "Redis, a replica",
        "blackstart-systems/redis:debian",
        &["--probe", "exec:redis-cli PING", "--", "--dir", "/tmp", "--replicaof", "primary 6379"],
        ["held", "held", "held", "held", "held", "not-judged"],
    ),
];

fn main() -> anyhow::Result<()> {
    let times = std::env::args().nth(1).map_or(Ok(TIMES), |times| times.parse())?;
    let executable = std::env::current_exe()?.with_file_name("../blackstart");
    let name = format!("blackstart-tries:{}", std::process::id());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (engine, _) = runtime.block_on(async {
        let (engine, info) = Engine::connect().await?;
        let tar = image::build(Some(&executable), &info.architecture)?;
        engine.import_image(&name, &std::collections::BTreeMap::new(), tar).await?;
        anyhow::Ok((engine, info))
    })?;
    println!("{times} trials of each setting, with the bounds that `blackstart try` has by default\n");
    println!("{:<30} {IDS}          slowest", "setting");
    let mut wrong = 0;
    for patient in &PATIENTS {
        let mut arguments: Vec<&str> = [["try", name.as_str()].as_slice(), &QUESTIONS, patient.arguments].concat();
        arguments.extend(["--", image::EXECUTABLE, "patient", patient.settings]);
        wrong += tried(&executable, patient.name, &arguments, (patient.right, patient.says), times)?;
    }
    for (what, image, arguments, right) in IMAGES {
        if runtime.block_on(engine.guest_facts(image))?.is_none() {
            println!("{what:<30} not tried: there is no image {image}");
            continue;
        }
        wrong += tried(&executable, what, &[["try", image].as_slice(), arguments].concat(), (right, &[]), times)?;
    }
    runtime.block_on(engine.remove_image(&name))?;
    println!("\nwrong verdicts, and settings that took more than 60 s: {wrong}");
    anyhow::ensure!(wrong == 0, "{wrong} wrong");
    Ok(())
}

/// Tries something several times; returns how often what it says was wrong, or it took too long.
fn tried(
    executable: &Path,
    what: &str,
    arguments: &[&str],
    (right, says): ([&str; 6], &[&str]),
    times: usize,
) -> anyhow::Result<usize> {
    let (mut slowest, mut wrong, mut last) = (0, 0, Vec::new());
    for _ in 0..times {
        let (command, rest) = arguments.split_at(1);
        let output =
            Command::new(executable).args(command).args(["--quiet", "--format", "json"]).args(rest).output()?;
        let record: TrialRecord = serde_json::from_slice(&output.stdout)
            .map_err(|error| anyhow::anyhow!("{what}: {error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        let (verdicts, text) = told(&record);
        slowest = slowest.max(record.took_ms);
        if verdicts != right || !says.iter().all(|words| text.contains(words)) {
            wrong += 1;
            println!("{what}: WRONG:\n{text}");
        }
        last = verdicts;
    }
    let row: String = last.iter().map(|word| format!("{word:<14}")).collect();
    println!("{what:<30} {row}{}.{} s", slowest / 1000, slowest % 1000 / 100);
    Ok(wrong + usize::from(slowest > TAKES_AT_MOST_MS))
}
