//! Owns the claim that the pages on incidents say what graphs, game days and the matrix say: who is found, and what the
//! repair changes, are written from those; sources, names and links must be there. Refuses to play: the tests of `matrix`
//! hold that each incident is found with that culprit and its twin held.

use harness::load;
use harness::matrix::pairs::{Expected, Pair, all};
use scenarios::judge::catalogue;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Game day, who, when, what was learnt; in the order of the calendar.
type Line = (&'static str, &'static str, &'static str, &'static str);

const INCIDENTS: [Line; 13] = [
    (
        "eu-west-2011",
        "AWS EU-West",
        "7 August 2011",
        "Zonal services that ask their peers in all zones carry one dark zone into the others.",
    ),
    (
        "us-east-2012",
        "AWS US East",
        "29 June 2012",
        "A fleet that boots at the pace of one bottleneck turns minutes without power into a long recovery.",
    ),
    (
        "github-2016",
        "GitHub",
        "28 January 2016",
        "What is missed softly while serving can be needed by accident at the start.",
    ),
    (
        "s3-2017",
        "Amazon S3",
        "28 February 2017",
        "What is never restarted whole grows past the time in which it can be.",
    ),
    ("github-2018", "GitHub", "21 October 2018", "A write that nobody else has yet is no write to the next primary."),
    (
        "google-2020",
        "Google",
        "14 December 2020",
        "A data plane that asks a control plane for each request is lost with it.",
    ),
    ("slack-2021", "Slack", "4 January 2021", "A liveness check that looks at others ends those who are well."),
    (
        "facebook-2021",
        "Facebook",
        "4 October 2021",
        "A check that fails closed on an input that all share takes away all at once, the tools for the repair among them.",
    ),
    ("roblox-2021", "Roblox", "28 October 2021", "One cluster behind everything is behind its own monitoring, too."),
    (
        "aws-2021",
        "AWS US East",
        "7 December 2021",
        "Clients that try again keep up what made them fail; layers of them multiply.",
    ),
    ("cold-cache", "Slack", "22 February 2022", "A store that lives behind a warm cache must survive a cold one."),
    (
        "cloudflare-2023",
        "Cloudflare",
        "2 November 2023",
        "Three sites are one site where something that all need is in one; only a test of that one, whole, shows it.",
    ),
    (
        "google-2025",
        "Google Cloud",
        "12 June 2025",
        "After the cause is gone, everybody who starts without a growing pause is the next one.",
    ),
];

const INDEX_HEAD: &str = "# Incidents

Outages of which a public report exists, as graphs and game days. Each page says what happened in public, what is modelled and
what is left out, how the game day finds it, and what the repaired twin changes. This index, and those two last parts of each
page, are written by a test (`harness/tests/it/incidents.rs`); the tests of `matrix` play every incident and its twin.

What happened is told after the report, to which each page links. A culprit is what the report names and the game day asks
about; where the report names more, or the game day asks about a neighbour of it, the page says so. Names of services and teams are invented; nothing is said of anybody's
present systems.

| incident | date | what was learnt | graph | invariant | culprit |
|---|---|---|---|---|---|
";

const HEADINGS: [&str; 6] = [
    "## What happened in public",
    "## What the report names as the cause",
    "## What is modelled",
    "## What is left out, and why it does not matter",
    "## How it is found",
    "## The repair",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page_of(name: &str) -> String {
    format!("docs/incidents/{name}.md")
}

fn graph_of(name: &str) -> String {
    format!("fixtures/graphs/{name}.toml")
}

fn day_of(name: &str) -> String {
    format!("scenarios/game-days/{name}.toml")
}

fn pair_of(name: &str) -> Pair {
    all().into_iter().find(|pair| pair.scenario == name).unwrap_or_else(|| panic!("{name} is not in the matrix"))
}

/// Compares with the committed file; `BLACKSTART_BLESS=1` writes it.
#[track_caller]
fn is_committed(path: &str, text: &str) {
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(root().join(path), text).expect("writable");
    }
    let committed = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(committed == text, "{path} is stale: run the tests with BLACKSTART_BLESS=1");
}

/// The page with another text between `<!-- part -->` and `<!-- /part -->`.
#[track_caller]
fn filled(page: &str, part: &str, text: &str) -> String {
    let (open, close) = (format!("<!-- {part} -->\n"), format!("<!-- /{part} -->\n"));
    let (before, rest) = page.split_once(&open).unwrap_or_else(|| panic!("it has no {open}"));
    let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("it has no {close}"));
    format!("{before}{open}{text}{close}{after}")
}

/// The comment with which a file begins, as one line.
fn header(text: &str) -> String {
    let comment = text.lines().skip(1).map_while(|line| line.strip_prefix('#'));
    comment.map(str::trim).collect::<Vec<_>>().join(" ")
}

