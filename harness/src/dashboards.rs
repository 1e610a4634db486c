//! Owns the files that a monitoring system takes: alert and recording rules for Prometheus, a dashboard for Grafana. Each is
//! a function of what is written here, the same bytes every time. Refuses to write them anywhere, and to know metrics that
//! are not in [`crate::metrics::table`]: a test looks each name up.
//!
//! - [`alerts`]: what people are told of, and what is computed ahead; [`rules`]: the same as a file of rules
//! - [`grafana`]: the dashboard; [`panels`]: what is on it

pub mod alerts;
pub mod grafana;
pub mod panels;
pub mod rules;

/// Name of the dashboard's file.
pub const DASHBOARD_FILE: &str = "grafana-blackstart.json";

/// Name of the file of rules.
pub const RULES_FILE: &str = "blackstart-rules.yml";

/// Where alerts point to, unless another place is named: the file in this repository.
pub const RUNBOOKS: &str = "docs/metrics.md";

/// Both files for one region: titled with its name, and asking for series that carry it as the label `region`, which whoever
/// scrapes a server there gives to them. What alerts say carries it too.
pub fn of_region(region: &str, zones: &[String], runbooks: &str) -> [(&'static str, String); 2] {
    let server = "instance=~\\\"$instance\\\"";
    let dashboard = grafana::render()
        .replace(server, &format!("{server},region=\\\"{region}\\\""))
        .replace("\"title\": \"blackstart: game days\"", &format!("\"title\": \"blackstart: game days of {region}\""))
        .replace("\"uid\": \"blackstart\"", &format!("\"uid\": \"{}\"", uid(region)))
        .replace(
            "Whether the region comes back by itself",
            &format!("Whether {region} ({}) comes back by itself", zones.join(", ")),
        );
    let rules = rules::render(runbooks)
        .replace("        labels:\n", &format!("        labels:\n          region: \"{region}\"\n"))
        .replace("  - name: blackstart", &format!("  - name: {region}-blackstart"));
    let head = format!("# Of {region}: {}.\n", zones.join(", "));
    [(DASHBOARD_FILE, dashboard), (RULES_FILE, head + &rules)]
}

/// Grafana takes 40 characters.
fn uid(region: &str) -> String {
    format!("blackstart-{region}").chars().take(40).collect()
}

/// Both files: name and text.
pub fn files(runbooks: &str) -> [(&'static str, String); 2] {
    [(DASHBOARD_FILE, grafana::render()), (RULES_FILE, rules::render(runbooks))]
}
