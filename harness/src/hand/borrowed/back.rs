//! Owns giving borrowed containers back by engine calls: each is started where it does not run, on the addresses that it had,
//! and then has its owner's restart policy again. Refuses to know why it does not run.
//!
//! An address that nobody chose is given by the engine, the lowest one that is free. So containers are started in the order of
//! their addresses, and lower ones that are free are taken by containers of ours for that moment.

use super::{Borrowed, Endpoint, Given, is_alive};
use crate::hand::HOST_UID;
use crate::hand::protocol::Standing;
use crate::world::docker::engine::{ContainerSpec, Engine, ObjectKind};
use crate::world::docker::image;
use crate::world::docker::names::LABEL_RUN;
use agents::runtime::clock::mono_ns;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The hidden command of a container that only has an address.
pub(crate) const PLACE: &str = "place";

/// How often, and how long after each other, an engine is asked that has not taken note of a death yet: half a minute.
const LOOKS: usize = 600;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Addresses that are taken for one container at most.
const PLACES_MAX: usize = 64;

/// Gives these back; with each, whether its restart policy was taken. What cannot be given back to one does not hold up others.
pub(super) async fn give(engine: &Engine, standing: &Standing, owed: &[(Borrowed, bool)]) -> Result<Given> {
    let mut places = Places::of(engine, standing).await?;
    let mut given = Given::default();
    for (one, withheld) in owed {
        let began = mono_ns();
        let lit = light(engine, &mut places, one, *withheld, &mut given.notes).await;
        match lit {
            Ok(false) => {}
            Ok(true) => {
                given.first_ns = if given.started == 0 { began } else { given.first_ns };
                (given.last_ns, given.started) = (mono_ns(), given.started + 1);
            }
            Err(error) => given.failed.push((one.host.clone(), format!("{error:#}"))),
        }
    }
    places.release().await?;
    for (one, _) in owed.iter().filter(|(one, withheld)| *withheld && one.policy.restarts()) {
        if engine.condition(&one.id).await?.is_none() {
            // Its owner has removed it; it was told.
            continue;
        }
        if let Err(error) = engine.set_restart(&one.id, &one.policy).await {
            given.failed.push((one.host.clone(), format!("{error:#}")));
        }
    }
    Ok(given)
}

/// Takes every free address below those of containers that are about to end and that their owner's policy starts again: they come
/// back on their own then. It is let go of when the run is removed.
pub(super) async fn hold_below(engine: &Engine, standing: &Standing, containers: &[&Borrowed]) -> Result<()> {
    let mut places = Places::of(engine, standing).await?;
    for endpoint in containers.iter().flat_map(|one| &one.endpoints) {
        // Its own is taken, by itself: there is nothing to be told.
        let _taken = places.clear_for(endpoint).await?;
    }
    Ok(())
}

/// Starts one that does not run; whether it did that.
async fn light(
    engine: &Engine,
    places: &mut Places<'_>,
    one: &Borrowed,
    withheld: bool,
    notes: &mut Vec<String>,
) -> Result<bool> {
    match runs(engine, one, withheld).await? {
        Some(true) => return Ok(false),
        None => {
            notes.push(format!("{}: somebody removed its container meanwhile", one.host));
            return Ok(false);
        }
        Some(false) => {}
    }
    for endpoint in &one.endpoints {
        if let Some(note) = places.clear_for(endpoint).await? {
            notes.push(format!("{}: {note}", one.host));
        }
    }
    engine.start(&one.id).await?;
    Ok(true)
}

