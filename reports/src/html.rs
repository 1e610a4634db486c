//! Owns `coe.html`: one file that needs nothing else, in which a reader sees the verdict, every instance's life, what
//! customers got, who calls whom, and the chain of whys. Refuses to load anything from anywhere, and to draw each of a
//! million events: what is drawn is summed up before.
//!
//! - [`axis`]: time as width, the same in every picture
//! - [`spells`]: which faults were in force when and where
//! - [`lanes`]: zone by zone, every instance's life; [`crowd`]: of a large zone, how many were what
//! - [`strips`]: lives as equal pieces of time
//! - [`traffic`]: what customers of each zone got over time
//! - [`tiers`], [`graph`]: who calls whom, and the whys on it
//! - [`assumed`]: whether the verdict hangs on what was assumed
//! - [`words`]: headings, lists and tables around the pictures

mod assumed;
mod axis;
mod crowd;
mod graph;
mod lanes;
mod spells;
mod strips;
mod tiers;
mod traffic;
mod words;

use crate::fingerprint::Beside;
use crate::harm::{self, Episode};
use crate::lives::{Stretch, lives};
use crate::moments::Moments;
use crate::record::{Record, ServiceRow};
use crate::text::html;
use axis::Axis;
use fixtures::name::ServiceName;
use scenarios::event::Event;
use spells::Spell;
use std::collections::HashMap;

/// How it looks.
const STYLE: &str = include_str!("../templates/report.css");

/// What answers to pointer and keyboard.
const SCRIPT: &str = include_str!("../templates/report.js");

/// What all parts of the page are drawn from; made once.
struct Sight<'a> {
    record: &'a Record,
    events: &'a [Event],
    by_time: Vec<&'a Event>,
    episodes: Vec<Episode>,
    moments: Moments,
    axis: Axis,
    spells: Vec<Spell>,
    /// Of each instance of the record.
    lives: Vec<Vec<Stretch>>,
    services: Vec<ServiceRow>,
    /// Position of each service in `services`.
    position: HashMap<ServiceName, usize>,
}

impl<'a> Sight<'a> {
    fn new(record: &'a Record, events: &'a [Event]) -> Self {
        let by_time = harm::by_time(events);
        let (from_ns, to_ns) = crate::lives::shown(&by_time);
        let axis = Axis { from_ns, to_ns };
        let episodes = harm::since_fault(events);
        let services = services(record);
        let position = services.iter().enumerate().map(|(at, row)| (row.name.clone(), at)).collect();
        Self {
            record,
            events,
            moments: Moments::new(record, events, &episodes),
            spells: spells::spells(record, &by_time, to_ns),
            lives: lives(record, &by_time),
            by_time,
            episodes,
            axis,
            services,
            position,
        }
    }

    /// The service that a link's end stands for: its own name, or that of an instance of it.
    fn service_of(&self, who: &str) -> Option<usize> {
        let row = self.record.instances.iter().find(|row| row.name.as_str() == who);
        let own = row.map(|row| row.service.as_str()).unwrap_or(who);
        self.services.iter().position(|service| service.name.as_str() == own)
    }
}

/// The graph's services; of an early record, which has none, those of its instances without any edge.
fn services(record: &Record) -> Vec<ServiceRow> {
    if !record.services.is_empty() {
        return record.services.clone();
    }
    let mut rows: Vec<ServiceRow> = Vec::new();
    for instance in &record.instances {
        if rows.iter().all(|row| row.name != instance.service) {
            rows.push(ServiceRow {
                name: instance.service.clone(),
                team: instance.team.clone(),
                scope: fixtures::graph::Scope::Regional,
                entry: false,
                needs: Vec::new(),
                calls: Vec::new(),
            });
        }
    }
    rows
}

/// The page.
pub fn render(record: &Record, events: &[Event], beside: &Beside<'_>) -> String {
    let sight = Sight::new(record, events);
    let tiers = tiers::Tiers::new(&sight.services);
    let title = format!("{}: {}", record.verdict.word(), record.title);
    let mut page = String::with_capacity(1 << 20);
    page.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n");
    page.push_str(&format!("<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n", html(&title)));
    page.push_str("<a class=\"skip\" href=\"#main\">Skip to the report</a>\n");
    page.push_str(&words::header(&sight));
    page.push_str("<main id=\"main\">\n");
    page.push_str(&words::invariants(&sight));
    page.push_str(&lanes::section(&sight, &tiers));
    page.push_str(&traffic::section(&sight));
    page.push_str(&graph::section(&sight, &tiers));
    page.push_str(&words::whys(&sight));
    page.push_str(&words::actions(&sight, beside.policy));
    page.push_str(&words::timeline(&sight));
    page.push_str(&assumed::section(&sight));
    page.push_str(&words::about(&sight, beside));
    page.push_str("</main>\n<script>\n");
    page.push_str(SCRIPT);
    page.push_str("</script>\n</body>\n</html>\n");
    page
}
