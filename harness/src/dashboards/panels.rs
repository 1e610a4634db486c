//! Owns what is on the dashboard: sections, panels, their queries, units and descriptions. Refuses to know how a dashboard is
//! written down.
//!
//! In queries `@` stands for the server that was chosen, `#` for the scenarios.

/// How a panel draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// One figure each, as it is now.
    Figure,
    /// Lines over time.
    Lines,
    /// Bars over time, one on the other.
    Bars,
    /// What was so, over time, as coloured stretches.
    States,
    /// How many fell between which bounds, over time.
    Heat,
    /// One bar each over the whole range.
    Ranking,
}

/// What numbers mean, and their colour.
pub type Words = &'static [(u8, &'static str, &'static str)];

/// Of gauges that are good at 1.
pub const WELL: Words = &[(0, "bad", "red"), (1, "well", "green")];
/// Of gauges that are nothing special at 0.
pub const YES: Words = &[(0, "no", "text"), (1, "yes", "orange")];
/// Of gauges where 1 is good news or none.
pub const UNDER_WAY: Words = &[(0, "idle", "text"), (1, "under way", "blue")];
/// Of a scenario.
pub const VERDICTS: Words = &[(0, "held", "green"), (1, "violated", "red")];
/// Of a schedule.
pub const OUTCOMES: Words = &[
    (1, "held", "green"),
    (2, "violated", "red"),
    (3, "inconclusive", "yellow"),
    (4, "interrupted", "purple"),
    (5, "refused", "orange"),
];
const NO_WORDS: Words = &[];

/// One panel.
#[derive(Debug)]
pub struct Panel {
    /// Its title.
    pub title: &'static str,
    /// What it says, and what to look for.
    pub description: &'static str,
    /// How it draws.
    pub draw: Draw,
    /// Grafana's word for the unit.
    pub unit: &'static str,
    /// What numbers mean; empty where they are numbers.
    pub words: Words,
    /// Of the 24 columns.
    pub width: u32,
    /// Queries with their legends.
    pub queries: &'static [(&'static str, &'static str)],
}

/// One section.
#[derive(Debug)]
pub struct Section {
    /// Its title.
    pub title: &'static str,
    /// How high its panels are.
    pub height: u32,
    /// Its panels, from left to right.
    pub panels: &'static [Panel],
}

macro_rules! panel {
    ($draw:ident $width:literal $unit:literal $words:ident, $title:literal, $description:literal, [$(($expr:literal, $legend:literal)),* $(,)?]) => {
        Panel {
            title: $title,
            description: $description,
            draw: Draw::$draw,
            unit: $unit,
            words: $words,
            width: $width,
            queries: &[$(($expr, $legend)),*],
        }
    };
}

/// All of it, from top to bottom.
pub const SECTIONS: &[Section] = &[
    Section { title: "Now", height: 4, panels: NOW },
    Section { title: "Verdicts", height: 8, panels: VERDICT },
    Section { title: "Recovery and customers", height: 8, panels: RECOVERY },
    Section { title: "Schedule", height: 7, panels: SCHEDULE },
    Section { title: "Standing regions", height: 7, panels: REGIONS },
    Section { title: "The run under way", height: 7, panels: RUN },
    Section { title: "Server", height: 7, panels: SERVER },
];

const NOW: &[Panel] = &[
    panel!(Figure 4 "short" UNDER_WAY, "Run", "Whether a run is under way.", [("max(blackstart_run_in_progress{@})", "")]),
    panel!(Figure 4 "short" YES, "Halted", "Somebody pressed halt: no run begins.", [("max(blackstart_halted{@})", "")]),
    panel!(Figure 4 "short" NO_WORDS, "Failing scenarios", "Scenarios whose last deciding run was violated, beyond known gaps.",
        [("sum(blackstart_scenario_failing{@}) or vector(0)", "")]),
    panel!(Figure 4 "short" NO_WORDS, "Faults in force", "Injected now and not healed yet.", [("sum(blackstart_faults_in_force{@}) or vector(0)", "")]),
    panel!(Figure 4 "short" NO_WORDS, "Residue", "Objects that ended runs left behind. It should be 0.", [("sum(blackstart_residue_objects{@}) or vector(0)", "")]),
    panel!(Figure 4 "s" NO_WORDS, "Next run in", "Until the first run that is due; below zero it is overdue.",
        [("min(blackstart_schedule_next_run_timestamp_seconds{@}) - time()", "")]),
];

