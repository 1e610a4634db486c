//! Owns the claims about game days on a project that somebody else started, on a real engine: five services of our own executable,
//! with the labels that Compose gives, or started by Compose itself, one of them from Debian's packages. Refuses to touch any
//! other project.

use crate::lab::{Running, block_on, docker, kill_hand, left_of, long_machine, machine};
use agents::runtime::clock::mono_ns;
use harness::hand::borrowed::Borrowed;
use harness::world::docker::attached;
use harness::world::docker::attached::difference::{Difference, Seen, difference};
use harness::world::docker::engine::Engine;
use harness::world::docker::image;
use reports::record::Record;
use scenarios::verdict::Verdict;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Far above the fifteen seconds that a lease and its work take: a busy machine may need longer, what is lost needs for ever.
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// Name, zone, restart policy and networks of each service, in the order in which they are started, and what it asks.
const SERVICES: [(&str, &str, &str, &[&str], &str); 5] = [
    ("worker", "az3", "on-failure:5", &["back"], "db"),
    ("db", "az2", "unless-stopped", &["back"], ""),
    ("api", "az1", "unless-stopped", &["back", "front"], "db"),
    ("cache", "az2", "always", &["back"], ""),
    ("web", "az1", "no", &["front"], "api"),
];
/// The one that is a web server from Debian's packages where Compose starts the project.
const FROM_DEBIAN: &str = "cache";
/// Those in the zone that goes dark.
const DARK: [&str; 2] = ["db", "cache"];

const DAY: &str = r#"
name = "pulled"
title = "A zone of a project of others loses power"
topology = "NAME-zones"
graph = "NAME"
invariants = ["S5", "R1"]

[traffic]
rate = "10/s"

[steady-state]
availability = "90%"
latency-p99 = "1500ms"

[windows]
settle = "40s"
baseline = "3s"
shift = "2s"
recovery = "40s"
quiet = "4s"

[[faults]]
name = "az2-dark"
power-off = { zones = ["az2"] }
lasts = "6s"
"#;

/// A project that runs.
struct Project {
    name: String,
    image: String,
    folder: TempDir,
    by_compose: bool,
    /// An image made from Debian's packages, where one is.
    debian: Option<String>,
}

