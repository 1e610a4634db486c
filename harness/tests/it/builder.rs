//! Claims about the builder as a machine: what is on the disk before what, pauses, retries, rolling back, and the rules of a
//! live region. Its world is a table: hosts that have power, and their instances.

use fixtures::name::{HostName, InstanceName, RegionName, ServiceName, ZoneName};
use harness::builder::ledger::{Entry, Ledger, to_line};
use harness::builder::{ATTEMPTS_MAX, Builder, Command, Ending, Input};
use harness::controller::Report;
use scenarios::build::observed::Building;
use scenarios::build::plan::{Act, BuildPhase, BuildPlan, Ruled, Safety};
use scenarios::build::records::Records;
use scenarios::build::zone::{Course, Group, NewZone, Pieces, Stages, plan};
use scenarios::event::{Detail, Life};
use std::collections::BTreeSet;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(1_000);
const SECOND: u64 = 1_000_000_000;

fn zone(name: &str) -> ZoneName {
    ZoneName::new(name).expect("a name")
}

fn group(word: &str) -> Group {
    let names = |what: &str| (0..2).map(|number| format!("{what}-{word}-{number}")).collect::<Vec<_>>();
    Group {
        hosts: names("host").into_iter().map(HostName).collect(),
        instances: names("instance").into_iter().map(InstanceName).collect(),
    }
}

fn new_zone() -> NewZone {
    let records = Records { everywhere: vec![InstanceName("new".into())], ..Records::default() };
    NewZone {
        region: RegionName::new("here").expect("a name"),
        live: vec![zone("az1"), zone("az2"), zone("az3")],
        zone: zone("az4"),
        stand_in: group("boot"),
        control: group("control"),
        data: group("data"),
        later: vec![ServiceName::new("later").expect("a name")],
        local: None,
        records: Stages { peered: records.clone(), after: records, ..Stages::default() },
        drain: Duration::from_secs(15),
    }
}

fn ruled(ruled: bool) -> BuildPlan {
    in_pieces(Pieces::Whole, if ruled { Ruled::Wholly } else { Ruled::Not })
}

fn in_pieces(pieces: Pieces, ruled: Ruled) -> BuildPlan {
    let safety = Safety { day: DAY, bake: Duration::from_secs(100), share_percent: 34 };
    plan(&new_zone(), &Course { safety, ruled, pieces, limit: Duration::from_secs(30), ..Course::default() })
}

/// A world that does what it is told at once, and a clock.
struct Table {
    now: u64,
    lit: BTreeSet<HostName>,
    records: Records,
    entries: Vec<Entry>,
    /// What was done, with how much was on the disk by then.
    acts: Vec<(Act, usize)>,
    begun: Vec<(u64, ZoneName)>,
    /// Instances on hosts with this in their names never come up.
    broken: Option<&'static str>,
    /// What stands against any phase that is asked about, and which were.
    against: Option<&'static str>,
    asked: Vec<BuildPhase>,
    /// What somebody had to do, or has to.
    hands: Vec<String>,
}

impl Table {
    fn new() -> Self {
        Self {
            now: 0,
            lit: BTreeSet::new(),
            records: Records::default(),
            entries: Vec::new(),
            acts: Vec::new(),
            begun: Vec::new(),
            broken: None,
            against: None,
            asked: Vec::new(),
            hands: Vec::new(),
        }
    }

    fn perform(&mut self, act: &Act) -> Vec<Input> {
        let mut inputs = Vec::new();
        match act {
            Act::PowerOn(hosts) => {
                self.lit.extend(hosts.iter().cloned());
                inputs.extend(hosts.iter().filter_map(|host| self.probe(host, Life::Active)));
            }
            Act::PowerOff(hosts) => {
                self.lit.retain(|host| !hosts.contains(host));
                inputs.extend(hosts.iter().filter_map(|host| self.probe(host, Life::Off)));
            }
            Act::Names(records) => self.records = records.clone(),
            _ => {}
        }
        inputs.push(Input::Done(Ok(())));
        inputs
    }

    fn probe(&self, host: &HostName, life: Life) -> Option<Input> {
        let broken = self.broken.is_some_and(|word| host.as_str().contains(word));
        let instance = InstanceName(host.as_str().replacen("host", "instance", 1));
        let report = Report { life, degraded: false, missing: Vec::new(), cause: String::new(), took_us: 1 };
        (!broken).then_some(Input::Probe { instance, report })
    }

