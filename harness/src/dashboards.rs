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

/// Both files: name and text.
pub fn files(runbooks: &str) -> [(&'static str, String); 2] {
    [(DASHBOARD_FILE, grafana::render()), (RULES_FILE, rules::render(runbooks))]
}
