//! Owns the claims about game days on a project that somebody else started where no engine is asked: which container is which
//! instance, what is refused, and that all of it is told at once. Refuses to start containers.

use harness::hand::borrowed::{Endpoint, Policy};
use harness::load::{self, Loaded};
use harness::world::docker::attached::Attachment;
use harness::world::docker::attached::difference::BY_ENGINE;
use harness::world::docker::attached::fit::{Wish, asked_from_outside, fit};
use harness::world::docker::engine::project::{Condition, Member};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

/// A project as its owner writes it: two of `web`, a name that is no label, a health check that is a command.
const COMPOSE: &str = r#"
services:
  web:
    image: shop/web:1
    ports: ["8080:8080"]
    deploy: {replicas: 2}
    environment: {API_URL: "http://the_api:9000"}
  the_api:
    image: shop/api:1
    expose: ["9000"]
    labels: {blackstart.zone: az2}
    healthcheck: {test: ["CMD", "/bin/ask-me"]}
  db:
    image: shop/db:1
    expose: ["5432"]
    labels: {blackstart.zone: az3}
"#;

fn typed(folder: &Path, words: &[&str]) -> (i32, String) {
    let mut command = assert_cmd::Command::cargo_bin("blackstart").expect("it is built");
    let output = command.args(words).current_dir(folder).env("NO_COLOR", "1").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("it exits"), text)
}

/// What an import writes of it, with other faults where a test wants them.
fn imported(mock: &[&str], faults: Option<&str>) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("compose.yaml"), COMPOSE).expect("it is written");
    let mut words = vec!["import", "compose", "compose.yaml", "--name", "shop"];
    words.extend(mock);
    let (status, told) = typed(folder.path(), &words);
    assert_eq!(status, 0, "{told}");
    let path = folder.path().join("imported/shop-zone-dark.toml");
    if let Some(faults) = faults {
        let text = std::fs::read_to_string(&path).expect("it is there");
        let head = text.split("[[faults]]").next().expect("a head").to_owned();
        std::fs::write(&path, head + faults).expect("it is written");
    }
    load::scenario(&path.display().to_string(), false).unwrap_or_else(|bad| panic!("{}", bad.text))
}

fn member(service: &str, number: u8, labels: &[(&str, &str)]) -> Member {
    let own = [
        ("com.docker.compose.project", "shop".to_owned()),
        ("com.docker.compose.service", service.to_owned()),
        ("com.docker.compose.container-number", number.to_string()),
        ("com.docker.compose.oneoff", "False".to_owned()),
    ];
    let more = labels.iter().map(|(key, value)| (*key, (*value).to_owned()));
    let place = service.bytes().fold(number, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    Member {
        id: format!("id-{service}-{number}"),
        name: format!("shop_{service}_{number}"),
        labels: own.into_iter().chain(more).map(|(key, value)| (key.to_owned(), value)).collect(),
        condition: Condition { running: true, ..Condition::default() },
        network_mode: "shop_default".to_owned(),
        policy: Policy { name: "always".to_owned(), retries: 0 },
        endpoints: vec![Endpoint {
            network: "n1".to_owned(),
            address: Ipv4Addr::new(172, 18, 0, place.max(2)),
            fixed: false,
        }],
        drivers: ["bridge".to_owned()].into(),
        ..Member::default()
    }
}

/// All of the project, in another order than the graph's.
fn project() -> Vec<Member> {
    vec![
        member("db", 1, &[("blackstart.zone", "az3")]),
        member("web", 2, &[]),
        member("the_api", 1, &[("blackstart.zone", "az2")]),
        member("web", 1, &[]),
    ]
}

fn asked(loaded: &Loaded, members: &[Member], consent: bool, other: Option<&str>) -> Result<Attachment, Vec<String>> {
    let Loaded { graph, placement, plan, .. } = loaded;
    fit(Wish { project: "shop", consent, members, other, slices: false, graph, placement, plan })
}

#[track_caller]
fn refused(loaded: &Loaded, members: &[Member], words: &[&str]) {
    let problems = asked(loaded, members, true, None).expect_err("it is refused");
    assert_eq!(problems.len(), words.len(), "{problems:#?}");
    for word in words {
        assert!(problems.iter().any(|problem| problem.contains(word)), "{word} is missing in {problems:#?}");
    }
}

#[test]
fn each_container_becomes_the_instance_that_it_is() {
    let attachment = asked(&imported(&[], None), &project(), true, None).unwrap_or_else(|told| panic!("{told:#?}"));
    let hosts: BTreeMap<&str, &str> =
        attachment.hosts.iter().map(|(host, lent)| (host.as_str(), lent.container.as_str())).collect();
    let expected = [
        ("az1-web-0", "shop_web_1"),
        ("az2-the-api-0", "shop_the_api_1"),
        ("az2-web-0", "shop_web_2"),
        ("az3-db-0", "shop_db_1"),
    ];
    assert_eq!(hosts, BTreeMap::from(expected));
    let web = attachment.borrowed.iter().find(|one| one.host == "az1-web-0").expect("it is borrowed");
    assert_eq!((web.cgroup.as_str(), web.policy.name.as_str()), ("/docker/id-web-1", "always"));
    assert_eq!(attachment.asked_by_port.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["the-api"]);
    assert!(attachment.beside.is_empty());
    let codes: Vec<&str> = attachment.told().iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["attached", "attached-probes"]);
}

