//! Owns whether a game day can be held on a project that runs already: which container is which instance, and everything that
//! stands in the way, at once. Refuses to ask the engine.

use super::Attachment;
use crate::hand::borrowed::{Borrowed, Endpoint};
use crate::world::docker::engine::project::Member;
use fixtures::graph::image::Protocol;
use fixtures::graph::{Graph, Service, State};
use fixtures::name::{HostName, ServiceName};
use fixtures::placement::{Instance, Placement};
use scenarios::plan::{Deed, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// On containers whose owner agrees to every game day: `yes`.
pub const LABEL_CONSENT: &str = "blackstart.attach";
/// On containers whose service has another name in the graph than an import gives it.
const LABEL_SERVICE: &str = "blackstart.service";
/// On containers that are in a zone, or one of several, which their owner chose: as an import reads it.
const LABEL_ZONE: &str = "blackstart.zone";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";
const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";
const COMPOSE_ONE_OFF: &str = "com.docker.compose.oneoff";
/// What can be done to containers that are not ours.
const SUPPORTED: &str = "loss of power (zones, the region, services' hosts, restart), pause, kill and exit";

/// What is asked for, and what is there.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The project.
    pub project: &'a str,
    /// Whether its owner has said yes on the command line.
    pub consent: bool,
    /// All containers of the project.
    pub members: &'a [Member],
    /// The run that is attached to it now.
    pub other: Option<&'a str>,
    /// Whether control groups are systemd slices.
    pub slices: bool,
    /// Services.
    pub graph: &'a Graph,
    /// Instances.
    pub placement: &'a Placement,
    /// Faults.
    pub plan: &'a Plan,
}

/// What can be held, or everything that stands in the way.
///
/// # Errors
/// Each problem in one sentence, with what to do.
pub fn fit(wish: Wish<'_>) -> Result<Attachment, Vec<String>> {
    let Wish { project, members, .. } = wish;
    if members.is_empty() {
        return Err(vec![format!(
            "no container carries the label com.docker.compose.project={project}; `docker compose ls --all` lists projects"
        )]);
    }
    if let Some(run) = wish.other {
        // How the project is now says nothing.
        return Err(vec![format!(
            "run {run} is attached to project `{project}`: one game day at a time; wait for its end, or, where it is dead, \
             `blackstart clean {run}`"
        )]);
    }
    let mut fitting = Fitting { wish, problems: Vec::new(), attachment: Attachment::of(project) };
    fitting.terms();
    fitting.faults();
    let services = fitting.services();
    for service in &wish.graph.services {
        fitting.service(service, services.get(&service.name).map(Vec::as_slice).unwrap_or_default());
    }
    let Fitting { problems, attachment, .. } = fitting;
    if problems.is_empty() { Ok(attachment) } else { Err(problems) }
}

struct Fitting<'a> {
    wish: Wish<'a>,
    problems: Vec<String>,
    attachment: Attachment,
}

impl<'a> Fitting<'a> {
    /// Whether the owner agrees.
    fn terms(&mut self) {
        let Wish { project, consent, members, .. } = self.wish;
        let agrees = |member: &Member| member.labels.get(LABEL_CONSENT).is_some_and(|value| value == "yes");
        let without = members.iter().filter(|member| member.condition.running && !agrees(member)).count();
        if !consent && without > 0 {
            self.problems.push(format!(
                "nobody said yes: `{project}` would lose power, and what is in memory there. --yes-attach says that it is yours to \
                 be harmed; so does the label {LABEL_CONSENT}=yes on all of its containers ({without} have none)"
            ));
        }
    }

    /// Faults that can be put upon containers of others.
    fn faults(&mut self) {
        let mut told = BTreeSet::new();
        for step in self.wish.plan.rounds.iter().flat_map(|round| &round.steps) {
            let can = matches!(step.deed, Deed::Power { .. } | Deed::Restart | Deed::Pause | Deed::End { .. });
            if !can && told.insert(&step.fault) {
                self.problems.push(format!(
                    "fault `{}` ({}) cannot be put upon a project that is not ours: it needs networks, disks or processes of our \
                     own. What can: {SUPPORTED}",
                    step.fault,
                    step.deed.word()
                ));
            }
        }
    }