const VERDICT: &[Panel] = &[
    panel!(States 12 "short" VERDICTS, "Verdicts over time", "The last verdict of each scenario that was held or violated. Runs that decide nothing leave it as it was.",
        [("max by (scenario, world) (blackstart_scenario_verdict{@,#,verdict=\"violated\"})", "{{scenario}} in {{world}}")]),
    panel!(States 12 "short" OUTCOMES, "Last outcome of each schedule", "How the last run of each schedule ended, refused ones among them.",
        [("sum by (schedule) (blackstart_schedule_outcome{@,outcome=\"held\"}) + 2 * sum by (schedule) (blackstart_schedule_outcome{@,outcome=\"violated\"}) + 3 * sum by (schedule) (blackstart_schedule_outcome{@,outcome=\"inconclusive\"}) + 4 * sum by (schedule) (blackstart_schedule_outcome{@,outcome=\"interrupted\"}) + 5 * sum by (schedule) (blackstart_schedule_outcome{@,outcome=\"refused\"})", "{{schedule}}")]),
    panel!(Bars 12 "short" NO_WORDS, "Runs by outcome", "How many ended in which way.",
        [("sum by (outcome) (increase(blackstart_runs_total{@,#}[$__interval]))", "{{outcome}}")]),
    panel!(Ranking 12 "short" NO_WORDS, "Findings by invariant", "What was found in the time shown, and that no known gap accepts.",
        [("sum by (invariant) (increase(blackstart_findings_total{@,known=\"false\"}[$__range])) > 0", "{{invariant}}")]),
];

const RECOVERY: &[Panel] = &[
    panel!(Lines 12 "s" NO_WORDS, "Time to recover", "From power-on to active of the slowest instance; nine of ten runs of a week were quicker. A line that climbs is a region that ages badly.",
        [("scenario:blackstart_recovery_seconds:p90_7d{#}", "{{scenario}} in {{world}}")]),
    panel!(Heat 12 "s" NO_WORDS, "Time to recover, all runs", "How many runs came back within which time.",
        [("sum by (le) (increase(blackstart_recovery_seconds_bucket{@,#}[$__interval]))", "{{le}}")]),
    panel!(Lines 12 "percentunit" NO_WORDS, "Requests lost", "Share of customers' requests from the fault on that were not answered.",
        [("sum by (scenario, world) (increase(blackstart_customer_requests_total{@,#,result=\"lost\"}[1d])) / (sum by (scenario, world) (increase(blackstart_customer_requests_total{@,#}[1d])) > 0)", "{{scenario}} in {{world}}")]),
    panel!(Bars 12 "short" NO_WORDS, "What must be zero", "Acknowledged writes that were lost, instances that never came back, and acts of anybody during recovery.",
        [("sum(increase(blackstart_lost_writes_total{@,#}[$__interval]))", "lost writes"), ("sum(increase(blackstart_instances_never_back_total{@,#}[$__interval]))", "never back"), ("sum(increase(blackstart_interventions_total{@,#}[$__interval]))", "interventions")]),
];

const SCHEDULE: &[Panel] = &[
    panel!(Lines 8 "s" NO_WORDS, "Schedule lag", "How long after it was due each schedule's last run began.", [("blackstart_schedule_lag_seconds{@}", "{{schedule}}")]),
    panel!(Lines 8 "short" NO_WORDS, "Periods without a decision", "How many of its usual periods ago a schedule last decided anything; above 3 an alert fires.",
        [("schedule:blackstart_conclusive_age:seconds{@} / blackstart_schedule_period_seconds{@}", "{{schedule}}")]),
    panel!(Bars 8 "short" NO_WORDS, "Refused, by reason", "Runs that were due and did not begin.", [("sum by (reason) (increase(blackstart_refusals_total{@}[$__interval]))", "{{reason}}")]),
    panel!(States 12 "short" WELL, "Conditions", "What runs wait for.", [("min by (condition) (blackstart_condition_well{@})", "{{condition}}")]),
    panel!(Lines 12 "short" NO_WORDS, "Refused in a row", "At 3 an alert fires.", [("blackstart_schedule_refused_in_a_row{@}", "{{schedule}}")]),
];