#[test]
fn what_is_no_part_of_the_graph_is_left_alone_and_told() {
    let mut members = project();
    members.push(member("mailer", 1, &[]));
    let mut once = member("web", 1, &[("com.docker.compose.oneoff", "True")]);
    once.name = "shop_web_run_1".to_owned();
    let mut ended = member("migrate", 1, &[]);
    ended.condition.running = false;
    members.extend([once, ended]);
    let attachment = asked(&imported(&[], None), &members, true, None).unwrap_or_else(|told| panic!("{told:#?}"));
    assert_eq!(attachment.beside, ["shop_mailer_1", "shop_web_run_1"]);
    assert_eq!(attachment.hosts.len(), 4);
}

#[test]
fn nothing_is_done_without_a_yes_and_one_game_day_is_held_at_a_time() {
    let loaded = imported(&[], None);
    let problems = asked(&loaded, &project(), false, None).expect_err("nobody said yes");
    assert!(problems.len() == 1 && problems[0].contains("--yes-attach") && problems[0].contains("(4 have none)"));
    let agreed = |members: Vec<Member>| -> Vec<Member> {
        let with = |mut member: Member| {
            member.labels.insert("blackstart.attach".to_owned(), "yes".to_owned());
            member
        };
        members.into_iter().map(with).collect()
    };
    assert!(asked(&loaded, &agreed(project()), false, None).is_ok(), "the label is a yes");
    let problems = asked(&loaded, &project(), true, Some("20261130-1-abc123")).expect_err("another one is there");
    assert!(problems.len() == 1 && problems[0].contains("run 20261130-1-abc123 is attached"));
    let problems = asked(&loaded, &[], true, None).expect_err("there is no such project");
    assert!(problems.len() == 1 && problems[0].contains("com.docker.compose.project=shop"));
}

#[test]
fn everything_that_does_not_fit_is_told_at_once() {
    let loaded = imported(&[], None);
    let mut members = project();
    members.retain(|member| member.name != "shop_db_1");
    members.push(member("web", 3, &[]));
    members.push(member("The-API", 1, &[]));
    refused(
        &loaded,
        &members,
        &[
            "service `db` has no container",
            "service `web` has 3 container(s) in project `shop` and 2 instance(s)",
            "service `the-api` has 2 container(s)",
            "The-API, the_api of the project would all be `the-api`",
        ],
    );
}