    /// Containers by the services of the graph that they are; those of no service are left alone.
    fn services(&mut self) -> BTreeMap<ServiceName, Vec<&'a Member>> {
        let mut services: BTreeMap<ServiceName, Vec<&Member>> = BTreeMap::new();
        let mut spelled: BTreeMap<ServiceName, BTreeSet<&str>> = BTreeMap::new();
        for member in self.wish.members {
            let own = member.labels.get(COMPOSE_SERVICE).map_or(member.name.as_str(), String::as_str);
            let name = match member.labels.get(LABEL_SERVICE) {
                Some(name) => name.clone(),
                None => fixtures::import::name_of(own),
            };
            let one_off = member.labels.get(COMPOSE_ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true"));
            let known = self.wish.graph.services.iter().find(|service| service.name.as_str() == name);
            match known.filter(|_| !one_off) {
                Some(service) => {
                    services.entry(service.name.clone()).or_default().push(member);
                    spelled.entry(service.name.clone()).or_default().insert(own);
                }
                None if member.condition.running => self.attachment.beside.push(member.name.clone()),
                None => {}
            }
        }
        for (name, spelled) in spelled.iter().filter(|(_, spelled)| spelled.len() > 1) {
            let both: Vec<&str> = spelled.iter().copied().collect();
            self.problems.push(format!(
                "services {} of the project would all be `{name}`: the label {LABEL_SERVICE}=NAME says which is which",
                both.join(", ")
            ));
        }
        for members in services.values_mut() {
            let number = |member: &&Member| member.labels.get(COMPOSE_NUMBER).and_then(|text| text.parse::<u32>().ok());
            members.sort_by_key(|member| (number(member), member.name.clone()));
        }
        services
    }

    /// The containers of one service, each of which becomes one of its instances.
    fn service(&mut self, service: &Service, members: &[&Member]) {
        let (name, project) = (&service.name, self.wish.project);
        let Some(image) = &service.image else {
            self.problems.push(format!(
                "service `{name}` is a mock service in this graph: a project's services are images, each with a probe; import it \
                 without --mock"
            ));
            return;
        };
        if image.probe.protocol == Protocol::Command {
            match image.ports.first() {
                Some(_) => self.attachment.asked_by_port.push(name.clone()),
                None => self.problems.push(format!(
                    "service `{name}` is asked by a command inside its container, which would be an intervention in somebody \
                     else's, and has no port that could be asked in its place: write `ports` or another `probe`"
                )),
            }
        }
        let instances: Vec<&Instance> =
            self.wish.placement.instances.iter().filter(|instance| instance.service == *name).collect();
        if members.is_empty() {
            self.problems.push(format!("service `{name}` has no container in project `{project}`"));
        } else if members.len() != instances.len() {
            self.problems.push(format!(
                "service `{name}` has {} container(s) in project `{project}` and {} instance(s) in the graph: import the project as \
                 it runs, with its replicas",
                members.len(),
                instances.len()
            ));
        }
        for member in members {
            self.problems.extend(obstacles(member));
        }
        self.assign(instances, members);
    }

    /// Who is in a zone by its owner's label comes there, everybody else in order.
    fn assign(&mut self, mut instances: Vec<&Instance>, members: &[&Member]) {
        let (placed, free): (Vec<&Member>, Vec<&Member>) =
            members.iter().copied().partition(|member| member.labels.contains_key(LABEL_ZONE));
        for member in placed.into_iter().chain(free) {
            let zones = member.labels.get(LABEL_ZONE);
            let named = |instance: &Instance, zones: &str| {
                zones.split(',').any(|zone| fixtures::import::name_of(zone.trim()) == instance.zone.as_str())
            };
            let fits = |instance: &&Instance| zones.is_none_or(|zones| named(instance, zones));
            match instances.iter().position(fits) {
                Some(place) => {
                    let instance = instances.remove(place);
                    self.lend(self.wish.placement.hosts[instance.host].name.clone(), member);
                }
                None if instances.is_empty() => {}
                None => self.problems.push(format!(
                    "container {} is in zone `{}` by its label, and the graph has no instance of its service there that is left",
                    member.name,
                    zones.map(String::as_str).unwrap_or_default()
                )),
            }
        }
    }