fn addresses(text: &str) -> BTreeSet<String> {
    let ends = |c: char| c.is_whitespace() || ['>', ')', '|'].contains(&c);
    text.match_indices("https://").filter_map(|(at, _)| text[at..].split(ends).next().map(str::to_owned)).collect()
}

fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn culprit(expected: &Expected) -> String {
    let leans = expected.dependency.as_ref().map(|to| format!(" leans on `{to}`")).unwrap_or_default();
    format!("`{}`{leans}", expected.service)
}

/// Who is found, on the day and without one.
fn how_it_is_found(pair: &Pair) -> String {
    let name = pair.scenario;
    let mut text = format!("`blackstart run {name} --world sim` is violated, and finds:\n\n");
    text += "| invariant | what must be true | culprit | setting |\n|---|---|---|---|\n";
    for expected in &pair.expected {
        let entry = catalogue().iter().find(|entry| entry.id == expected.invariant).expect("it is in the catalogue");
        text += &format!("| {} | {} | {} | `{}` |\n", entry.id, entry.statement, culprit(expected), expected.setting);
    }
    let judged = load::scenario(name, false).expect("it loads").scenario.invariants;
    text += &format!("\nThe day judges {}.", listed(&judged));
    let found: Vec<String> = load::diagnose(name)
        .findings
        .iter()
        .map(|one| format!("{} of `{}` (`{}`)", one.finding.check, one.finding.service, one.finding.setting))
        .collect();
    if !found.is_empty() {
        text += &format!(" Without a run, `blackstart check {name}` tells {}.", listed(&found));
    }
    text + "\n"
}

/// A table of a TOML file, comments left out.
#[derive(Debug, Default)]
struct Table {
    /// Its line, such as `[[services]]`; of the first one empty.
    head: String,
    /// The service that it is or belongs to.
    service: String,
    /// Its keys with their values, each of one line or of several.
    entries: Vec<String>,
}

fn tables(text: &str) -> Vec<Table> {
    let (mut all, mut depth) = (vec![Table::default()], 0_usize);
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if depth == 0 && line.starts_with('[') {
            let service = all.last().map(|table| table.service.clone()).unwrap_or_default();
            all.push(Table { head: line.to_owned(), service, entries: Vec::new() });
            continue;
        }
        let table = all.last_mut().expect("there is one from the beginning");
        match table.entries.last_mut().filter(|_| depth > 0) {
            Some(entry) => *entry += &format!("\n{line}"),
            None => table.entries.push(line.to_owned()),
        }
        if table.head == "[[services]]"
            && let Some(name) = line.strip_prefix("name = ")
        {
            table.service = name.trim_matches('"').to_owned();
        }
        let count = |of: [char; 2]| line.matches(of).count();
        depth = (depth + count(['[', '{'])).saturating_sub(count([']', '}']));
    }
    all
}

/// What differs between two files, but for the keys at their beginning that must: each table of both, with the key that
/// names it and those that differ.
fn differences(defect: &str, twin: &str, must: &[&str]) -> Vec<(String, String, String)> {
    let (mut left, mut right) = (tables(defect), tables(twin));
    for first in [&mut left[0], &mut right[0]] {
        first.entries.retain(|entry| !must.iter().any(|key| entry.starts_with(&format!("{key} = "))));
    }
    assert_eq!(left.len(), right.len(), "a table is in one of them only");
    let quote = |table: &Table, other: &Table| -> String {
        let differing =
            table.entries.iter().enumerate().filter(|(at, entry)| *at == 0 || !other.entries.contains(entry));
        let lines: Vec<&str> = differing.map(|(_, entry)| entry.as_str()).collect();
        format!("{}\n{}\n", table.head, lines.join("\n"))
    };
    let pairs = left.iter().zip(&right).filter(|(one, other)| one.entries != other.entries);
    pairs.map(|(one, other)| (one.service.clone(), quote(one, other), quote(other, one))).collect()
}

/// What the twin changes.
fn repair(pair: &Pair) -> String {
    let (name, twin) = (pair.scenario, pair.twin());
    let days = differences(&read(&day_of(name)), &read(&day_of(&twin)), &["name", "title", "graph"]);
    assert!(days.is_empty(), "{name}: the day of the twin is another one: {days:?}");
    let found = differences(&read(&graph_of(name)), &read(&graph_of(&twin)), &["name", "title"]);
    let services: Vec<String> = found.iter().map(|(service, ..)| format!("`{service}`")).collect();
    let before: Vec<&str> = found.iter().map(|(_, before, _)| before.as_str()).collect();
    let after: Vec<&str> = found.iter().map(|(.., after)| after.as_str()).collect();
    let quoted = |tables: &[&str]| format!("```toml\n{}```\n", tables.join("\n"));
    let mut text = format!("The graph [`{name}`](../../{}) says of {}:\n\n", graph_of(name), listed(&services));
    text += &quoted(&before);
    text += &format!("\nIts twin [`{twin}`](../../{}) says:\n\n{}\n", graph_of(&twin), quoted(&after));
    text += &format!("Nothing else differs, and the days ([`{name}`](../../{}),", day_of(name));
    text += &format!(" [`{twin}`](../../{})) differ in the graph alone.\n", day_of(&twin));
    text + &format!("`blackstart run {twin} --world sim` is held.\n")
}