#[test]
fn a_container_that_could_not_be_put_back_is_refused() {
    let loaded = imported(&[], None);
    let mut members = project();
    members[0].condition.running = false;
    members[0].endpoints.clear();
    members[1].network_mode = "host".to_owned();
    members[2].removed_at_end = true;
    members[3].drivers = ["macvlan".to_owned()].into();
    let told =
        ["shop_db_1 does not run", "shop_web_2 is on the machine's own", "shop_the_api_1 is removed", "`macvlan`"];
    refused(&loaded, &members, &told);
    let mut members = project();
    members[0].condition.paused = true;
    members[1].network_mode = "container:0123".to_owned();
    members[3].condition.restarting = true;
    refused(&loaded, &members, &["docker unpause shop_db_1", "shares the network", "ends again and again"]);
}

#[test]
fn a_zone_that_the_graph_does_not_have_is_told() {
    let mut members = project();
    members[0].labels.insert("blackstart.zone".to_owned(), "az9".to_owned());
    refused(&imported(&[], None), &members, &["shop_db_1 is in zone `az9`"]);
}

#[test]
fn faults_that_need_networks_or_disks_of_our_own_are_refused_by_name() {
    let faults = "[[faults]]\nname = \"full\"\ndisk-full = { zones = [\"az2\"] }\nlasts = \"5s\"\n\n\
                  [[faults]]\nname = \"still\"\npause = { zones = [\"az2\"] }\nlasts = \"5s\"\n";
    refused(&imported(&[], Some(faults)), &project(), &["fault `full` (disk-full) cannot be put upon a project"]);
}

#[test]
fn a_graph_of_mock_services_is_refused() {
    let problems = asked(&imported(&["--mock"], None), &project(), true, None).expect_err("nobody could be asked");
    assert!(problems.iter().filter(|problem| problem.contains("is a mock service in this graph")).count() == 3);
}

#[test]
fn a_command_inside_is_asked_from_outside() {
    let graph = asked_from_outside(imported(&[], None).graph);
    for image in graph.services.iter().filter_map(|service| service.image.as_ref()) {
        assert!(image.probe.port > 0 && image.client.port > 0, "{image:?}");
    }
}

#[test]
fn slices_are_named_as_systemd_names_them() {
    let loaded = imported(&[], None);
    let Loaded { graph, placement, plan, .. } = &loaded;
    let mut members = project();
    members[0].cgroup_parent = "shop-back.slice".to_owned();
    let wish =
        Wish { project: "shop", consent: true, members: &members, other: None, slices: true, graph, placement, plan };
    let attachment = fit(wish).unwrap_or_else(|told| panic!("{told:#?}"));
    let groups: BTreeMap<&str, &str> =
        attachment.borrowed.iter().map(|one| (one.host.as_str(), one.cgroup.as_str())).collect();
    assert_eq!(groups["az3-db-0"], "/shop.slice/shop-back.slice/docker-id-db-1.scope");
    assert_eq!(groups["az1-web-0"], "/system.slice/docker-id-web-1.scope");
}

#[test]
fn what_cannot_be_meant_together_is_refused_before_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    for more in [["--attach", "shop", "--world", "sim"].as_slice(), &["--attach", "shop", "--mock"], &["--yes-attach"]]
    {
        let words: Vec<&str> = ["run", "minimal"].iter().chain(more).copied().collect();
        let (status, told) = typed(folder.path(), &words);
        assert_eq!(status, 64, "{words:?}: {told}");
    }
}

/// The page lists what an engine changes by itself; so does the code, and nobody else.
#[test]
fn the_page_names_every_field_that_an_engine_changes_by_itself() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attach.md")).expect("a page");
    for (field, _) in BY_ENGINE {
        let row = format!("| `{}` |", field.join("."));
        assert!(page.contains(&row), "docs/attach.md does not have {row}");
    }
}