/// Makes the image of a web server out of a package of Debian's, as `docs/try.md` does.
fn web_server(name: &str) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/try/static-web-server");
    let made = Command::new(script).arg(name).output().expect("the script runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn settings(asks: &str) -> String {
    let dependencies = if asks.is_empty() { String::new() } else { format!(r#"{{"at":"{asks}:8080"}}"#) };
    format!(r#"{{"port":8080,"dependencies":[{dependencies}]}}"#)
}

impl Project {
    /// Writes its Compose file, and makes its image out of our executable.
    fn new(kind: &str, by_compose: bool) -> Self {
        let name = format!("bsattach{kind}{}", std::process::id());
        let image = format!("blackstart-test-attach-{kind}:{}", std::process::id());
        let executable = assert_cmd::cargo::cargo_bin("blackstart");
        block_on(async {
            let (engine, info) = Engine::connect().await.expect("an engine");
            let tar = image::build(Some(&executable), &info.architecture).expect("it is static");
            engine.import_image(&image, &std::collections::BTreeMap::new(), tar).await.expect("it is imported");
        });
        let folder = tempfile::tempdir().expect("a folder");
        let debian = by_compose.then(|| format!("blackstart-test-web-{kind}:{}", std::process::id()));
        debian.as_deref().into_iter().for_each(web_server);
        let project = Self { name, image, folder, by_compose, debian };
        std::fs::write(project.folder.path().join("compose.yaml"), project.compose()).expect("it is written");
        project
    }

    fn compose(&self) -> String {
        let mut text = "version: \"3.7\"\nservices:\n".to_owned();
        for (service, zone, restart, networks, asks) in SERVICES {
            let settings = settings(asks);
            let (image, path) = match &self.debian {
                Some(web) if service == FROM_DEBIAN => (web, "/"),
                _ => (&self.image, if asks.is_empty() { "/readyz" } else { "/thing" }),
            };
            text += &format!("  {service}:\n    image: {image}\n    restart: \"{restart}\"\n");
            if *image == self.image {
                text += &format!("    command: [\"/blackstart\", \"patient\", '{settings}']\n");
            }
            text += &format!("    networks: [{}]\n    expose: [\"8080\"]\n", networks.join(", "));
            text += &format!("    labels: {{blackstart.zone: {zone}}}\n");
            text +=
                &format!("    healthcheck: {{test: [\"CMD\", \"curl\", \"-f\", \"http://localhost:8080{path}\"]}}\n");
            if !asks.is_empty() {
                text += &format!("    environment: {{ASKS: \"http://{asks}:8080\"}}\n");
            }
            if service == "web" {
                text += "    ports: [\"8080\"]\n";
            }
        }
        text + "networks: {front: {}, back: {}}\n"
    }

    /// Writes the game day that its own import belongs to; returns where it is.
    fn imported(&self) -> PathBuf {
        let status = Command::new(assert_cmd::cargo::cargo_bin("blackstart"))
            .args(["import", "compose", "compose.yaml", "--entry", "web", "--name", &self.name])
            .current_dir(self.folder.path())
            .output()
            .expect("it runs");
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
        let day = self.folder.path().join("imported/pulled.toml");
        std::fs::write(&day, DAY.replace("NAME", &self.name)).expect("it is written");
        day
    }

    /// Starts it: by Compose, or as Compose would. `db` does not get the lowest address that will be free.
    fn start(&self) {
        if self.by_compose {
            let up = Command::new("timeout")
                .args(["180", "docker-compose", "-f", "compose.yaml", "-p", &self.name, "up", "-d"])
                .current_dir(self.folder.path())
                .output()
                .expect("docker-compose can be run: Debian's docker-compose");
            assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
            return;
        }
        for network in ["front", "back"] {
            docker(&["network", "create", &self.network(network)]);
        }
        let gap = format!("{}-gap", self.name);
        docker(&["run", "-d", "--name", &gap, "--network", &self.network("back"), &self.image, "/blackstart", "place"]);
        for (service, zone, restart, networks, asks) in SERVICES {
            self.run(service, zone, restart, networks, asks);
        }
        docker(&["rm", "-f", &gap]);
    }

    fn run(&self, service: &str, zone: &str, restart: &str, networks: &[&str], asks: &str) {
        let (name, network) = (self.container(service), self.network(networks[0]));
        let labels = [
            format!("com.docker.compose.project={}", self.name),
            format!("com.docker.compose.service={service}"),
            "com.docker.compose.container-number=1".to_owned(),
            "com.docker.compose.oneoff=False".to_owned(),
            format!("blackstart.zone={zone}"),
        ];
        let mut words = vec!["create", "--name", &name, "--restart", restart, "--network", &network];
        words.extend(["--network-alias", service]);
        words.extend(labels.iter().flat_map(|label| ["--label", label.as_str()]));
        if service == "web" {
            words.extend(["-p", "8080"]);
        }
        let settings = settings(asks);
        words.extend([self.image.as_str(), "/blackstart", "patient", &settings]);
        docker(&words);
        for more in &networks[1..] {
            docker(&["network", "connect", "--alias", service, &self.network(more), &name]);
        }
        docker(&["start", &name]);
    }

    fn network(&self, name: &str) -> String {
        format!("{}_{name}", self.name)
    }

    fn container(&self, service: &str) -> String {
        format!("{}_{service}_1", self.name)
    }

    fn seen(&self) -> Seen {
        let borrowed: [Borrowed; 0] = [];
        block_on(async {
            let (engine, _) = Engine::connect().await.expect("an engine");
            attached::look(&engine, &self.name, &borrowed).await.expect("it answers")
        })
    }

    fn since(&self, service: &str) -> String {
        docker(&["inspect", "-f", "{{.State.StartedAt}}", &self.container(service)])
    }

    fn runs(&self, service: &str) -> bool {
        docker(&["inspect", "-f", "{{.State.Running}}", &self.container(service)]) == "true"
    }

    fn policy(&self, service: &str) -> String {
        let format = "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}";
        docker(&["inspect", "-f", format, &self.container(service)])
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let mut words = vec!["rm".to_owned(), "-f".to_owned(), format!("{}-gap", self.name)];
        words.extend(SERVICES.map(|(service, ..)| self.container(service)));
        let networks = ["front", "back"].map(|network| self.network(network));
        for words in [words, [vec!["network".to_owned(), "rm".to_owned()], networks.into()].concat()] {
            // Still there only where a test has failed already.
            let _left = Command::new("timeout").arg("120").arg("docker").args(words).output();
        }
        for image in [&self.image].into_iter().chain(&self.debian) {
            let _left = Command::new("timeout").args(["60", "docker", "rmi", "-f", image]).output();
        }
    }
}

fn begin(project: &Project, more: &[&str]) -> Running {
    let day = project.imported().display().to_string();
    let mut words = vec![day.as_str(), "--attach", &project.name, "--seed", "1"];
    words.extend(more);
    Running::start(&words)
}

#[track_caller]
fn nothing_is_different(before: &Seen, after: &Seen) {
    let Difference { objects, changed, .. } = difference(before, after);
    assert_eq!((objects, changed), (7, Vec::new()), "five containers and two networks are as they were");
}

fn await_so(what: &str, is_so: impl Fn() -> bool) {
    let began = mono_ns();
    while !is_so() {
        let waited = Duration::from_nanos(mono_ns() - began);
        assert!(waited < BACK_WITHIN, "{what}: not so after {waited:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn held(record: &Record) {
    assert_eq!((record.world.as_str(), record.verdict), ("attached", Verdict::Held), "{:#?}", record.invariants);
    assert_eq!((record.residue.len(), record.measurements.interventions), (0, 0), "{:?}", record.residue);
    assert!(record.replay.contains("--attach"), "{}", record.replay);
    assert!(record.caveats.iter().any(|caveat| caveat.code == "attached-engine"), "{:?}", record.caveats);
}

/// A zone is pulled and comes back; nothing is different but what an engine changes by itself. Whoever was not in that zone was
/// not touched at all.
fn a_zone_is_pulled(project: &Project) {
    project.start();
    let before = project.seen();
    let since = |services: &[&str]| services.iter().map(|service| project.since(service)).collect::<Vec<_>>();
    let (dark, others) = (since(&DARK), since(&["web", "api", "worker"]));
    let ended = begin(project, &["--yes-attach"]).end();
    ended.expect_status(0);
    let record = ended.record();
    held(&record);
    nothing_is_different(&before, &project.seen());
    assert_eq!(since(&["web", "api", "worker"]), others, "{}", ended.stderr);
    assert!(since(&DARK).iter().zip(&dark).all(|(now, then)| now != then), "{}", ended.stderr);
    let told = ended.file("attached.txt").expect("it is a file of the run");
    assert!(told.contains("everything else is as it was") && told.contains("State.StartedAt (2)"), "{told}");
    assert!(ended.stderr.contains("everything else is as it was"), "{}", ended.stderr);
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}

/// The controller is killed while a zone is dark; with its hand, where that is asked: the engine starts it again. Nobody types
/// anything, and everything is as before.
fn the_controller_is_killed(project: &Project, hand_too: bool) {
    project.start();
    let before = project.seen();
    let mut running = begin(project, &["--yes-attach"]);
    running.await_phase("outage");
    await_so("db is dark", || !project.runs("db"));
    assert_eq!(project.policy("cache"), "no:0", "nothing brings it back");
    let second = begin(project, &["--yes-attach"]).end();
    second.expect_status(64);
    let run = running.run_id();
    assert!(second.stderr.contains(&format!("run {run} is attached to project")), "{}", second.stderr);
    if hand_too {
        assert!(kill_hand(&run), "there is a hand");
    }
    running.kill();
    await_so("all have power", || DARK.iter().all(|service| project.runs(service)));
    await_so("policies are back", || {
        project.policy("cache") == "always:0" && project.policy("db") == "unless-stopped:0"
    });
    await_so("nothing of the run is left", || left_of(&run).is_empty());
    nothing_is_different(&before, &project.seen());
}

#[test]
fn a_zone_of_a_project_of_others_is_pulled_and_nothing_is_different_after() {
    let Some(_machine) = machine() else { return };
    a_zone_is_pulled(&Project::new("one", false));
}

#[test]
fn a_controller_killed_while_a_zone_of_others_is_dark_leaves_nothing_different() {
    let Some(_machine) = machine() else { return };
    the_controller_is_killed(&Project::new("two", false), false);
}

/// After a loss of power an engine starts only whose policy says so. Whoever is left is told with its policy, and runs again when the
/// project is given back: it ran before.
#[test]
fn who_has_a_policy_that_does_not_start_it_stays_down_until_the_project_is_given_back() {
    let Some(_machine) = long_machine() else { return };
    let project = Project::new("eight", false);
    project.start();
    let before = project.seen();
    let day = project.imported();
    let text = std::fs::read_to_string(&day).expect("it is there");
    let text =
        text.replace("zones = [\"az2\"]", "zones = [\"az3\"]").replace("recovery = \"40s\"", "recovery = \"12s\"");
    std::fs::write(&day, text).expect("it is written");
    let day = day.display().to_string();
    let ended = Running::start(&[&day, "--attach", &project.name, "--yes-attach"]).end();
    let record = ended.record();
    assert_eq!(record.verdict, Verdict::Violated, "{:#?}", record.invariants);
    let found: Vec<_> = record.findings.iter().filter(|finding| finding.invariant == "S5").collect();
    let [finding] = found.as_slice() else { panic!("one finding: {found:#?}") };
    assert_eq!(finding.service.as_str(), "worker");
    assert_eq!(finding.setting.as_deref(), Some("services.worker.image.restart"));
    assert!(record.caveats.iter().any(|caveat| caveat.code == "not-started"), "{:?}", record.caveats);
    assert_eq!((record.residue.len(), record.measurements.interventions), (0, 0), "{:?}", record.residue);
    assert!(project.runs("worker") && project.policy("worker") == "on-failure:5", "{}", ended.stderr);
    nothing_is_different(&before, &project.seen());
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}

#[test]
fn a_project_is_left_alone_without_a_yes_and_an_unknown_one_is_told() {
    let Some(_machine) = machine() else { return };
    let project = Project::new("three", false);
    project.start();
    let before = project.seen();
    let ended = begin(&project, &[]).end();
    ended.expect_status(64);
    assert!(
        ended.stderr.contains("--yes-attach") && ended.stderr.contains("nothing was done there"),
        "{}",
        ended.stderr
    );
    let untouched = Difference { objects: 7, ..Difference::default() };
    assert_eq!(difference(&before, &project.seen()), untouched, "not even by the engine");
    let day = project.imported().display().to_string();
    let ended = Running::start(&[&day, "--attach", "bsattach-nobody", "--yes-attach"]).end();
    ended.expect_status(64);
    assert!(ended.stderr.contains("com.docker.compose.project=bsattach-nobody"), "{}", ended.stderr);
    docker(&["stop", "-t", "0", &project.container("worker")]);
    docker(&["rm", "-f", &project.container("cache")]);
    let ended = begin(&project, &["--yes-attach"]).end();
    ended.expect_status(64);
    for word in ["service `cache` has no container", &format!("{} does not run", project.container("worker"))] {
        assert!(ended.stderr.contains(word), "{word} is missing in {}", ended.stderr);
    }
}

/// What is paused and killed comes back by the policies of its owner, or is started again in the end where that is `no`.
#[test]
fn a_project_of_others_is_paused_and_its_processes_are_ended() {
    let Some(_machine) = long_machine() else { return };
    let project = Project::new("four", false);
    project.start();
    let before = project.seen();
    let day = project.imported();
    let faults = "[[faults]]\nname = \"still\"\npause = { zones = [\"az3\"] }\nlasts = \"5s\"\n\n\
                  [[faults]]\nname = \"killed\"\nkill = { services = [\"cache\"] }\nafter = \"still\"\n\n\
                  [[faults]]\nname = \"killed-for-good\"\nkill = { services = [\"web\"] }\nafter = \"killed\"\n";
    let text = std::fs::read_to_string(&day).expect("it is there");
    let head = text.split("[[faults]]").next().expect("a head").replace("recovery = \"40s\"", "recovery = \"8s\"");
    std::fs::write(&day, head + faults).expect("it is written");
    let day = day.display().to_string();
    let ended = Running::start(&[&day, "--attach", &project.name, "--yes-attach"]).end();
    let record = ended.record();
    assert_eq!((record.residue.len(), record.measurements.interventions), (0, 0), "{}", ended.stderr);
    assert!(record.caveats.iter().all(|caveat| caveat.code != "unplanned-death"), "{:?}", record.caveats);
    let events = ended.file("events.jsonl").expect("it is a file of the run");
    for fault in ["still", "killed", "killed-for-good"] {
        let took_effect = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).expect("an event");
            event["kind"] == "fault-effect" && event["fault"] == fault && event["holds"] == true
        };
        assert!(events.lines().any(took_effect), "{fault} was not seen to take effect: {}", ended.stderr);
    }
    assert!(project.runs("web") && project.runs("cache"), "{}", ended.stderr);
    nothing_is_different(&before, &project.seen());
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}

#[test]
fn a_project_that_compose_started_is_pulled_and_survives_a_killed_controller_and_hand() {
    let Some(_machine) = long_machine() else { return };
    a_zone_is_pulled(&Project::new("five", true));
    the_controller_is_killed(&Project::new("six", true), false);
    the_controller_is_killed(&Project::new("seven", true), true);
}
