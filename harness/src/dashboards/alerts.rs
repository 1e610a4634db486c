//! Owns what people are told of, each with its threshold and the reason for it, and what is computed ahead of time. What to
//! do about each is in `docs/metrics.md`, below its name. Refuses to know how rules are written down.

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody should look now.
    Critical,
    /// Somebody should look today.
    Warning,
}

impl Severity {
    /// As in the label `severity`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// One alert.
#[derive(Debug)]
pub struct Alert {
    /// Its name; also the heading of its runbook.
    pub name: &'static str,
    /// It is so where this has a result.
    pub expr: &'static str,
    /// For how long before somebody is told.
    pub lasts: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// One line, with templates.
    pub summary: &'static str,
    /// What it means.
    pub description: &'static str,
}

/// One rule that is computed ahead, so that a dashboard of months is quick.
#[derive(Debug)]
pub struct Recorded {
    /// `level:metric:operations`.
    pub name: &'static str,
    /// What it is.
    pub expr: &'static str,
    /// One sentence for `docs/metrics.md`.
    pub help: &'static str,
}

/// Computed ahead.
pub const RECORDED: &[Recorded] = &[
    Recorded {
        name: "scenario:blackstart_recovery_seconds:p90_7d",
        expr: "histogram_quantile(0.9, sum by (scenario, world, le) (increase(blackstart_recovery_seconds_bucket[7d])))",
        help: "The return to service that nine of ten runs of a week did not exceed.",
    },
    Recorded {
        name: "scenario:blackstart_runs:count_7d",
        expr: "sum by (scenario, world, outcome) (increase(blackstart_runs_total[7d]))",
        help: "Runs of a week by how they ended.",
    },
    Recorded {
        name: "schedule:blackstart_conclusive_age:seconds",
        expr: "time() - (blackstart_schedule_last_conclusive_timestamp_seconds or blackstart_schedule_known_timestamp_seconds)",
        help: "How long ago a schedule last decided anything; of one that never did, how long it has been known.",
    },
    Recorded {
        name: "instance:blackstart_disk_free:ratio",
        expr: "blackstart_disk_free_bytes / blackstart_disk_size_bytes",
        help: "What is free of the disk of the runs' folder.",
    },
];

/// Told to people.
pub const ALERTS: &[Alert] = &[
    Alert {
        name: "BlackstartRunViolated",
        expr: "blackstart_scenario_failing == 1",
        lasts: "0s",
        severity: Severity::Critical,
        summary: "{{ $labels.scenario }} was violated in {{ $labels.world }}",
        description: "The last run of {{ $labels.scenario }} that decided anything was violated, by something that no known gap accepts: the region did not come back by itself. It is over when a run of the same scenario is held.",
    },
    Alert {
        name: "BlackstartFaultWithoutRun",
        expr: "sum by (job, instance, kind) (blackstart_faults_in_force) > 0 unless on (job, instance) blackstart_run_in_progress == 1",
        lasts: "1m",
        severity: Severity::Critical,
        summary: "A fault ({{ $labels.kind }}) is in force and no run is under way",
        description: "The hand heals alone within seconds when its controller is gone. A fault that outlives its run by a minute is one that nobody heals.",
    },
    Alert {
        name: "BlackstartDown",
        expr: "absent(blackstart_build_info)",
        lasts: "5m",
        severity: Severity::Critical,
        summary: "No server of game days tells any metrics",
        description: "For five minutes nothing was scraped from blackstart serve. No game day is held, and no other alert of this group can fire.",
    },
    Alert {
        name: "BlackstartNoConclusiveRun",
        expr: "schedule:blackstart_conclusive_age:seconds > 3 * blackstart_schedule_period_seconds",
        lasts: "5m",
        severity: Severity::Warning,
        summary: "{{ $labels.schedule }} has not decided anything for {{ $value | humanizeDuration }}",
        description: "For three times its usual period no run of {{ $labels.schedule }} was held or violated: runs are refused, interrupted or inconclusive, and nobody knows whether the region still comes back.",
    },
    Alert {
        name: "BlackstartScheduleLate",
        expr: "(blackstart_schedule_lag_seconds > 300 and time() - blackstart_schedule_last_run_timestamp_seconds < 3600) or (time() - blackstart_schedule_next_run_timestamp_seconds > 300 unless on (job, instance) (blackstart_run_in_progress == 1 or blackstart_halted == 1))",
        lasts: "1m",
        severity: Severity::Warning,
        summary: "{{ $labels.schedule }} is {{ $value | humanizeDuration }} late",
        description: "Its last run began, within this hour, more than five minutes after it was due; or its next one is more than five minutes overdue while nothing runs and nothing is halted.",
    },
    Alert {
        name: "BlackstartResidueLeft",
        expr: "sum by (job, instance, object) (blackstart_residue_objects) > 0",
        lasts: "5m",
        severity: Severity::Warning,
        summary: "{{ $value }} of {{ $labels.object }} were left behind",
        description: "Runs have ended, and objects of theirs are still on the engine's machine. A run's hand removes everything within seconds.",
    },
    Alert {
        name: "BlackstartHalted",
        expr: "blackstart_halted == 1",
        lasts: "1h",
        severity: Severity::Warning,
        summary: "Game days have been halted for more than an hour",
        description: "Somebody pressed halt and nobody has lifted it: no run begins.",
    },
    Alert {
        name: "BlackstartRefusedInARow",
        expr: "blackstart_schedule_refused_in_a_row >= 3",
        lasts: "0s",
        severity: Severity::Warning,
        summary: "{{ $labels.schedule }} was refused {{ $value }} times in a row",
        description: "A run that is refused once met a bad moment. Three in a row mean that what stands in the way stays: a condition, a budget, a full disk, or another schedule that is always first.",
    },
    Alert {
        name: "BlackstartConditionBad",
        expr: "blackstart_condition_well == 0",
        lasts: "1h",
        severity: Severity::Warning,
        summary: "{{ $labels.condition }} has not been well for an hour",
        description: "A condition that runs wait for is bad, or cannot be asked: every run that needs it is refused.",
    },
    Alert {
        name: "BlackstartRegionNotWell",
        expr: "max by (job, instance, region) (blackstart_region_state{state=~\"unwell|starting|lost|unkept\"}) == 1",
        lasts: "15m",
        severity: Severity::Warning,
        summary: "Region {{ $labels.region }} has not been well for a quarter of an hour",
        description: "A region that stands is not reached by its keeper, has none, or has instances that are not active, and no game day is held in it. It comes back from the dark by itself within seconds; what lasts longer needs somebody.",
    },
    Alert {
        name: "BlackstartRunStuck",
        expr: "time() - blackstart_run_started_timestamp_seconds > 7200 and blackstart_run_in_progress == 1",
        lasts: "5m",
        severity: Severity::Warning,
        summary: "A run has been under way for {{ $value | humanizeDuration }}",
        description: "No built-in game day takes more than a few minutes. Where yours take longer than two hours, raise this threshold.",
    },
    Alert {
        name: "BlackstartServerRestartedMidRun",
        expr: "blackstart_unfinished_runs > 0 and on (job, instance) time() - process_start_time_seconds < 3600",
        lasts: "0s",
        severity: Severity::Warning,
        summary: "The server was restarted in the middle of {{ $value }} run(s)",
        description: "It found runs unfinished when it started and ended them as interrupted, healed. It is over an hour after the start.",
    },
    Alert {
        name: "BlackstartDiskNearlyFull",
        expr: "instance:blackstart_disk_free:ratio < 0.1",
        lasts: "10m",
        severity: Severity::Warning,
        summary: "{{ $value | humanizePercentage }} of the disk of the runs' folder is free",
        description: "When it is full new runs are refused; old records are kept.",
    },
    Alert {
        name: "BlackstartEventsDropped",
        expr: "increase(blackstart_events_dropped_total[1h]) > 0",
        lasts: "0s",
        severity: Severity::Warning,
        summary: "The buffer {{ $labels.buffer }} has dropped events",
        description: "A buffer between a run and those who look at it was full. Records are complete; what is shown live, and counts of faults in force, may not be.",
    },
    Alert {
        name: "BlackstartDeliveriesFail",
        expr: "sum by (job, instance, receiver) (increase(blackstart_deliveries_total{result=~\"failed|dropped\"}[1h])) > 0",
        lasts: "0s",
        severity: Severity::Warning,
        summary: "Messages to {{ $labels.receiver }} were not delivered",
        description: "A receiver of notifications or traces did not take a message after all attempts, or too many messages waited for it. What happened is in the records all the same.",
    },
];