    /// Plays until the end, or until `stop` says so of what is on the disk.
    fn play(&mut self, builder: &mut Builder, first: Vec<Input>, stop: impl Fn(&[Entry]) -> bool) -> Option<Ending> {
        let mut inputs = std::collections::VecDeque::from(first);
        let mut commands = Vec::new();
        for _ in 0..10_000 {
            let input = inputs.pop_front().unwrap_or_else(|| {
                self.now = builder.next_wake().unwrap_or(self.now).max(self.now);
                Input::Wake
            });
            builder.handle(self.now, input, &mut commands);
            for command in commands.drain(..) {
                match command {
                    Command::Write(entry) => {
                        if let Entry::Intent { step, .. } = &entry {
                            let live =
                                step.strip_prefix("peering.").map(|rest| zone(rest.split('-').next().unwrap_or(rest)));
                            self.begun.extend(live.map(|zone| (self.now, zone)));
                        }
                        self.entries.push(entry);
                        if stop(&self.entries) {
                            return None;
                        }
                    }
                    Command::Do(act) => {
                        self.acts.push((act.clone(), self.entries.len()));
                        inputs.extend(self.perform(&act));
                    }
                    Command::Look(phase) => {
                        self.asked.push(phase);
                        inputs.push_back(Input::Looked(self.against.map_or(Ok(()), |why| Err(why.to_owned()))));
                    }
                    Command::Log { detail: Detail::Build { seen: Building::Hand { text, .. } }, .. } => {
                        self.hands.push(text);
                    }
                    Command::Log { .. } => {}
                    Command::End(ending) => return Some(ending),
                }
            }
            if builder.is_paused() {
                return None;
            }
        }
        panic!("it never ends: {:?}", self.entries.last());
    }

    fn state(&self) -> (BTreeSet<HostName>, Records) {
        (self.lit.clone(), self.records.clone())
    }
}

fn beginning() -> Vec<Input> {
    vec![Input::Landed(zone("az4")), Input::Begin]
}

fn never(_: &[Entry]) -> bool {
    false
}

/// What a builder reads that begins anew.
fn reread(entries: &[Entry]) -> Ledger {
    Ledger::read(&entries.iter().map(to_line).collect::<String>()).expect("it is whole")
}

#[test]
fn every_act_is_preceded_by_its_intent_on_the_disk() {
    let mut table = Table::new();
    let mut builder = Builder::new(ruled(true), Ledger::default());
    assert_eq!(table.play(&mut builder, beginning(), never), Some(Ending::Completed));
    assert!(!table.acts.is_empty());
    for (act, written) in &table.acts {
        assert!(matches!(table.entries[written - 1], Entry::Intent { .. }), "{act:?}");
    }
}

#[test]
fn a_builder_that_is_killed_at_any_entry_ends_in_the_same_state() {
    let mut whole = Table::new();
    let ended = whole.play(&mut Builder::new(ruled(true), Ledger::default()), beginning(), never);
    assert_eq!(ended, Some(Ending::Completed));
    for kill in 1..=whole.entries.len() {
        let mut table = Table::new();
        let mut builder = Builder::new(ruled(true), Ledger::default());
        table.play(&mut builder, beginning(), |entries| entries.len() == kill);
        let lit: Vec<HostName> = table.lit.iter().cloned().collect();
        let told = lit.iter().filter_map(|host| table.probe(host, Life::Active)).chain(beginning()).collect();
        let mut builder = Builder::new(ruled(true), reread(&table.entries));
        assert!(builder.fits());
        assert_eq!(table.play(&mut builder, told, never), Some(Ending::Completed), "killed after entry {kill}");
        assert_eq!(table.state(), whole.state(), "killed after entry {kill}");
    }
    let other = Builder::new(ruled(false), reread(&whole.entries));
    assert!(other.fits(), "the rules are no part of what is done");
    let mut changed = ruled(true);
    changed.steps.remove(1);
    assert!(!Builder::new(changed, reread(&whole.entries)).fits(), "another plan has another ledger");
}

#[test]
fn no_two_zones_are_changed_on_one_day_and_what_was_changed_bakes() {
    let mut table = Table::new();
    table.play(&mut Builder::new(ruled(true), Ledger::default()), beginning(), never);
    assert_eq!(table.begun.len(), 3);
    let day = u64::try_from(DAY.as_nanos()).expect("it fits");
    for pair in table.begun.windows(2) {
        assert!(pair[0].0 / day < pair[1].0 / day, "{pair:?}");
        assert!(pair[1].0 - pair[0].0 >= 100 * SECOND, "{pair:?}");
    }
    let mut hasty = Table::new();
    hasty.play(&mut Builder::new(ruled(false), Ledger::default()), beginning(), never);
    assert!(hasty.begun[0].0 / day == hasty.begun[2].0 / day, "without rules nothing holds it back: {:?}", hasty.begun);
}

