//! Owns what is expected of each pair of a defect and its twin: the answers, which no judge may read. Refuses to play.

/// The culprit that an invariant must find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The invariant.
    pub invariant: &'static str,
    /// The service to blame.
    pub service: String,
    /// What it leans on.
    pub dependency: Option<String>,
    /// The setting to change.
    pub setting: String,
}

/// A scenario with a defect, whose twin is `NAME-repaired` where the defect is in its graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Its name.
    pub scenario: &'static str,
    /// What it must find: each of these, and no other root.
    pub expected: Vec<Expected>,
}

impl Pair {
    /// The name of its twin.
    pub fn twin(&self) -> String {
        match self.scenario {
            // The defect is in the day.
            "bad-push" => "bad-push-by-zone".to_owned(),
            name => format!("{name}-repaired"),
        }
    }
}

/// Scenarios of healthy graphs, which nothing in the catalogue may find fault with.
pub const HEALTHY: [&str; 6] = [
    "minimal",
    "az-power-loss",
    "each-zone-in-turn",
    "github-2016-repaired",
    "acks-before-sync-repaired",
    "zone-pause",
];

/// Scenario, invariant, service, dependency (empty: none), setting.
type Line = (&'static str, &'static str, &'static str, &'static str, &'static str);

const LINES: &[Line] = &[
    ("needs-registry", "S1", "catalogue", "registry", "services.catalogue.needs.registration"),
    ("exits-without-flags", "S2", "web", "flags", "services.web.needs.flags"),
    ("breaker-stays-open", "S3", "web", "cache", "services.web.calls.cache.breaker"),
    ("first-come", "S4", "web", "settings", "services.web.needs.settings.attempts"),
    ("github-2016", "S5", "app", "cache", "services.app.needs.session-cache"),
    ("believes-empty", "S6", "front", "names", "services.front.lookups.empty"),
    ("no-seeds", "S7", "front", "names", "services.front.lookups.seeds"),
    ("gives-up", "S8", "web", "settings", "services.web.needs.settings.attempts"),
    ("stops-renewing", "S9", "store", "certificates", "services.store.needs.certificate.attempts"),
    ("small-store", "Z1", "store", "", "services.store.capacity"),
    ("eu-west-2011", "Z2", "manager", "capacity", "services.manager.calls.capacity.reach"),
    ("cloudflare-2023", "Z3", "queue", "", "services.queue.zones"),
    ("cloudflare-2023", "Z5", "queue", "", "services.queue.zones"),
    ("one-attempt", "Z4", "api", "store", "services.api.calls.store.attempts"),
    ("bad-push", "Z6", "api", "", "faults.bad-push.bake-time"),
    ("averaged-alarms", "Z7", "telemetry", "", "telemetry.alarms.over"),
    ("shift-stuck", "Z8", "api", "store", "services.api.calls.store.attempts"),
    ("flapping-scaler", "Z9", "web", "", "services.web.scale.missing"),
    ("soft-in-name", "D1", "web", "profiles", "services.web.calls.profiles.timeout"),
    ("retries-multiply", "D2", "front", "basket", "services.front.calls.basket.attempts"),
    ("long-queue", "D3", "store", "", "services.store.queue"),
    ("shared-workers", "D4", "web", "archive", "services.web.workers"),
    ("fails-closed", "D5", "names", "pages", "names.none-healthy"),
    ("slack-2021", "D6", "web", "backend", "services.web.liveness"),
    ("falls-back", "D7", "website", "warehouse", "services.website.calls.warehouse.fallback"),
    ("google-2020", "D8", "sign-in", "quota", "services.sign-in.calls.quota"),
    ("facebook-2021", "D8", "names", "backbone", "services.names.calls.backbone"),
    ("roblox-2021", "D8", "games", "cluster", "services.games.calls.cluster"),
    ("telemetry-blocks", "D9", "web", "telemetry", "services.web.calls.telemetry.timeout"),
    ("scaler-blind", "D9", "web", "", "services.web.scale.missing"),
    ("silence-is-well", "O1", "telemetry", "", "telemetry.alarms.missing"),
    ("watched-from-inside", "O2", "telemetry", "", "services.telemetry.zones"),
    ("blind-recovery", "O3", "web", "", "services.web.scale.missing"),
    ("retry-storm", "R1", "api", "basket", "services.api.calls.basket.attempts"),
    ("impatient-customers", "R1", "api", "store", "traffic.retry"),
    ("hammers", "R2", "web", "credentials", "services.web.needs.credentials.backoff"),
    ("writes-twice", "A2", "front", "payments", "services.front.calls.payments.carries-writes"),
    ("reads-locally", "A5", "store", "", "services.store.replication.reads"),
    ("stale-queue", "R3", "orders", "", "services.orders.backlog"),
    ("counts-the-lost", "R4", "addresses", "", "services.addresses.grants.counts"),
    ("cold-cache", "R5", "cache", "store", "services.cache.cache"),
    ("copies-at-once", "R6", "store", "", "services.store.replication.copies"),
    ("google-2025", "R2", "service-control", "policies", "services.service-control.needs.policy.backoff"),
    ("aws-2021", "D2", "console", "clients", "services.console.calls.clients.attempts"),
    ("s3-2017", "R7", "metadata", "", "services.metadata.grants.rate"),
    ("us-east-2012", "R7", "boot", "", "services.boot.grants.rate"),
    ("old-news", "R8", "telemetry", "", "telemetry.alarms.late"),
    ("waits-to-be-told", "R9", "web", "scaler", "services.web.scale.on-start"),
    ("one-by-one", "R7", "images", "", "services.images.grants.rate"),
    ("acks-before-sync", "A1", "store", "", "services.store.acknowledge"),
    ("github-2018", "A3", "database", "", "services.database.acknowledge"),
    ("refuses-torn", "A4", "store", "", "services.store.torn-end"),
    ("refuses-torn", "S5", "store", "", "services.store.torn-end"),
    ("quorum-in-one-zone", "Z1", "store", "", "services.store.replication"),
];

/// Every pair, in the order of the table above.
pub fn all() -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for &(scenario, invariant, service, dependency, setting) in LINES {
        let expected = Expected {
            invariant,
            service: service.to_owned(),
            dependency: Some(dependency.to_owned()).filter(|name| !name.is_empty()),
            setting: setting.to_owned(),
        };
        match pairs.iter_mut().find(|pair| pair.scenario == scenario) {
            Some(pair) => pair.expected.push(expected),
            None => pairs.push(Pair { scenario, expected: vec![expected] }),
        }
    }
    pairs
}