const REGIONS: &[Panel] = &[
    panel!(States 8 "short" UNDER_WAY, "States", "At what each standing region is. `lost` and `unkept` are nobody's intention.",
        [("max by (region, state) (blackstart_region_state{@})", "{{region}} {{state}}")]),
    panel!(Lines 8 "percentunit" NO_WORDS, "What customers got", "The share of what they asked for that was answered in the last five minutes, for each zone.",
        [("blackstart_region_availability_ratio{@}", "{{region}} {{zone}}")]),
    panel!(Lines 8 "percentunit" NO_WORDS, "Active", "The share of instances that are active.",
        [("blackstart_region_instances_active{@} / blackstart_region_instances{@}", "{{region}}")]),
    panel!(Lines 6 "percentunit" NO_WORDS, "What customers got, ever", "Since each region was built, the time when its customers were dark included.",
        [("blackstart_region_customer_requests_answered{@} / blackstart_region_customer_requests{@}", "{{region}} {{zone}}")]),
    panel!(Lines 6 "short" NO_WORDS, "Drift", "What is not as it was declared, or as it was left. It should be 0.", [("blackstart_region_drift{@}", "{{region}}")]),
    panel!(Lines 6 "short" NO_WORDS, "Black starts", "How often each region came back from the dark by itself, and after how many seconds the last time.",
        [("blackstart_region_black_starts{@}", "{{region}}"), ("blackstart_region_last_black_start_seconds{@}", "{{region}}, seconds")]),
    panel!(Figure 6 "s" NO_WORDS, "Age", "Since each region was built.", [("time() - blackstart_region_built_timestamp_seconds{@}", "{{region}}")]),
];

const RUN: &[Panel] = &[
    panel!(States 12 "short" UNDER_WAY, "Phases", "The course of runs.", [("max by (phase) (blackstart_run_phase{@})", "{{phase}}")]),
    panel!(Lines 12 "short" NO_WORDS, "Faults in force, by kind", "What is injected and not healed yet. It must be zero between runs.", [("sum by (kind) (blackstart_faults_in_force{@})", "{{kind}}")]),
    panel!(Lines 8 "short" NO_WORDS, "Residue, by kind", "What ended runs left on the engine's machine.", [("sum by (object) (blackstart_residue_objects{@})", "{{object}}")]),
    panel!(Lines 8 "eps" NO_WORDS, "Events", "Observations kept, each second; and those that a full buffer did not take.",
        [("sum(rate(blackstart_events_total{@}[$__rate_interval]))", "kept"), ("sum by (buffer) (rate(blackstart_events_dropped_total{@}[$__rate_interval]))", "dropped by {{buffer}}")]),
    panel!(Bars 8 "short" NO_WORDS, "Caveats", "What readers of the records are warned of.", [("sum by (code) (increase(blackstart_run_caveats_total{@}[$__interval]))", "{{code}}")]),
];

const SERVER: &[Panel] = &[
    panel!(Lines 8 "bytes" NO_WORDS, "Memory", "What is resident. Over weeks it must be flat.", [("process_resident_memory_bytes{@} and on (instance) blackstart_build_info", "{{instance}}")]),
    panel!(Lines 8 "short" NO_WORDS, "Open files and threads", "Neither may climb.",
        [("process_open_fds{@} and on (instance) blackstart_build_info", "files"), ("process_max_fds{@} and on (instance) blackstart_build_info", "most files"), ("process_threads{@} and on (instance) blackstart_build_info", "threads")]),
    panel!(Lines 8 "percentunit" NO_WORDS, "Processor", "Cores that the server takes.", [("rate(process_cpu_seconds_total{@}[$__rate_interval]) and on (instance) blackstart_build_info", "{{instance}}")]),
    panel!(Lines 8 "percentunit" NO_WORDS, "Disk free", "Of the runs' folder; below a tenth an alert fires.", [("instance:blackstart_disk_free:ratio{@}", "{{instance}}")]),
    panel!(Lines 8 "short" NO_WORDS, "Live view", "Who watches; frames that slow viewers did not get, each second.",
        [("sum(blackstart_live_viewers{@})", "viewers"), ("sum(rate(blackstart_live_frames_dropped_total{@}[$__rate_interval]))", "frames dropped"), ("sum(rate(blackstart_live_frames_total{@}[$__rate_interval]))", "frames")]),
    panel!(Bars 8 "short" NO_WORDS, "Messages", "Notifications and traces by what became of them.",
        [("sum by (receiver, result) (increase(blackstart_deliveries_total{@}[$__interval]))", "{{receiver}} {{result}}"), ("sum by (receiver) (increase(blackstart_delivery_retries_total{@}[$__interval]))", "{{receiver}} tried again")]),
    panel!(Lines 12 "reqps" NO_WORDS, "Requests to the server", "By status.", [("sum by (code) (rate(blackstart_http_requests_total{@}[$__rate_interval]))", "{{code}}")]),
    panel!(Figure 6 "s" NO_WORDS, "Up for", "Since the server was started.", [("time() - process_start_time_seconds{@} and on (instance) blackstart_build_info", "{{instance}}")]),
    panel!(Figure 6 "short" NO_WORDS, "Unfinished runs", "Runs that the server found unfinished when it started.", [("max(blackstart_unfinished_runs{@})", "")]),
];