#[test]
fn a_plan_that_would_leave_too_many_zones_changed_in_part_is_refused_at_once_and_undone() {
    let played = |plan: BuildPlan| {
        let mut table = Table::new();
        let ended = table.play(&mut Builder::new(plan, Ledger::default()), beginning(), never);
        (table, ended)
    };
    // One of three zones may be changed in part: the second one's half is refused, and no day is waited for.
    let (table, ended) = played(in_pieces(Pieces::HalvesAcrossZones, Ruled::Wholly));
    let why = "peering.az2-first failed: 2 zones would be changed in part at once, and 1 may be";
    assert_eq!(ended, Some(Ending::RolledBack { why: why.to_owned() }));
    assert!(table.now < u64::try_from(DAY.as_nanos()).expect("it fits"), "{}", table.now);
    assert_eq!(table.state(), (BTreeSet::new(), Records::default()), "nothing is left of it");
    // Zone by zone it is not, and a builder that keeps to days alone does not see it.
    for (pieces, ruled) in [(Pieces::HalvesZoneByZone, Ruled::Wholly), (Pieces::HalvesAcrossZones, Ruled::ButForShares)]
    {
        assert_eq!(played(in_pieces(pieces, ruled)).1, Some(Ending::Completed), "{pieces:?}");
    }
}

#[test]
fn harm_to_customers_stops_a_guarded_build_and_undoes_it() {
    let mut table = Table::new();
    let mut builder = Builder::new(ruled(true), Ledger::default());
    let second = |entries: &[Entry]| matches!(entries.last(), Some(Entry::Done { step, .. }) if step == "peering.az2");
    table.play(&mut builder, beginning(), second);
    let harm = Input::Harm { zone: zone("az2"), text: "3 of 10 were answered".to_owned() };
    let ended = table.play(&mut builder, vec![harm], never);
    assert!(matches!(&ended, Some(Ending::RolledBack { why }) if why.contains("az2")), "{ended:?}");
    assert_eq!(table.state(), (BTreeSet::new(), Records::default()), "nothing is left of it");
    assert!(!table.begun.iter().any(|(_, zone)| zone.as_str() == "az3"), "no further zone was changed");
    let after = Builder::new(ruled(true), reread(&table.entries));
    assert!(matches!(after.ledger().ended, Some(Ending::RolledBack { .. })));
}

#[test]
fn who_refuses_its_software_stops_the_build_at_once_whoever_guards_it() {
    let refused = || Input::Refused { why: "quota-1 refuses the software that it was given".to_owned() };
    let mut table = Table::new();
    let mut builder = Builder::new(ruled(true), Ledger::default());
    let second = |entries: &[Entry]| matches!(entries.last(), Some(Entry::Done { step, .. }) if step == "peering.az2");
    table.play(&mut builder, beginning(), second);
    let ended = table.play(&mut builder, vec![refused(), refused()], never);
    assert!(matches!(&ended, Some(Ending::RolledBack { why }) if why.contains("quota-1 refuses")), "{ended:?}");
    assert_eq!(table.state(), (BTreeSet::new(), Records::default()), "nothing is left of it");
    let rolled = table.entries.iter().filter(|entry| matches!(entry, Entry::RollingBack { .. })).count();
    assert_eq!(rolled, 1, "it is said once");
}

#[test]
fn a_roll_back_that_is_killed_is_taken_up() {
    let mut table = Table::new();
    let mut builder = Builder::new(ruled(true), Ledger::default());
    // The second zone is told, and the third waits for its day.
    let second = |entries: &[Entry]| matches!(entries.last(), Some(Entry::Done { step, .. }) if step == "peering.az2");
    table.play(&mut builder, beginning(), second);
    let rolling = |entries: &[Entry]| entries.iter().filter(|entry| matches!(entry, Entry::Undone { .. })).count() == 2;
    table.play(&mut builder, vec![Input::RollBack], rolling);
    let ended = table.play(&mut Builder::new(ruled(true), reread(&table.entries)), beginning(), never);
    assert!(matches!(ended, Some(Ending::RolledBack { .. })), "{ended:?}");
    assert_eq!(table.state(), (BTreeSet::new(), Records::default()));
}