    fn lend(&mut self, host: HostName, member: &Member) {
        let Some(address) = member.endpoints.first().map(|endpoint: &Endpoint| endpoint.address) else { return };
        self.attachment.hosts.insert(host.clone(), Lent { container: member.name.clone(), address });
        self.attachment.borrowed.push(Borrowed {
            host: host.to_string(),
            id: member.id.clone(),
            cgroup: cgroup(member, self.wish.slices),
            policy: member.policy.clone(),
            endpoints: member.endpoints.clone(),
        });
    }
}

/// The container that a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    /// Its name.
    pub container: String,
    /// Where it is asked.
    pub address: Ipv4Addr,
}

/// What keeps a container from being harmed and put back.
fn obstacles(member: &Member) -> Vec<String> {
    let Member { name, condition, network_mode, .. } = member;
    let mut found = Vec::new();
    if !condition.running {
        found.push(format!("container {name} does not run: a game day begins from a project that is well"));
    } else if condition.restarting {
        found.push(format!("container {name} ends again and again: a game day begins from a project that is well"));
    } else if condition.paused {
        found.push(format!("container {name} is paused; `docker unpause {name}`"));
    }
    if member.removed_at_end {
        found.push(format!(
            "container {name} is removed by its engine when it ends (`--rm`): it could not be given back"
        ));
    }
    if network_mode == "host" {
        found.push(format!("container {name} is on the machine's own network: its zone is the machine"));
    } else if network_mode.starts_with("container:") {
        found.push(format!("container {name} shares the network of another one, and could not be put back without it"));
    } else if condition.running && !condition.restarting && member.endpoints.is_empty() {
        found.push(format!("container {name} has no address at which it could be asked"));
    }
    let others = member.drivers.iter().filter(|driver| driver.as_str() != "bridge" && driver.as_str() != "host");
    found.extend(others.map(|driver| {
        format!(
            "container {name} is on a network of driver `{driver}`, whose addresses the machine itself may not reach"
        )
    }));
    found
}

/// A container's control group, as its engine names it.
fn cgroup(member: &Member, slices: bool) -> String {
    let Member { id, cgroup_parent: parent, .. } = member;
    if !slices {
        let parent = if parent.is_empty() { "/docker" } else { parent.as_str() };
        return format!("/{}/{id}", parent.trim_matches('/'));
    }
    let parent = if parent.is_empty() { "system.slice" } else { parent.as_str() };
    // A slice's dashes are its parents.
    let name = parent.trim_end_matches(".slice");
    let ends = name.match_indices('-').map(|(at, _)| at).chain([name.len()]);
    let folders: Vec<String> = ends.map(|end| format!("{}.slice", &name[..end])).collect();
    format!("/{}/docker-{id}.scope", folders.join("/"))
}

/// The same graph, with services that are asked by commands inside their containers asked at their first port.
#[must_use]
pub fn asked_from_outside(mut graph: Graph) -> Graph {
    for service in &mut graph.services {
        let Some(image) = &mut service.image else { continue };
        let Some(&port) = image.ports.first() else { continue };
        if image.probe.protocol == Protocol::Command {
            (image.probe.protocol, image.probe.port) = (Protocol::Tcp, port);
        }
        if image.client.protocol == Protocol::Command {
            (image.client.protocol, image.client.port) = (Protocol::Tcp, port);
            (image.client.write, image.client.read) = (None, None);
            image.client.operations.clear();
            // Nobody writes there any more, and nobody can read back.
            service.state = State::None;
        }
    }
    graph
}
