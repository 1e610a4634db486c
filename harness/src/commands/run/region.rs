//! Owns a game day in a region that stands: whether it fits, whose turn it is, what is different there from what was declared,
//! and that the region is given back. Refuses to know how a game day is held.

use super::{Day, Left};
use crate::cli::RunArgs;
use crate::clock::Keeping;
use crate::exit;
use crate::load::BadInput;
use crate::region::declared::{Declared, Region};
use crate::region::drift::{self, Drift, Known, Ought};
use crate::region::fit;
use crate::region::folder::{Folder, Held, Lock};
use crate::region::keep::Guest;
use crate::region::ledger::{self, What};
use crate::run::Stop;
use crate::world::docker::engine::{Engine, EngineInfo};
use crate::world::docker::names::Names;
use crate::world::docker::standing::{Standing, Stands};
use crate::world::docker::survey::Survey;
use crate::world::docker::{Options, Parts};
use anyhow::{Result, bail};
use fixtures::name::{HostName, ZoneName};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a keeper may take to let a region go: an act that is under way ends first.
const LET_GO_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A region that a game day has.
pub(super) struct Lent {
    folder: Folder,
    pub(super) declared: Declared,
    pub(super) region: Region,
    run: String,
    /// What is different there.
    pub(super) drift: Vec<Drift>,
    /// What its customers do other than those that the game day has in mind.
    pub(super) customers: Option<String>,
    accepts_drift: bool,
    names: Names,
    clock: Keeping,
    _day: Held,
    _used: Held,
}

fn refused(text: String) -> anyhow::Error {
    BadInput { text }.into()
}

impl Day<'_> {
    /// Holds the game day in the region that was named, where there is one and it may be had.
    pub(super) async fn hold_in_region(
        mut self,
        name: &str,
        run: String,
        (engine, info): (&Engine, &EngineInfo),
        stop: &mut Stop,
    ) -> Result<Left> {
        let folder = Folder::of(&self.args.root, name);
        let declared = Declared::read(&folder)?;
        let region = declared.region()?;
        let different = fit::differences(&region, &self.loaded);
        if !different.is_empty() {
            return Err(refused(format!(
                "error: `{}` cannot be held in region `{name}`: {}\nhelp: it is held in a region of its own without --region\n",
                self.loaded.scenario.name,
                different.join("; ")
            )));
        }
        let guest = Guest {
            run: run.clone(),
            scenario: self.loaded.scenario.name.clone(),
            folder: std::path::absolute(self.args.out.join(&run))?,
        };
        let (day, used) = tokio::select! {
            locks = locks(&folder, &guest) => locks?,
            () = stop.wanted() => return Err(exit::Early("the region was let go").into()),
        };
        let names = Names::new(&declared.run, info.systemd_cgroups).of_region(name);
        let customers = fit::customers(&region, &self.loaded);
        self.loaded.scenario.traffic = region.traffic.clone();
        let mut lent = Lent {
            folder,
            declared,
            region,
            run,
            drift: Vec::new(),
            customers,
            accepts_drift: self.args.accept_drift,
            names,
            clock: Keeping::start(),
            _day: day,
            _used: used,
        };
        lent.examine(engine, self.args).await?;
        let terminal = self.terminal();
        for drift in &lent.drift {
            terminal.say(&format!("region {name} is not as it was declared: {}", drift.text));
        }
        lent.begin(&self.loaded.scenario.name)?;
        let run = lent.run.clone();
        let left = self.hold_on_engine(run, (engine, info), stop, Some(&lent)).await;
        lent.end(engine, left.as_ref().ok()).await?;
        left
    }
}