#[test]
fn a_pause_comes_at_the_border_of_a_phase_and_outlives_the_builder() {
    let mut table = Table::new();
    let mut builder = Builder::new(ruled(true), Ledger::default());
    let first = beginning().into_iter().chain([Input::Pause]).collect();
    assert_eq!(table.play(&mut builder, first, never), None);
    assert!(builder.is_paused());
    assert!(builder.ledger().done.keys().all(|step| step.starts_with("control")), "{:?}", builder.ledger().done);
    let mut next = Builder::new(ruled(true), reread(&table.entries));
    assert_eq!(table.play(&mut next, beginning(), never), None, "it is still paused");
    assert!(next.is_paused());
    assert!(table.hands.is_empty(), "nobody did anything yet: {:?}", table.hands);
    assert_eq!(table.play(&mut next, vec![Input::Resume], never), Some(Ending::Completed));
    assert_eq!(table.hands, ["it was paused, and told to go on"]);
}

#[test]
fn what_stands_against_a_phase_is_asked_for_at_its_border_and_pauses_it() {
    let new = || Builder::new(ruled(true), Ledger::default()).looking_before([BuildPhase::Migrate].into());
    let mut free = Table::new();
    assert_eq!(free.play(&mut new(), beginning(), never), Some(Ending::Completed));
    assert_eq!(free.asked, [BuildPhase::Migrate], "once, and before that phase alone");
    let mut table = Table::new();
    table.against = Some("somebody still crosses the border");
    let mut builder = new();
    assert_eq!(table.play(&mut builder, beginning(), never), None);
    assert!(builder.is_paused() && builder.ledger().paused);
    let begun = |entry: &Entry| matches!(entry, Entry::Intent { step, .. } if step.starts_with("migrate"));
    assert!(!table.entries.iter().any(begun), "nothing of the phase was begun");
    // Whoever lets it go on is not asked again; a pause that somebody wants comes after the question.
    assert_eq!(table.play(&mut builder, vec![Input::Resume], never), Some(Ending::Completed));
    assert_eq!((table.asked.len(), free.state()), (1, table.state()));
    let mut both = Table::new();
    let mut builder = new();
    both.play(&mut builder, beginning().into_iter().chain([Input::Pause]).collect(), never);
    for _ in [BuildPhase::Launch, BuildPhase::Migrate] {
        assert_eq!(both.play(&mut builder, vec![Input::Resume, Input::Pause], never), None);
    }
    assert_eq!(both.asked, [BuildPhase::Migrate]);
    assert!(
        builder.is_paused() && builder.ledger().done.contains_key("launch.data") && !both.entries.iter().any(begun)
    );
}

#[test]
fn what_does_not_come_in_time_is_begun_again_and_then_undone() {
    let mut table = Table::new();
    table.broken = Some("data");
    let mut builder = Builder::new(ruled(true), Ledger::default());
    let ended = table.play(&mut builder, beginning(), never);
    assert!(matches!(&ended, Some(Ending::RolledBack { why }) if why.contains("launch.data")), "{ended:?}");
    assert_eq!(builder.ledger().retried.get("launch.data"), Some(&ATTEMPTS_MAX));
    assert_eq!(table.state(), (BTreeSet::new(), Records::default()));
    // After what cannot be undone it stands as it is, and says at what.
    let mut table = Table::new();
    table.broken = Some("data");
    let mut plan = ruled(true);
    plan.no_return = 0;
    let ended = table.play(&mut Builder::new(plan, Ledger::default()), beginning(), never);
    assert!(matches!(&ended, Some(Ending::Stuck { step, .. }) if step == "launch.data"), "{ended:?}");
    assert!(matches!(&*table.hands, [text] if text.contains("it is stuck: instance-data-0")), "{:?}", table.hands);
}

#[test]
fn half_a_last_line_of_a_ledger_is_none_and_a_later_ledger_is_refused() {
    let entries = [
        Entry::Begun { schema: 1, region: "here".into(), plan: 7, at: 0 },
        Entry::Intent { step: "one".into(), attempt: 1, at: 1 },
    ];
    let text: String = entries.iter().map(to_line).collect();
    let whole = Ledger::read(&text).expect("it is whole");
    assert_eq!(whole.open, Some(("one".to_owned(), 1)));
    let torn = Ledger::read(&text[..text.len() - 3]).expect("its end is nothing");
    assert_eq!(torn.open, None);
    let later = text.replace("\"schema\":1", "\"schema\":2");
    assert!(Ledger::read(&later).expect_err("it is later").to_string().contains("schema 2"));
    assert!(Ledger::read("{}\n").is_err());
}
