//! Owns what a host of real software is made of: what is run there and what speaks for it, with every template filled in,
//! and the files that are put into its container. Refuses to ask the engine.
//!
//! - [`files`]: the tar

pub(super) mod files;
mod known;

pub use known::known_images;

use super::engine::ImageFacts;
use super::region::Layout;
use crate::hand::{EXECUTABLE, SHARED_DIR, STATE_DIR};
use agents::config::{AdapterConfig, Process, ProgramConfig};
use agents::wire::From;
use fixtures::graph::Service;
use fixtures::graph::image::template::{self, Piece};
use fixtures::graph::image::{ClientReach, ImageService};
use fixtures::name::ServiceName;
use fixtures::placement::{Host, Instance, endpoint};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A folder on such a host that is its user's, for what the supervisor remembers beyond a loss of power.
const OWN_DIR: &str = "/.blackstart";

/// What the images of a graph say of themselves, by their references.
pub type Images = BTreeMap<String, ImageFacts>;

/// The real software of a host, where it is one: such an instance has a host of its own.
pub(super) fn on_host<'l>(layout: &'l Layout, host: &Host) -> Option<(&'l Instance, &'l Service, &'l ImageService)> {
    host.instances.iter().find_map(|&index| {
        let instance = &layout.placement.instances[index];
        let service = layout.graph.service(&instance.service)?;
        Some((instance, service, service.image.as_ref()?))
    })
}

/// The processes of a host of real software: what its supervisor runs, and what speaks for it.
pub(super) fn processes(layout: &Layout, host: &Host, listen: SocketAddr) -> Option<[Process; 2]> {
    let (instance, service, image) = on_host(layout, host)?;
    let facts = layout.images.get(&image.reference).cloned().unwrap_or_default();
    let fill = Fill { layout, host, instance };
    let filled = |texts: &[String]| -> Vec<String> { texts.iter().map(|text| fill.text(text)).collect() };
    // As engines have it: whoever gives an entrypoint has no use for the image's own arguments.
    let command = match (&image.entrypoint, &image.command) {
        (_, Some(command)) => filled(command),
        (Some(_), None) => Vec::new(),
        (None, None) => facts.command.clone(),
    };
    let mut run = image.entrypoint.as_deref().map_or(facts.entrypoint.clone(), filled);
    run.extend(command);
    let environment: Vec<(String, String)> =
        image.environment.iter().map(|(name, value)| (name.clone(), fill.text(value))).collect();
    let working_dir = image.working_dir.clone().unwrap_or(facts.working_dir);
    let from = From {
        zone: instance.zone.clone(),
        host: host.name.clone(),
        service: Some(service.name.clone()),
        instance: Some(instance.name.clone()),
    };
    let program = ProgramConfig {
        name: instance.name.clone(),
        service: service.name.clone(),
        run,
        environment: environment.clone(),
        working_dir: if working_dir.is_empty() { "/".to_owned() } else { working_dir },
        restart: image.restart,
        marker: format!("{OWN_DIR}/started"),
    };
    let sentinels = match &image.client.reach {
        ClientReach::Sentinel(sentinel) => {
            let at = |address: IpAddr| SocketAddr::new(address, sentinel.port);
            fill.members(&sentinel.service).into_iter().map(|(_, address)| at(address)).collect()
        }
        ClientReach::Own | ClientReach::Writable => Vec::new(),
    };
    let adapter = AdapterConfig {
        from,
        name: instance.name.clone(),
        listen,
        operations: service.operations.iter().map(ToString::to_string).collect(),
        stores: service.state.stores(),
        probe: image.probe.clone(),
        client: image.client.clone(),
        own: IpAddr::V4(layout.software_at(host)),
        members: fill
            .members(&service.name)
            .into_iter()
            .map(|(member, address)| (member.name.clone(), address))
            .collect(),
        environment,
        sentinels,
    };
    Some([Process::Program(program), Process::Adapter(Box::new(adapter))])
}

/// What stands for the words between braces on one host.
struct Fill<'l> {
    layout: &'l Layout,
    host: &'l Host,
    instance: &'l Instance,
}

impl Fill<'_> {
    /// A template with its words filled in; a graph that was loaded has no others.
    fn text(&self, text: &str) -> String {
        template::parse(text).unwrap_or_default().into_iter().map(|piece| self.piece(piece)).collect()
    }

    fn piece(&self, piece: Piece) -> String {
        let Self { layout, host, instance } = self;
        match piece {
            Piece::Text(text) => text,
            Piece::Instance => instance.name.to_string(),
            Piece::Zone => instance.zone.to_string(),
            Piece::Region => host.region.to_string(),
            Piece::Address => layout.address(host).to_string(),
            Piece::Index => {
                let own = |(other, _): &(&Instance, IpAddr)| other.name == instance.name;
                self.members(&instance.service).iter().position(own).unwrap_or_default().to_string()
            }
            Piece::Name(name) => layout
                .graph
                .service(&name)
                .map_or_else(String::new, |service| endpoint(&layout.topology, service, &host.region, &instance.zone)),
            Piece::AddressOf(name, index) => {
                let members = self.members(&name);
                members.get(index).map_or_else(String::new, |(_, address)| address.to_string())
            }
            Piece::Members { service, each, separator } => {
                let one = |(member, address): &(&Instance, IpAddr)| {
                    template::member(&each, member.name.as_str(), &address.to_string(), member.zone.as_str())
                };
                self.members(&service).iter().map(one).collect::<Vec<String>>().join(&separator)
            }
        }
    }

    /// The instances of a service in this region, in order, with their addresses.
    fn members(&self, service: &ServiceName) -> Vec<(&Instance, IpAddr)> {
        let placement = &self.layout.placement;
        let here = placement
            .instances
            .iter()
            .filter(|other| other.service == *service && placement.hosts[other.host].region == self.host.region);
        here.map(|other| (other, IpAddr::V4(self.layout.software_at(&placement.hosts[other.host])))).collect()
    }
}

/// Where a volume of a host lies on its zone's disk.
fn volume_dir(host: &Host, number: usize) -> String {
    format!("{STATE_DIR}/{}/volume-{number}", host.name)
}

/// The command line of such a host's first process.
pub(super) fn command(host: &Host) -> Vec<String> {
    let executable = format!("{SHARED_DIR}/{EXECUTABLE}");
    vec![executable, "host".to_owned(), format!("{SHARED_DIR}/hosts/{}.json", host.name)]
}

/// What keeps an image's containers from having these volumes on the zone's disk; nothing mostly.
pub fn clash(image: &ImageService, facts: &ImageFacts) -> Option<String> {
    let clashes = |own: &&String| {
        let own = own.trim_end_matches('/');
        image.volumes.iter().any(|volume| volume == own || own.starts_with(&format!("{volume}/")))
    };
    facts.volumes.iter().find(clashes).map(|own| {
        format!(
            "image {} makes {own} a volume of the engine's own, which outlives every loss of power: it cannot be a volume on \
             the zone's disk. Make an image without `VOLUME {own}`, or let the software use another folder",
            image.reference
        )
    })
}
