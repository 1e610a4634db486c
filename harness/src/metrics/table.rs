//! Owns the one table of metrics: names, shapes, labels, units and help. What is printed, the dashboard, the rules and
//! `docs/metrics.md` are checked against it. Refuses to count anything.
//!
//! Names keep the Prometheus conventions: a prefix, base units, `_total` of what only grows. Labels have few values, each
//! bounded by what [`LABELS`] says.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Only grows, and begins at zero with the server.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by these upper bounds.
    Histogram(&'static [f64]),
}

impl Shape {
    /// As the exposition format spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// What is said of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub shape: Shape,
    /// Its labels, each a key of [`LABELS`].
    pub labels: &'static [&'static str],
    /// What one of it is: `seconds`, `runs`, `0 or 1`.
    pub unit: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// A metric with so many labels: whoever counts gives as many values, or it does not compile.
#[derive(Debug, Clone, Copy)]
pub struct Metric<const LABELS: usize>(pub &'static Row);

/// Seconds of a return to service. Built-in regions are back after 1 to 20 s, and their game days give up at 12 to 60 s:
/// there the bounds lie close. Regions with real boots take minutes; who takes more than an hour is beyond judging.
const RECOVERY: &[f64] = &[
    1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0,
];

/// Seconds of a whole run: in virtual time and on an engine from half a minute; long game days take hours.
const LENGTH: &[f64] = &[15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0];

macro_rules! table {
    ($($id:ident = $shape:expr, $name:literal, [$($label:literal),*], $unit:literal, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $id: Metric<{ <[&str]>::len(&[$($label),*]) }> = Metric(&Row {
                name: $name,
                shape: $shape,
                labels: &[$($label),*],
                unit: $unit,
                help: $help,
            });
        )*
        /// Every metric, in the order in which documents tell of them.
        pub const ALL: &[&Row] = &[$($id.0),*];
    };
}

use Shape::{Counter, Gauge, Histogram};

table! {
    RUNS_STARTED = Counter, "blackstart_runs_started_total", ["scenario", "world"], "runs",
        "Game days that were begun.";
    RUNS = Counter, "blackstart_runs_total", ["scenario", "world", "outcome"], "runs",
        "Game days by how they ended.";
    RUN_DURATION = Histogram(LENGTH), "blackstart_run_duration_seconds", ["scenario", "world"], "seconds",
        "From the first event of a run to its last, on the run's own clock.";
    REFUSALS = Counter, "blackstart_refusals_total", ["reason"], "runs",
        "Runs that were due and refused, by the reason.";
    UNFINISHED = Gauge, "blackstart_unfinished_runs", [], "runs",
        "Runs that this server found unfinished when it started, and ended as interrupted.";
    IN_PROGRESS = Gauge, "blackstart_run_in_progress", [], "0 or 1",
        "Whether a run is under way.";
    RUN_STARTED = Gauge, "blackstart_run_started_timestamp_seconds", [], "seconds since 1970",
        "When the last run was begun.";
    PHASE = Gauge, "blackstart_run_phase", ["phase"], "0 or 1",
        "The phase of the run under way; absent where there is none.";

    SCENARIO_VERDICT = Gauge, "blackstart_scenario_verdict", ["scenario", "world", "verdict"], "0 or 1",
        "The verdict of the last run that decided: inconclusive, interrupted and refused ones leave it as it was.";
    SCENARIO_FAILING = Gauge, "blackstart_scenario_failing", ["scenario", "world"], "0 or 1",
        "Whether the last run that decided was violated, by something that no known gap accepts.";
    SCENARIO_DECIDED = Gauge, "blackstart_scenario_last_conclusive_timestamp_seconds", ["scenario", "world"],
        "seconds since 1970", "When the last run that was held or violated ended.";
    FINDINGS = Counter, "blackstart_findings_total", ["invariant", "known"], "findings",
        "Findings of runs by invariant, and whether a known gap accepts them.";
    CAVEATS = Counter, "blackstart_run_caveats_total", ["code"], "caveats",
        "What readers of records are warned of, such as dropped notes or a busy machine.";

    RECOVERY_TIME = Histogram(RECOVERY), "blackstart_recovery_seconds", ["scenario", "world"], "seconds",
        "From power-on to active of the slowest instance that came back; one observation a run.";
    NEVER_BACK = Counter, "blackstart_instances_never_back_total", ["scenario", "world"], "instances",
        "Instances that lost power and were not seen active again.";
    REQUESTS = Counter, "blackstart_customer_requests_total", ["scenario", "world", "result"], "requests",
        "Requests of customers from the fault on, answered or lost.";
    WRITES = Counter, "blackstart_acknowledged_writes_total", ["scenario", "world"], "writes",
        "Writes that were acknowledged to the witness.";
    LOST_WRITES = Counter, "blackstart_lost_writes_total", ["scenario", "world"], "writes",
        "Acknowledged writes that were not there at the end.";
    INTERVENTIONS = Counter, "blackstart_interventions_total", ["scenario", "world"], "acts",
        "Acts of anybody on hosts between power-on and active; each one violates.";

    FAULTS = Gauge, "blackstart_faults_in_force", ["kind"], "faults",
        "Faults that are injected now and not healed yet.";
    RESIDUE = Gauge, "blackstart_residue_objects", ["object"], "objects",
        "What ended runs left on the engine's machine, as the last run or the last sweep found it.";

    SCHEDULE_OUTCOME = Gauge, "blackstart_schedule_outcome", ["schedule", "outcome"], "0 or 1",
        "How the last run of a schedule ended.";
    SCHEDULE_LAG = Gauge, "blackstart_schedule_lag_seconds", ["schedule"], "seconds",
        "How long after it was due the last run of a schedule was begun.";
    SCHEDULE_LAST = Gauge, "blackstart_schedule_last_run_timestamp_seconds", ["schedule"], "seconds since 1970",
        "When the last run of a schedule was begun; absent before the first.";
    SCHEDULE_NEXT = Gauge, "blackstart_schedule_next_run_timestamp_seconds", ["schedule"], "seconds since 1970",
        "When the next run of a schedule is due; absent where none is.";
    SCHEDULE_PERIOD = Gauge, "blackstart_schedule_period_seconds", ["schedule"], "seconds",
        "The usual time from one run of a schedule to the next.";
    SCHEDULE_KNOWN = Gauge, "blackstart_schedule_known_timestamp_seconds", ["schedule"], "seconds since 1970",
        "Since when there is this schedule, as far as the server knows.";
    SCHEDULE_DECIDED = Gauge, "blackstart_schedule_last_conclusive_timestamp_seconds", ["schedule"],
        "seconds since 1970", "When the last run of a schedule that was held or violated ended; absent before the first.";
    SCHEDULE_REFUSED = Gauge, "blackstart_schedule_refused_in_a_row", ["schedule"], "runs",
        "Runs of a schedule that were refused since one was begun.";

    REGION_STATE = Gauge, "blackstart_region_state", ["region", "state"], "0 or 1",
        "At what a standing region is.";
    REGION_AVAILABILITY = Gauge, "blackstart_region_availability_ratio", ["region", "zone"], "ratio",
        "The share of what the customers of a zone asked for in the last five minutes that was answered; what they could not ask for because they were dark counts as not answered.";
    REGION_WANTED = Gauge, "blackstart_region_customer_requests", ["region", "zone"], "requests",
        "What the customers of a zone of a standing region have asked for since it was built, or would have.";
    REGION_ANSWERED = Gauge, "blackstart_region_customer_requests_answered", ["region", "zone"], "requests",
        "How much of that was answered.";
    REGION_ACTIVE = Gauge, "blackstart_region_instances_active", ["region"], "instances",
        "Instances of a standing region that are active.";
    REGION_INSTANCES = Gauge, "blackstart_region_instances", ["region"], "instances",
        "Instances of a standing region.";
    REGION_DRIFT = Gauge, "blackstart_region_drift", ["region"], "differences",
        "What is not as it was declared in a standing region, or as it was left.";
    REGION_BLACK_STARTS = Gauge, "blackstart_region_black_starts", ["region"], "black starts",
        "How often a standing region came back from the dark by itself, of what its ledger keeps.";
    REGION_BLACK_START = Gauge, "blackstart_region_last_black_start_seconds", ["region"], "seconds",
        "From power to active, the last time; absent before the first.";
    REGION_BUILT = Gauge, "blackstart_region_built_timestamp_seconds", ["region"], "seconds since 1970",
        "When a standing region was built.";

    HALTED = Gauge, "blackstart_halted", [], "0 or 1",
        "Whether somebody has halted everything: no run begins before that is lifted.";
    CONDITION_WELL = Gauge, "blackstart_condition_well", ["condition"], "0 or 1",
        "Whether a condition that runs wait for is well.";
    DISK_FREE = Gauge, "blackstart_disk_free_bytes", [], "bytes",
        "Room on the disk of the runs' folder that this process may use.";
    DISK_SIZE = Gauge, "blackstart_disk_size_bytes", [], "bytes",
        "Size of the disk of the runs' folder.";
    EVENTS = Counter, "blackstart_events_total", [], "events",
        "Events of runs that were kept.";
    EVENTS_DROPPED = Counter, "blackstart_events_dropped_total", ["buffer"], "events",
        "Events that a full buffer of the server did not take; records are complete all the same.";
    VIEWERS = Gauge, "blackstart_live_viewers", [], "viewers",
        "Who watches live now.";
    FRAMES = Counter, "blackstart_live_frames_total", [], "frames",
        "Frames of the live view that were handed to viewers.";
    FRAMES_DROPPED = Counter, "blackstart_live_frames_dropped_total", [], "frames",
        "Frames of the live view that slow viewers did not get.";
    HTTP = Counter, "blackstart_http_requests_total", ["route", "code"], "requests",
        "Requests to the server by route and status.";
    DELIVERIES = Counter, "blackstart_deliveries_total", ["receiver", "result"], "messages",
        "Messages to webhooks and traces by what became of them.";
    DELIVERY_RETRIES = Counter, "blackstart_delivery_retries_total", ["receiver"], "attempts",
        "Attempts after the first one of a message.";
    BUILD = Gauge, "blackstart_build_info", ["version"], "always 1",
        "The version of blackstart that serves.";

    CPU = Counter, "process_cpu_seconds_total", [], "seconds",
        "Processor time of the server, its own and the kernel's for it.";
    RESIDENT = Gauge, "process_resident_memory_bytes", [], "bytes",
        "Memory of the server that is resident.";
    OPEN_FILES = Gauge, "process_open_fds", [], "files",
        "Files and sockets that the server has open.";
    MOST_FILES = Gauge, "process_max_fds", [], "files",
        "How many it may have open.";
    THREADS = Gauge, "process_threads", [], "threads",
        "Threads of the server.";
    STARTED = Gauge, "process_start_time_seconds", [], "seconds since 1970",
        "When the server was started.";
}

/// What each label says, and what bounds its values.
pub const LABELS: &[(&str, &str)] = &[
    ("scenario", "name of the scenario; beyond 200 names `other`"),
    ("world", "`docker`, `sim`"),
    ("outcome", "`held`, `violated`, `inconclusive`, `interrupted`, `refused`"),
    ("verdict", "`held`, `violated`"),
    ("reason", "a word of the server's own"),
    ("phase", "a phase of `events.jsonl`: `provision`, `settle`, `baseline`, `outage` …"),
    ("invariant", "id of an invariant"),
    ("known", "`true`, `false`"),
    ("code", "of caveats a word of the record; of requests an HTTP status"),
    ("result", "of requests `answered`, `lost`; of messages `delivered`, `failed`, `dropped`"),
    ("kind", "`power`, `network`, `pause` …: what a fault does"),
    ("object", "`container`, `network`, `cgroup` …"),
    ("schedule", "name of the schedule; beyond 200 names `other`"),
    ("region", "name of a region of the schedule file; beyond 200 names `other`"),
    ("state", "`building`, `well`, `unwell`, `starting`, `lent`, `lost`, `unkept`"),
    ("zone", "a zone of a region; beyond 200 names `other`"),
    ("condition", "name of the condition; beyond 200 names `other`"),
    ("buffer", "a word of the server's own"),
    ("route", "a route of the server, without what varies in it"),
    ("receiver", "`webhook`, `traces`"),
    ("version", "the version"),
];