/// Whether it runs; `None` where it is not there any more. Until the engine has taken note of a death it takes an order to start as
/// carried out already.
async fn runs(engine: &Engine, one: &Borrowed, withheld: bool) -> Result<Option<bool>> {
    for _ in 0..LOOKS {
        let Some(condition) = engine.condition(&one.id).await? else { return Ok(None) };
        if !condition.running {
            return Ok(Some(false));
        }
        // Its owner's policy is at it.
        let comes_back = condition.restarting && !withheld;
        if comes_back || (!condition.restarting && is_alive(one)) {
            return Ok(Some(true));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("the engine takes it for running, and no process of it is left; is the engine hung?")
}

/// Addresses that are taken for a moment.
struct Places<'a> {
    engine: &'a Engine,
    standing: &'a Standing,
    held: Vec<Held>,
    next: usize,
}

struct Held {
    container: String,
    network: String,
    address: Ipv4Addr,
    /// Whether it is let go of when what is under way has ended.
    for_now: bool,
}

impl<'a> Places<'a> {
    /// With those that the run has already.
    async fn of(engine: &'a Engine, standing: &'a Standing) -> Result<Self> {
        let mut places = Self { engine, standing, held: Vec::new(), next: 0 };
        let begins = format!("blackstart-{}-{PLACE}-", standing.short);
        for found in engine.find(ObjectKind::Container, &format!("{LABEL_RUN}={}", standing.run)).await? {
            let Some(number) = found.name.strip_prefix(&begins).and_then(|text| text.parse::<usize>().ok()) else {
                continue;
            };
            places.next = places.next.max(number + 1);
            places.know(&found.name, false).await?;
        }
        Ok(places)
    }

    async fn know(&mut self, container: &str, for_now: bool) -> Result<()> {
        for endpoint in self.engine.endpoints(container).await? {
            let (container, network) = (container.to_owned(), endpoint.network);
            self.held.push(Held { container, network, address: endpoint.address, for_now });
        }
        Ok(())
    }

    /// Sees to it that who starts next gets this address; says why where that cannot be had.
    async fn clear_for(&mut self, endpoint: &Endpoint) -> Result<Option<String>> {
        let ours = |held: &Held| held.network == endpoint.network && held.address == endpoint.address;
        if let Some(place) = self.held.iter().position(ours) {
            self.engine.remove_container(&self.held.remove(place).container).await?;
        }
        if endpoint.fixed {
            return Ok(None);
        }
        for _ in 0..PLACES_MAX {
            let Some(pool) = self.engine.pool(&endpoint.network).await? else { return Ok(None) };
            match pool.lowest_free() {
                Some(free) if free == endpoint.address => return Ok(None),
                Some(free) if free < endpoint.address => self.hold(&endpoint.network).await?,
                _ => break,
            }
        }
        Ok(Some(format!("its address {} is not the next one that the engine gives", endpoint.address)))
    }

    /// Takes the lowest address that is free.
    async fn hold(&mut self, network: &str) -> Result<()> {
        let Standing { run, short, .. } = self.standing;
        let container = format!("blackstart-{short}-{PLACE}-{}", self.next);
        self.next += 1;
        let spec = ContainerSpec {
            name: container.clone(),
            hostname: PLACE.to_owned(),
            // The hand's own.
            image: self.engine.inspect(&format!("blackstart-{short}-hand")).await?.image,
            command: vec![image::EXECUTABLE.to_owned(), PLACE.to_owned()],
            labels: BTreeMap::from([(LABEL_RUN.to_owned(), run.clone())]),
            user: format!("{HOST_UID}:{HOST_UID}"),
            network: Some((network.to_owned(), String::new())),
            ..ContainerSpec::default()
        };
        self.engine.create(&spec).await?;
        self.engine.start(&container).await?;
        self.know(&container, true).await
    }

    /// Lets those go that were taken for a moment.
    async fn release(&mut self) -> Result<()> {
        for held in std::mem::take(&mut self.held).into_iter().filter(|held| held.for_now) {
            self.engine.remove_container(&held.container).await?;
        }
        Ok(())
    }
}

/// The body of `blackstart place`: it has an address, for as long as it is let.
pub(crate) fn stand() -> ! {
    loop {
        std::thread::park();
    }
}