#[test]
fn pages_say_who_is_found_and_what_the_repair_changes() {
    for (name, ..) in INCIDENTS {
        let (path, pair) = (page_of(name), pair_of(name));
        let page = filled(&read(&path), "found", &how_it_is_found(&pair));
        is_committed(&path, &filled(&page, "repair", &repair(&pair)));
    }
}

/// Year, month and day of `4 October 2021`.
fn calendar(date: &str) -> (u16, usize, u16) {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let words: Vec<&str> = date.split(' ').collect();
    let number = |at: usize| words[at].parse::<u16>().expect("it is a number");
    let month = MONTHS.iter().position(|month| *month == words[1]).expect("it is a month");
    (number(2), month, number(0))
}

#[test]
fn the_index_has_every_incident_in_the_order_of_the_calendar() {
    let mut text = INDEX_HEAD.to_owned();
    for (name, who, date, learnt) in INCIDENTS {
        let expected = pair_of(name).expected;
        let invariants: Vec<String> = expected.iter().map(|one| one.invariant.to_owned()).collect();
        let mut culprits: Vec<String> =
            expected.iter().map(|one| format!("{} (`{}`)", culprit(one), one.setting)).collect();
        culprits.dedup();
        text += &format!("| [{who}]({name}.md) | {date} | {learnt} | [`{name}`](../../{}) ", graph_of(name));
        text += &format!("| {} | {} |\n", listed(&invariants), listed(&culprits));
    }
    is_committed("docs/incidents/README.md", &text);
    assert!(INCIDENTS.is_sorted_by_key(|(_, _, date, _)| calendar(date)), "sort it");
}

/// A graph whose header tells of something in public is an incident: each has a page, and each page a graph.
#[test]
fn every_incident_has_a_page_and_every_page_an_incident() {
    let stems = |folder: &str, told: fn(&str) -> bool| -> BTreeSet<String> {
        let names = std::fs::read_dir(root().join(folder)).expect("it is there").flatten();
        let paths = names.map(|entry| entry.path()).filter(|path| path.is_file());
        let told = paths.filter(|path| told(&std::fs::read_to_string(path).expect("it is text")));
        told.map(|path| path.file_stem().expect("it has a name").to_string_lossy().into_owned()).collect()
    };
    let expected: BTreeSet<String> = INCIDENTS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let mut graphs = stems("fixtures/graphs", |text| text.contains("# What happened in public:"));
    graphs.retain(|name| !name.ends_with("-repaired"));
    assert_eq!(graphs, expected);
    let mut pages = stems("docs/incidents", |_| true);
    assert!(pages.remove("README"));
    assert_eq!(pages, expected);
}

#[test]
fn each_page_has_the_date_and_the_source_of_its_graph() {
    for (name, who, date, _) in INCIDENTS {
        let (page, header, day) = (read(&page_of(name)), header(&read(&graph_of(name))), header(&read(&day_of(name))));
        assert!(page.starts_with(&format!("# {who}, {date}: ")), "{name}: its title");
        assert!(header.contains(date), "{name}: the graph's header has another date");
        let source = header.split("Source: ").nth(1).and_then(|rest| rest.split("Modelled: ").next());
        let source = addresses(source.expect("the header has a source"));
        assert_eq!(source.len(), 1, "{name}");
        assert_eq!(addresses(&page), source, "{name}");
        let line = page.lines().nth(2).expect("it has three lines");
        assert_eq!(line, format!("Source: <{}>", source.first().expect("there is one")), "{name}");
        assert!(addresses(&day).is_subset(&source), "{name}: its day has another source");
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, HEADINGS, "{name}");
    }
}

/// Whatever a page quotes is in its graph, in its day, or the name of another day; what is written by a test is left out.
#[test]
fn what_a_page_quotes_is_there() {
    let mut missing = Vec::new();
    for (name, ..) in INCIDENTS {
        let page = filled(&filled(&read(&page_of(name)), "found", ""), "repair", "");
        let texts = read(&graph_of(name)) + &read(&day_of(name));
        for quoted in page.split('`').skip(1).step_by(2) {
            let is_day = scenarios::builtin::scenario_names().any(|day| day == quoted);
            if !is_day && !texts.contains(quoted) {
                missing.push(format!("{}: `{quoted}`", page_of(name)));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Every page of the documentation, and the pages at the root.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("it is there").flatten().map(|entry| entry.path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    found.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    found
}

#[test]
fn no_document_links_to_a_file_that_does_not_exist() {
    let mut broken = Vec::new();
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("it is text");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            let file = target.split('#').next().unwrap_or_default();
            let is_file = !file.is_empty() && !file.contains("://");
            if is_file && !path.parent().expect("it has one").join(file).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