/// The lock that says which game day wants the region, and then the one of whoever works on it.
async fn locks(folder: &Folder, guest: &Guest) -> Result<(Held, Held)> {
    let name = &folder.name;
    let Some(day) = folder.lock(Lock::Day, &serde_json::to_string(guest)?)? else {
        let other = folder.holder(Lock::Day).and_then(|text| Guest::read(&text));
        let other =
            other.map_or_else(|| "another run".to_owned(), |guest| format!("run {} ({})", guest.run, guest.scenario));
        return Err(refused(format!(
            "error: {other} is held in region `{name}` now\nhelp: one game day at a time; wait for its end, or build another region\n"
        )));
    };
    let looks = LET_GO_WITHIN.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if let Some(used) = folder.lock(Lock::Use, &format!("{{\"by\":\"run\",\"run\":\"{}\"}}", guest.run))? {
            return Ok((day, used));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("whoever keeps region `{name}` has not let it go within {}", fixtures::unit::Span(LET_GO_WITHIN))
}

impl Lent {
    /// What a world is made of that takes the region over: the region's own seed, image and rights.
    pub(super) fn parts(&self, parts: Parts) -> Result<Parts> {
        let options = Options {
            agent_image: self.declared.agent_image.clone(),
            no_rights: self.declared.no_rights,
            ..parts.options
        };
        let (run, seed, stands) = (self.declared.run.clone(), self.declared.seed, Some(self.stands()?));
        Ok(Parts { run, seed, stands, options, ..parts })
    }

    /// What a reader of the record must know: codes and sentences.
    pub(super) fn told(&self) -> Vec<(&'static str, String)> {
        let drift = self.drift.iter().map(|drift| ("region-drift", drift.text.clone()));
        drift.chain(self.customers.clone().map(|text| ("region-customers", text))).collect()
    }

    /// Which region it was.
    pub(super) fn measured(&self) -> BTreeMap<String, String> {
        let Declared { name, run, version, built, .. } = &self.declared;
        let since = built.as_ref().map(|built| format!(", since {}", built.at)).unwrap_or_default();
        let texts: Vec<&str> = self.drift.iter().map(|drift| drift.text.as_str()).collect();
        let drift = if texts.is_empty() { "none".to_owned() } else { texts.join("; ") };
        BTreeMap::from([
            ("region".to_owned(), format!("{name} ({run}, built by {version}{since})")),
            ("region.drift".to_owned(), drift),
        ])
    }

    /// What a world must know to take it over.
    pub(super) fn stands(&self) -> Result<Stands> {
        let Some(built) = &self.declared.built else { bail!("region `{}` was never completed", self.declared.name) };
        let short = self.run.rsplit('-').next().unwrap_or(&self.run);
        Ok(Stands::TakenOver(Box::new(Standing {
            name: self.declared.name.clone(),
            day: Some(self.run.clone()),
            made: built.made.clone(),
            keys_begin: format!("{short}-"),
            accepts_drift: self.accepts_drift,
            only_ages: false,
        })))
    }

    async fn survey(&self, engine: &Engine) -> Result<Survey> {
        let hosts: Vec<HostName> = self.region.placement.hosts.iter().map(|host| host.name.clone()).collect();
        Survey::of(engine, &self.names, &hosts, &self.zones()).await
    }

    fn zones(&self) -> Vec<ZoneName> {
        self.region.topology.zones().map(|(_, zone)| zone.name.clone()).collect()
    }

    /// Tells what is different, and refuses to hold a game day in another region than was declared.
    async fn examine(&mut self, engine: &Engine, args: &RunArgs) -> Result<()> {
        let name = &self.declared.name;
        let Some(built) = &self.declared.built else { bail!("region `{name}` was never completed") };
        let survey = self.survey(engine).await?;
        let known: Known = self.folder.read("known.json")?.unwrap_or_default();
        let zones = self.zones();
        let ought = Ought { made: &built.made, image: &built.image, zones: &zones, known: &known };
        self.drift = drift::found(ought, &survey);
        let big: Vec<&str> = self.drift.iter().filter(|drift| drift.big).map(|drift| drift.text.as_str()).collect();
        let refuses = !big.is_empty() && !args.accept_drift;
        if !self.drift.is_empty() {
            let found = self.drift.iter().map(|drift| drift.text.clone()).collect();
            let what = What::Drift { run: Some(self.run.clone()), found, accepted: Some(!refuses) };
            ledger::write(&self.folder, self.clock.now().wall, what)?;
        }
        if refuses {
            return Err(refused(format!(
                "error: region `{name}` is another than was declared: {}\nhelp: --accept-drift holds the game day all the same, with power \
                 for hosts that have none; `blackstart region down {name}` and `region up` build it anew\n",
                big.join("; ")
            )));
        }
        Ok(())
    }

    fn begin(&self, scenario: &str) -> Result<()> {
        let what = What::Lent { run: self.run.clone(), scenario: scenario.to_owned() };
        ledger::write(&self.folder, self.clock.now().wall, what)
    }

    /// It was given back: says so, and since when its hosts run now.
    async fn end(&self, engine: &Engine, left: Option<&Left>) -> Result<()> {
        let mut troubled: Vec<String> = left
            .map(|left| left.record.residue.iter().map(|row| format!("{} {}", row.object, row.name)).collect())
            .unwrap_or_default();
        match self.survey(engine).await {
            Ok(survey) => {
                let started: Known =
                    survey.hosts.iter().map(|(host, seen)| (host.clone(), seen.started.clone())).collect();
                self.folder.write("known.json", &started)?;
            }
            Err(error) => troubled.push(format!("{error:#}")),
        }
        ledger::write(&self.folder, self.clock.now().wall, What::GivenBack { run: self.run.clone(), troubled })
    }
}
