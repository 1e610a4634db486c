//! Owns the game days compiled into the program, so that it works from any folder. Refuses to prefer them to a path on
//! the command line; that is decided elsewhere.

use fixtures::diagnostic::Source;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, concat!("built-in:game-days/", $name, ".toml"),
            include_str!(concat!("../game-days/", $name, ".toml")))),*]
    };
}

/// Name, name of the source, text.
const SCENARIOS: &[(&str, &str, &str)] = built_in!(
    "minimal",
    "az-power-loss",
    "each-zone-in-turn",
    "region-black-start",
    "batch-bring-up",
    "az-power-loss-300",
    "github-2016",
    "github-2016-repaired",
    "acks-before-sync",
    "acks-before-sync-repaired",
    "needs-registry",
    "needs-registry-repaired",
    "exits-without-flags",
    "exits-without-flags-repaired",
    "breaker-stays-open",
    "breaker-stays-open-repaired",
    "first-come",
    "first-come-repaired",
    "gives-up",
    "gives-up-repaired",
    "small-store",
    "small-store-repaired",
    "eu-west-2011",
    "eu-west-2011-repaired",
    "cloudflare-2023",
    "cloudflare-2023-repaired",
    "one-attempt",
    "one-attempt-repaired",
    "soft-in-name",
    "soft-in-name-repaired",
    "telemetry-blocks",
    "telemetry-blocks-repaired",
    "slack-2021",
    "slack-2021-repaired",
    "google-2020",
    "google-2020-repaired",
    "retry-storm",
    "retry-storm-repaired",
    "facebook-2021",
    "facebook-2021-repaired",
    "roblox-2021",
    "roblox-2021-repaired",
    "quorum-in-one-zone",
    "quorum-in-one-zone-repaired",
    "early-quorum",
    "early-quorum-repaired",
    "cold-cache",
    "cold-cache-repaired",
    "stale-queue",
    "stale-queue-repaired",
    "frozen-control",
    "frozen-control-repaired",
    "shift-stuck",
    "shift-stuck-repaired",
    "surge",
    "surge-scaled",
    "surge-limit",
    "scaler-frozen",
    "scaler-blind",
    "scaler-blind-repaired",
    "flapping-scaler",
    "flapping-scaler-repaired",
    "zone-alarms",
    "telemetry-dead",
    "late-boot",
    "failed-boot",
    "boot-bottleneck",
    "zone-pause",
    "process-kill",
    "process-exit",
    "host-restart",
    "processor-short",
    "memory-short",
    "disk-full",
    "disk-slow",
    "disk-errors",
    "network-cut",
    "network-bridge",
    "network-ring",
    "one-way-cut",
    "flapping-link",
    "cut-in-recovery",
    "slow-link",
    "gray-zone",
    "every-fault",
    "every-shared-fault",
    "names-empty",
    "names-stale",
    "names-wrong",
    "names-slow",
    "names-dead",
    "grants-refused",
    "grants-expired",
    "clock-wrong",
    "dns-forever-cache",
    "dns-forever-cache-repaired",
    "certificate-expiry",
    "certificate-expiry-repaired",
);

/// The built-in game day with this name.
pub fn scenario(name: &str) -> Option<Source> {
    let (_, source, text) = SCENARIOS.iter().find(|(known, ..)| *known == name)?;
    Some(Source { name: (*source).to_owned(), text: (*text).to_owned() })
}

/// Names of all built-in game days.
pub fn scenario_names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, ..)| *name)
}
