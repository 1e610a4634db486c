//! Owns the dashboard as a file for Grafana (the classic model, which every version imports). Refuses to know what is on it,
//! and where its data comes from: both the data source and the server are chosen in the page.

use super::panels::{Draw, Panel, SECTIONS, Words};
use serde_json::{Value, json};

/// The classic model's number as Grafana 12 writes it; later ones read it and carry it over.
const SCHEMA_VERSION: u32 = 41;

/// Columns of a dashboard.
const COLUMNS: u32 = 24;

/// The file.
pub fn render() -> String {
    let dashboard = json!({
        "uid": "blackstart",
        "title": "blackstart: game days",
        "description": "Whether the region comes back by itself: verdicts, recovery, schedule, and the server that holds game days. Written by `blackstart dashboards`.",
        "tags": ["blackstart", "game-days"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "id": null,
        "editable": true,
        "graphTooltip": 1,
        "timezone": "utc",
        "refresh": "30s",
        "time": { "from": "now-7d", "to": "now" },
        "annotations": { "list": [alerts()] },
        "links": [],
        "templating": { "list": variables() },
        "panels": panels(),
    });
    let text = serde_json::to_string_pretty(&dashboard).expect("it has text keys and no serialiser of its own");
    text + "\n"
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// Alerts that fired, as marks across all panels.
fn alerts() -> Value {
    json!({
        "name": "Alerts",
        "datasource": source(),
        "enable": true,
        "iconColor": "red",
        "expr": "ALERTS{alertname=~\"Blackstart.*\",alertstate=\"firing\"}",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{scenario}} {{schedule}}",
    })
}

fn variables() -> Value {
    let query = |name: &str, label: &str, metric: &str| {
        json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": source(),
            "query": { "query": format!("label_values({metric}, {name})"), "refId": name },
            "definition": format!("label_values({metric}, {name})"),
            "includeAll": true,
            "multi": true,
            "allValue": ".*",
            "current": { "text": ["All"], "value": ["$__all"] },
            // With every change of the time that is shown.
            "refresh": 2,
            "sort": 1,
        })
    };
    json!([
        { "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1 },
        query("instance", "Server", "blackstart_build_info"),
        query("scenario", "Scenario", "blackstart_scenario_verdict"),
    ])
}

fn panels() -> Vec<Value> {
    let (mut panels, mut id, mut y) = (Vec::new(), 0_u32, 0_u32);
    let mut next = || {
        id += 1;
        id
    };
    for section in SECTIONS {
        panels.push(json!({
            "type": "row",
            "id": next(),
            "title": section.title,
            "collapsed": false,
            "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": y },
            "panels": [],
        }));
        y += 1;
        let mut x = 0;
        for panel in section.panels {
            if x + panel.width > COLUMNS {
                (x, y) = (0, y + section.height);
            }
            let place = json!({ "h": section.height, "w": panel.width, "x": x, "y": y });
            panels.push(drawn(panel, next(), place));
            x += panel.width;
        }
        y += section.height;
    }
    panels
}

/// A query with what was chosen in the page.
pub fn filled(expr: &str) -> String {
    expr.replace('@', "instance=~\"$instance\"").replace('#', "scenario=~\"$scenario\"")
}

fn drawn(panel: &Panel, id: u32, place: Value) -> Value {
    let format = if panel.draw == Draw::Heat { "heatmap" } else { "time_series" };
    let at_once = matches!(panel.draw, Draw::Figure | Draw::Ranking);
    let target = |(at, (expr, legend)): (usize, &(&str, &str))| {
        json!({
            "refId": char::from(b'A' + u8::try_from(at).unwrap_or_default()).to_string(),
            "datasource": source(),
            "expr": filled(expr),
            "legendFormat": if legend.is_empty() { "__auto" } else { *legend },
            "format": format,
            "instant": at_once,
            "range": !at_once,
        })
    };
    let (kind, options, custom) = look(panel.draw);
    json!({
        "type": kind,
        "id": id,
        "title": panel.title,
        "description": panel.description,
        "datasource": source(),
        "gridPos": place,
        "fieldConfig": { "defaults": defaults(panel, &custom), "overrides": overrides(panel) },
        "options": options,
        "targets": panel.queries.iter().enumerate().map(target).collect::<Vec<Value>>(),
    })
}

fn defaults(panel: &Panel, custom: &Value) -> Value {
    let thresholds = json!({ "mode": "absolute", "steps": [{ "color": "text", "value": null }] });
    let color = if panel.words.is_empty() { "palette-classic" } else { "thresholds" };
    let color = if panel.draw == Draw::Figure { "thresholds" } else { color };
    json!({
        "unit": panel.unit,
        "custom": custom,
        "mappings": mappings(panel.words),
        "thresholds": thresholds,
        "color": { "mode": color },
        "noValue": "–",
    })
}

fn mappings(words: Words) -> Value {
    if words.is_empty() {
        return json!([]);
    }
    let options: serde_json::Map<String, Value> = words
        .iter()
        .map(|(number, text, color)| (number.to_string(), json!({ "text": text, "color": color, "index": number })))
        .collect();
    json!([{ "type": "value", "options": options }])
}

/// The colours of outcomes are the same everywhere.
fn overrides(panel: &Panel) -> Value {
    if panel.draw != Draw::Bars {
        return json!([]);
    }
    let colored = super::panels::OUTCOMES.iter().map(|(_, outcome, color)| {
        json!({
            "matcher": { "id": "byName", "options": outcome },
            "properties": [{ "id": "color", "value": { "mode": "fixed", "fixedColor": color } }],
        })
    });
    colored.collect()
}

/// Grafana's word for a kind of panel, its options, and how series look in it.
fn look(draw: Draw) -> (&'static str, Value, Value) {
    let legend = json!({ "displayMode": "list", "placement": "bottom", "showLegend": true });
    let tooltip = json!({ "mode": "multi", "sort": "desc" });
    let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match draw {
        Draw::Figure => (
            "stat",
            json!({ "reduceOptions": reduce, "colorMode": "value", "graphMode": "none", "textMode": "auto" }),
            json!({}),
        ),
        Draw::Lines => (
            "timeseries",
            json!({ "legend": legend, "tooltip": tooltip }),
            json!({ "drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "auto", "spanNulls": true }),
        ),
        Draw::Bars => (
            "timeseries",
            json!({ "legend": legend, "tooltip": tooltip }),
            json!({ "drawStyle": "bars", "lineWidth": 0, "fillOpacity": 80, "stacking": { "mode": "normal", "group": "A" } }),
        ),
        Draw::States => (
            "state-timeline",
            json!({ "legend": legend, "tooltip": { "mode": "single" }, "mergeValues": true, "showValue": "auto", "rowHeight": 0.8 }),
            json!({ "lineWidth": 0, "fillOpacity": 70 }),
        ),
        Draw::Heat => (
            "heatmap",
            json!({
                "calculate": false,
                "color": { "mode": "scheme", "scheme": "Oranges", "steps": 32 },
                "yAxis": { "unit": "s" },
                "tooltip": { "mode": "single", "yHistogram": false },
                "legend": { "show": true },
            }),
            json!({}),
        ),
        Draw::Ranking => (
            "bargauge",
            json!({ "reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic", "valueMode": "color" }),
            json!({}),
        ),
    }
}
