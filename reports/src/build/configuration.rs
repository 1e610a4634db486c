//! Owns what of a region's files is written from its name and its graph: the configuration of each service, and what its
//! pages say of where it is there. Refuses to know any other region, and addresses: a world gives those.

use crate::page::{Page, Text};
use crate::text::escaped_json;
use fixtures::graph::{Graph, Service};
use fixtures::name::{ServiceName, ZoneName};
use fixtures::placement::{Instance, endpoint};
use fixtures::regional::estate::{Estate, Site};
use serde_json::{Value, json};

/// Instances of a service in a zone of the region, none of which stands in for anything.
fn instances<'a>(
    estate: &'a Estate,
    service: &'a ServiceName,
    zone: &'a ZoneName,
) -> impl Iterator<Item = &'a Instance> {
    let all = estate.placement.instances.iter().filter(move |one| estate.standing[one.host].site != Site::Network);
    all.filter(move |one| &one.service == service && &one.zone == zone)
}

/// The name under which those of a zone ask for a service.
fn name(estate: &Estate, service: &ServiceName, zone: &ZoneName) -> Option<String> {
    let service = estate.graph.service(service)?;
    Some(endpoint(&estate.topology, service, &estate.build.region, zone))
}

/// The configuration of each service, by the name of its file: where it is, and whom it asks under which names.
pub fn files(estate: &Estate) -> Vec<(String, String)> {
    let file = |service: &Service| {
        let zones: Vec<Value> = estate.build.zones.iter().map(|zone| in_zone(estate, service, zone)).collect();
        let value = json!({
            "region": estate.build.region,
            "service": service.name,
            "team": service.team,
            "dns-zones": estate.build.dns_zones,
            "operations": service.operations,
            "zones": zones,
        });
        (format!("{}.json", service.name), escaped_json(&format!("{value:#}")) + "\n")
    };
    estate.graph.services.iter().map(file).collect()
}

/// What each instance of a service in a zone is told.
fn in_zone(estate: &Estate, service: &Service, zone: &ZoneName) -> Value {
    let of = |other: &ServiceName| name(estate, other, zone);
    let told: Vec<Value> = instances(estate, &service.name, zone)
        .map(|one| json!({ "name": one.name, "host": estate.placement.hosts[one.host].name }))
        .collect();
    let needs: Vec<Value> =
        service.needs.iter().map(|need| json!({ "kind": need.kind, "from": of(&need.from) })).collect();
    let calls: Vec<Value> = service
        .calls
        .iter()
        .map(|call| json!({ "to": of(&call.to), "operation": call.operation, "during": call.during }))
        .collect();
    let resolver: Vec<Value> = instances(estate, &estate.cast.names, zone).map(|one| json!(one.name)).collect();
    json!({
        "zone": zone,
        "endpoint": of(&service.name),
        "subnet": estate.build.network.zones.get(zone).map(ToString::to_string),
        "instances": told,
        "resolver": resolver,
        "trust": estate.cast.authority.as_ref().and_then(of),
        "packages": of(&estate.cast.packages),
        "needs": needs,
        "calls": calls,
    })
}

/// The pages of a region's services: what the graph says of each, and where it is in this region.
pub fn pages(estate: &Estate) -> Vec<(String, Page)> {
    let graph: &Graph = &estate.graph;
    let mut pages = crate::docs::pages(graph, &[]);
    let services = std::iter::once(None).chain(graph.services.iter().map(Some));
    for ((_, page), service) in pages.iter_mut().zip(services) {
        page.title = format!("{} in {}", page.title, estate.build.region);
        page.heading(Text::new().plain("In ").code(estate.build.region.to_string()));
        let Some(service) = service else {
            let zones = Text::new().plain("Its zones: ").codes(&estate.build.zones).plain(".");
            page.say(zones);
            continue;
        };
        let row = |zone: &ZoneName| {
            let own = instances(estate, &service.name, zone);
            let own: Vec<String> =
                own.map(|one| format!("{} on {}", one.name, estate.placement.hosts[one.host].name)).collect();
            vec![
                Text::new().code(zone.to_string()),
                Text::new().code(name(estate, &service.name, zone).unwrap_or_default()),
                if own.is_empty() { "–".into() } else { Text::new().codes(own) },
            ]
        };
        let rows = estate.build.zones.iter().map(row).collect();
        page.table(&["zone", "endpoint", "instances"], rows, "It has no zone.");
        let path = format!("../config/{}.json", service.name);
        page.say(Text::new().plain("What it is told there: ").link("its configuration", path).plain("."));
    }
    pages
}
