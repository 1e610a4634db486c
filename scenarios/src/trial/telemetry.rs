//! Owns which dependencies are telemetry: by what somebody says, by well-known ports, by what names say. Refuses to judge.

use super::Dependency;

/// Ports of telemetry: OTLP (gRPC, HTTP), StatsD, syslog (UDP, TLS), Jaeger (agent, collector), Zipkin, Fluentd, Graphite, GELF,
/// Logstash, Loki, a Prometheus push gateway, the Datadog agent's traces.
const PORTS: [u16; 21] = [
    4317, 4318, 8125, 514, 6514, 5775, 6831, 6832, 14250, 14268, 9411, 24224, 2003, 2004, 12201, 5044, 3100, 9091,
    8126, 4319, 13133,
];

/// Words in names, between dots and hyphens.
const WORDS: [&str; 22] = [
    "otel",
    "otlp",
    "opentelemetry",
    "jaeger",
    "zipkin",
    "tempo",
    "statsd",
    "syslog",
    "fluentd",
    "fluentbit",
    "graphite",
    "logstash",
    "loki",
    "pushgateway",
    "datadog",
    "sentry",
    "telemetry",
    "metrics",
    "traces",
    "tracing",
    "logs",
    "logging",
];

/// Whether this is telemetry; `said` are names that somebody says are.
pub fn is_telemetry(dependency: &Dependency, said: &[String]) -> bool {
    said.iter().any(|name| *name == dependency.name || *name == dependency.to_string())
        || PORTS.contains(&dependency.port)
        || is_telemetry_name(&dependency.name)
}

/// Whether a name alone says so; an address says nothing.
pub fn is_telemetry_name(name: &str) -> bool {
    let mut words = name.split(['.', '-', '_']);
    words.any(|word| WORDS.contains(&word.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, port: u16) -> bool {
        is_telemetry(&Dependency { name: name.to_owned(), port, udp: false }, &["watcher".to_owned()])
    }

    #[test]
    fn telemetry_is_known_by_port_by_name_and_by_word() {
        assert!(known("collector", 4317) && known("10.0.0.9", 8125) && known("otel-collector.monitoring", 80));
        assert!(known("watcher", 80) && known("eu.logs.example.com", 443));
        assert!(!known("catalogue", 80) && !known("blogs.example.com", 443) && !known("db", 5432));
    }
}
