//! Owns the keys of a schedule file. Refuses to know what they mean together.

use fixtures::decode::Located;
use fixtures::unit::{Bytes, Percent, Span};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "blackstart schedule")]
pub(super) struct Raw {
    /// In whose time all schedules are, unless they say otherwise: a name of the IANA database. Without it, UTC.
    pub(super) time_zone: Option<Located<String>>,
    /// Whole days on which nothing is run.
    pub(super) blocked_dates: Option<Vec<RawDates>>,
    /// What must be well before a run begins, and ends it when it turns bad.
    pub(super) conditions: Option<Vec<RawCondition>>,
    /// Regions that stand between game days.
    pub(super) regions: Option<Vec<RawRegion>>,
    /// What is run when.
    pub(super) schedules: Option<Vec<RawSchedule>>,
    /// What a run may take.
    pub(super) budget: Option<RawBudget>,
    /// What is kept of past runs.
    pub(super) retention: Option<RawRetention>,
    /// Who is told of the end of each run.
    pub(super) webhook: Option<RawWebhook>,
    /// The base address of an OTLP/HTTP receiver: the phases of each run are sent there as traces.
    pub(super) otlp: Option<Located<String>>,
    /// A ledger of known gaps, beside this file, that runs are held with.
    pub(super) known_gaps: Option<Located<String>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawSchedule {
    /// Its name: small letters, digits and hyphens.
    pub(super) name: Option<Located<String>>,
    /// Minute, hour, day of the month, month, day of the week.
    pub(super) cron: Option<Located<String>>,
    /// In whose time.
    pub(super) time_zone: Option<Located<String>>,
    /// Begin at most so much later, each time by another length.
    pub(super) jitter: Option<Located<Span>>,
    /// Built-in scenarios or files; the one that was run longest ago comes next.
    pub(super) scenarios: Option<Vec<Located<String>>>,
    /// Whether faults that name zones hit each zone in turn (they do, unless this is false).
    pub(super) every_zone: Option<Located<bool>>,
    /// A region of this file that its game days are held in, one after the other; without it, each builds its own.
    pub(super) region: Option<Located<String>>,
    /// Where it is run; without it, in real containers.
    pub(super) world: Option<Located<RawWorld>>,
    /// Only then, such as "Mon-Fri 09:00-17:00".
    pub(super) allowed: Option<Vec<Located<String>>>,
    /// Not then.
    pub(super) blocked: Option<Vec<Located<String>>>,
    /// A run that takes longer is ended; it is begun only where so much time is left of what is allowed.
    pub(super) takes_at_most: Option<Located<Span>>,
    /// How long it waits for another run to end, and for conditions to be well.
    pub(super) waits_at_most: Option<Located<Span>>,
    /// What is due while nobody is there is run late if that is no longer ago; without it, never.
    pub(super) missed_within: Option<Located<Span>>,
    /// Which conditions; without it, all.
    pub(super) conditions: Option<Vec<Located<String>>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawRegion {
    /// Its name: small letters, digits and hyphens.
    pub(super) name: Option<Located<String>>,
    /// The scenario whose topology, graph and customers it has: a file, or a built-in one.
    pub(super) scenario: Option<Located<String>>,
    /// Its topology: a file, or a built-in one.
    pub(super) topology: Option<Located<String>>,
    /// Its graph: a file, or a built-in one.
    pub(super) graph: Option<Located<String>>,
    /// A service is deployed anew, zone by zone, so often; without it, never.
    pub(super) deploy_every: Option<Located<Span>>,
    /// A game day in it is ended when customers of zones at which no fault is aimed get a smaller share than this of what they
    /// ask for. Without it, "50%".
    pub(super) bystanders_at_least: Option<Located<Percent>>,
    /// Over so long. Without it, "10s".
    pub(super) bystanders_over: Option<Located<Span>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawWorld {
    /// Real containers.
    Docker,
    /// Virtual time.
    Sim,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawCondition {
    /// Its name: small letters, digits and hyphens.
    pub(super) name: Option<Located<String>>,
    /// Well while this address answers with a status of 200 to 299.
    pub(super) http: Option<Located<String>>,
    /// A Prometheus server.
    pub(super) prometheus: Option<Located<String>>,
    /// What it is asked; an empty answer is not well.
    pub(super) query: Option<Located<String>>,
    /// All values must be below this.
    pub(super) below: Option<Located<f64>>,
    /// All values must be above this.
    pub(super) above: Option<Located<f64>>,
    /// How long it must have been well before a run begins.
    pub(super) well_for: Option<Located<Span>>,
    /// How often it is asked.
    pub(super) every: Option<Located<Span>>,
    /// How long an answer may take.
    pub(super) timeout: Option<Located<Span>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawDates {
    /// The first day, such as "2026-12-24".
    pub(super) from: Option<Located<String>>,
    /// The last day; without it, the first one alone.
    pub(super) to: Option<Located<String>>,
    /// Why.
    pub(super) reason: Option<Located<String>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawBudget {
    /// Hosts of a run's region at most.
    pub(super) hosts: Option<Located<u32>>,
    /// Processes of a run's region at most.
    pub(super) processes: Option<Located<u32>>,
    /// Memory of a run's region at most, such as "4GiB".
    pub(super) memory: Option<Located<Bytes>>,
    /// What must be free where runs are kept, such as "1GiB".
    pub(super) disk_free: Option<Located<Bytes>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawRetention {
    /// A run's folder is removed after so many days; its line in the history stays. Without it, 400.
    pub(super) days: Option<Located<u32>>,
    /// At most so many folders.
    pub(super) runs: Option<Located<u32>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawWebhook {
    /// Where.
    pub(super) url: Option<Located<String>>,
    /// The file with the secret that signs what is told, beside this file.
    pub(super) secret_file: Option<Located<String>>,
}
