//! Owns what a readiness review asks of a service, and what corrections that were verified taught to ask of all. Refuses
//! to ask what no run could answer.
//!
//! In our own words after the public questions of the Well-Architected whitepaper on operational readiness reviews
//! (docs.aws.amazon.com/wellarchitected/latest/operational-readiness-reviews) and the template of A. Hornsby
//! (github.com/adhorn/operational-excellence).

use crate::actions::Action;
use crate::history::Entry;
use crate::page::Text;
use fixtures::graph::Graph;
use fixtures::name::ServiceName;

/// One question for every service.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// A short stable word.
    pub id: &'static str,
    /// The question.
    pub text: &'static str,
    /// Invariants of which the held one answers yes, the violated one no.
    pub invariants: &'static [&'static str],
    /// Kinds of faults that ask it.
    pub faults: &'static [&'static str],
    /// Asked only of services that store something.
    pub of_stores: bool,
}

/// All of them.
pub const QUESTIONS: [Question; 9] = [
    Question {
        id: "zone loss",
        text: "Do customers of the other zones notice nothing when a whole zone of it loses power, with nobody changing anything?",
        invariants: &["Z1"],
        faults: &["power-off"],
        of_stores: false,
    },
    Question {
        id: "return",
        text: "Does every instance come back by itself after power returns, with nobody's hand and in any order?",
        invariants: &["S5"],
        faults: &["power-off", "restart"],
        of_stores: false,
    },
    Question {
        id: "late hosts",
        text: "Does it come back when some hosts boot late, or not at all?",
        invariants: &["S5", "R1"],
        faults: &["boot"],
        of_stores: false,
    },
    Question {
        id: "steady state",
        text: "Are its customers served as before once a fault is over, at the same load?",
        invariants: &["R1"],
        faults: &["power-off", "restart", "pause", "cut", "link"],
        of_stores: false,
    },
    Question {
        id: "durability",
        text: "Is every write that it acknowledged there after a loss of power?",
        invariants: &["A1"],
        faults: &["power-off"],
        of_stores: true,
    },
    Question {
        id: "process",
        text: "Does a killed or ended process of it come back without harm to customers?",
        invariants: &["Z1", "S5", "R1"],
        faults: &["kill", "exit"],
        of_stores: false,
    },
    Question {
        id: "network",
        text: "Is a cut, slow or lossy network between its zones survived, and its end too?",
        invariants: &["Z1", "R1"],
        faults: &["cut", "link"],
        of_stores: false,
    },
    Question {
        id: "shortage",
        text: "Is the harm bounded when hosts are frozen, or short of processor or memory?",
        invariants: &["Z1", "R1"],
        faults: &["pause", "processor", "memory"],
        of_stores: false,
    },
    Question {
        id: "disk",
        text: "Is a full, slow or failing disk survived without a lost write?",
        invariants: &["A1", "R1"],
        faults: &["disk-full", "disk-slow", "disk-errors"],
        of_stores: true,
    },
];

/// What a verified correction taught.
#[derive(Debug, Clone)]
pub(super) struct Lesson {
    action: Action,
    /// The graph, and the service that learnt it.
    graph: String,
    service: Option<ServiceName>,
    pub(super) invariant: String,
    /// Kinds of faults that showed it.
    pub(super) faults: Vec<String>,
}

impl Lesson {
    /// Whether it is the service's own: then the correction itself is its answer.
    pub(super) fn is_of(&self, graph: &Graph, service: &ServiceName) -> bool {
        self.graph == graph.name.as_str() && self.service.as_ref() == Some(service)
    }

    pub(super) fn asked(&self) -> Text {
        let Action { found, scenario, first, invariant, .. } = &self.action;
        Text::told(&format!("Elsewhere {invariant} was violated: {found} ("))
            .code(scenario.clone())
            .plain(", ")
            .code(first.run.clone())
            .plain("); it was mended and verified. Has the same been shown not to happen here?")
    }
}

/// A question for all of each verified correction; several scenarios of one fingerprint teach one lesson.
pub(super) fn lessons(verified: &[Action], runs: &[Entry]) -> Vec<Lesson> {
    let mut lessons: Vec<Lesson> = Vec::new();
    for action in verified {
        if lessons.iter().any(|lesson| lesson.action.fingerprint == action.fingerprint) {
            continue;
        }
        let Some(run) = runs.iter().find(|run| run.run == action.first.run) else { continue };
        let found = run.findings.iter().find(|found| found.fingerprint == action.fingerprint);
        let mut faults: Vec<String> = run.hits.iter().map(|hit| hit.fault.clone()).collect();
        faults.sort();
        faults.dedup();
        lessons.push(Lesson {
            action: action.clone(),
            graph: run.graph.clone(),
            service: found.and_then(|found| found.service.clone()),
            invariant: action.invariant.clone(),
            faults,
        });
    }
    lessons
}
