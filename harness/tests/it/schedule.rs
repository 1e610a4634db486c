//! Claims about what is run unattended: when, when not, and what is made of a server that dies.

use crate::year::{self, Course, Told};
use fixtures::diagnostic::{Diagnostic, Source};
use harness::schedule::calendar::{Recurrence, Zone};
use harness::schedule::keeper::{Ask, Command, Doing, Input, Keeper, Unfit};
use harness::schedule::ledger::{Entry, Ledger, Slot};
use harness::schedule::moment::{Moment, Now};
use harness::schedule::{File, Outcome, Variants, World, load, preview::preview};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(text: &str) -> Moment {
    Moment::parse(text).expect("a moment")
}

fn variants(scenario: &str) -> Result<Variants, String> {
    let turns = match scenario {
        "az-power-loss" => vec!["az1".to_owned(), "az2".to_owned(), "az3".to_owned()],
        "region-black-start" | "minimal" => vec![String::new()],
        _ => return Err(format!("there is no scenario `{scenario}`")),
    };
    Ok(Variants { scenario: scenario.to_owned(), turns })
}

fn read(text: &str) -> Result<File, Vec<Diagnostic>> {
    let source = Source { name: "schedule.toml".to_owned(), text: text.to_owned() };
    load(&source, &mut variants)
}

fn file(text: &str) -> File {
    read(text).unwrap_or_else(|found| panic!("{found:?}"))
}

/// Runs a keeper by hand: what is written is kept, the rest is told.
struct Bench {
    keeper: Keeper,
    told: Vec<Command>,
    written: String,
    began: Moment,
    wall: Moment,
}

impl Bench {
    fn new(file: &File, from: &str, written: &str) -> Self {
        let wall = at(from);
        let mut told = Vec::new();
        let ledger = Ledger::read(written).expect("a ledger");
        let keeper = Keeper::new(file.plan.clone(), ledger, Now { wall, mono: Duration::ZERO }, &mut told);
        let mut bench = Self { keeper, told: Vec::new(), written: written.to_owned(), began: wall, wall };
        bench.keep(told);
        bench
    }

    fn now(&self) -> Now {
        Now { wall: self.wall, mono: self.wall.since(self.began) }
    }

    fn keep(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Write(entry) => self.written += &Ledger::line(&entry),
                other => self.told.push(other),
            }
        }
    }

    fn input(&mut self, input: Input) {
        let mut commands = Vec::new();
        self.keeper.handle(self.now(), input, &mut commands);
        self.keep(commands);
    }

    /// Second by second until a moment; probes are answered by `well`, examinations by yes.
    fn until(&mut self, moment: &str, well: &dyn Fn(Moment) -> Result<(), String>) {
        while self.wall < at(moment) {
            self.wall = self.wall.plus(Duration::from_secs(1));
            self.input(Input::Tick);
            loop {
                let asked =
                    self.told.iter().position(|one| matches!(one, Command::Probe { .. } | Command::Examine { .. }));
                match asked.map(|place| self.told.remove(place)) {
                    Some(Command::Probe { condition }) => {
                        self.input(Input::Probed { condition, well: well(self.wall) })
                    }
                    Some(Command::Examine { run, .. }) => self.input(Input::Examined { run, fit: Ok(()) }),
                    _ => break,
                }
            }
        }
    }

    fn well_until(&mut self, moment: &str) {
        self.until(moment, &|_| Ok(()));
    }

    fn running(&self) -> Option<String> {
        match self.keeper.doing() {
            Doing::Running { run, .. } => Some(run),
            _ => None,
        }
    }

    fn end(&mut self, outcome: Outcome) {
        let run = self.running().expect("a run goes on");
        self.input(Input::Ended { run, outcome, why: String::new() });
    }

    fn refusals(&self) -> Vec<(String, u64, String)> {
        let passed = self.keeper.ledger().passed();
        passed.map(|passed| (passed.slot.due.to_string(), passed.slots, passed.why.clone())).collect()
    }

    fn stops(&self) -> Vec<String> {
        let stops = self.told.iter().filter_map(|one| match one {
            Command::Stop { why, .. } => Some(why.clone()),
            _ => None,
        });
        stops.collect()
    }
}

const WEEKLY: &str = r#"
time-zone = "Europe/Dublin"
[[schedules]]
name = "weekly"
cron = "0 10 * * TUE"
scenarios = ["az-power-loss", "region-black-start"]
"#;

#[test]
fn a_year_of_crashes_loses_no_run_runs_none_twice_and_none_in_a_blocked_window() {
    let file = file(year::SCHEDULE);
    let from = at("2026-01-01T00:00:00Z");
    for seed in 1..=2 {
        let run_at_most = Duration::from_secs(25 * 60);
        let course = Course { from, lasts: 365 * DAY, deaths: 30, away_at_most: 2 * DAY, run_at_most, seed };
        let told = year::live(&file.plan, course);
        assert!(told.started.len() > 500, "seed {seed}: {} runs", told.started.len());
        assert!(told.deaths > 100, "seed {seed}: {} deaths", told.deaths);
        assert!(told.probes > 10_000, "seed {seed}: {} probes", told.probes);
        begun_once(&told, seed);
        none_is_lost(&file, &told, from, seed);
        all_within_what_is_allowed(&file, &told, seed);
        let variants: BTreeSet<(&str, usize)> =
            told.started.iter().map(|one| (one.choice.scenario.as_str(), one.choice.turn)).collect();
        assert_eq!(variants.len(), 5, "seed {seed}: every variant came round: {variants:?}");
    }
}

/// What really began was written down before, and once for its slot.
fn begun_once(told: &Told, seed: u64) {
    let (begun, _) = year::accounts(&told.disk);
    let mut runs: BTreeSet<&String> = BTreeSet::new();
    for one in &told.started {
        assert!(runs.insert(&one.run), "seed {seed}: run {} began twice", one.run);
    }
    let written: BTreeSet<&String> = begun.values().flatten().collect();
    assert!(runs.is_subset(&written), "seed {seed}: a run began that no ledger knows");
    for (slot, of) in &begun {
        assert_eq!(of.len(), 1, "seed {seed}: {slot} was begun as {of:?}");
    }
}

/// Every slot until the last one accounted for is a run or a refusal, and every run has ended.
fn none_is_lost(file: &File, told: &Told, from: Moment, seed: u64) {
    let (begun, passed) = year::accounts(&told.disk);
    let ledger = Ledger::read(&told.disk).expect("a ledger");
    assert_eq!(ledger.open().count(), 0, "seed {seed}: {:?}", ledger.open().next());
    for schedule in &file.plan.schedules {
        let until = ledger.accounted_until(&schedule.name).expect("it is known");
        let due = std::iter::successors(schedule.due.next_after(from), |last| schedule.due.next_after(*last));
        let due = due.take_while(|due| *due <= until).count() as u64;
        let ran = begun.keys().filter(|slot| slot.schedule == schedule.name).count() as u64;
        let passed = passed.get(&schedule.name).copied().unwrap_or_default();
        assert_eq!(ran + passed, due, "seed {seed}: {} slots of {}", due, schedule.name);
        assert!(until.since(from) > 360 * DAY, "seed {seed}: {} ends at {until}", schedule.name);
    }
}

/// None in a blocked window, and one at a time.
fn all_within_what_is_allowed(file: &File, told: &Told, seed: u64) {
    let (begun, _) = year::accounts(&told.disk);
    for (one, next) in told.started.iter().zip(told.started.iter().skip(1)) {
        assert!(one.to.expect("it was over") <= next.from, "seed {seed}: {one:?} and {next:?}");
    }
    let schedules: BTreeMap<&str, _> = file.plan.schedules.iter().map(|one| (one.name.as_str(), one)).collect();
    let slots: BTreeMap<&String, &Slot> =
        begun.iter().flat_map(|(slot, of)| of.iter().map(move |run| (run, slot))).collect();
    for one in &told.started {
        let lasted = one.to.expect("it was over").since(one.from);
        let fits = schedules[slots[&one.run].schedule.as_str()].windows.fits(one.from, lasted);
        assert_eq!(fits, Ok(()), "seed {seed}: {one:?}");
    }
}

#[test]
fn a_slot_is_run_once_and_the_choice_goes_round_with_its_reason() {
    let file = file(WEEKLY);
    let mut bench = Bench::new(&file, "2026-11-30T00:00:00Z", "");
    let mut chosen = Vec::new();
    for (day, hour) in [
        ("2026-12-01", "10:05:00"),
        ("2026-12-08", "10:05:00"),
        ("2026-12-15", "10:05:00"),
        ("2026-12-22", "10:05:00"),
        ("2026-12-29", "10:05:00"),
    ] {
        bench.wall = at(&format!("{day}T09:59:00Z"));
        bench.began = bench.wall;
        bench = Bench::new(&file, &format!("{day}T09:59:00Z"), &bench.written);
        bench.well_until(&format!("{day}T{hour}Z"));
        let run = bench.running().expect("it goes on");
        let held = bench.keeper.ledger().run(&run).expect("written").clone();
        chosen.push((held.choice.scenario.clone(), held.choice.turn));
        assert!(!held.choice.why.is_empty());
        bench.end(Outcome::Held);
        bench.well_until(&format!("{day}T11:00:00Z"));
        assert_eq!(bench.running(), None, "once a slot");
    }
    let of = |scenario: &str, turn| (scenario.to_owned(), turn);
    let round = [
        of("az-power-loss", 0),
        of("az-power-loss", 1),
        of("az-power-loss", 2),
        of("region-black-start", 0),
        of("az-power-loss", 0),
    ];
    assert_eq!(chosen, round);
}

#[test]
fn clocks_that_are_put_forward_or_back_lose_no_day_and_double_none() {
    let dublin = Zone::parse("Europe/Dublin").expect("a zone");
    let days = |cron: &str, from: &str, until: &str| {
        let due = Recurrence::parse(cron, dublin).expect("an expression");
        let all = std::iter::successors(due.next_after(at(from)), |last| due.next_after(*last));
        all.take_while(|due| *due < at(until)).map(|due| due.to_string()).collect::<Vec<_>>()
    };
    // Clocks there go from 01:00 to 02:00 on 29 March 2026, and from 02:00 back to 01:00 on 25 October.
    assert_eq!(
        days("30 1 * * *", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z"),
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        days("30 1 * * *", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z"),
        ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
}

#[test]
fn what_nobody_was_there_for_is_told_and_run_late_only_where_that_is_wanted() {
    let daily = |missed: &str| {
        file(&format!("[[schedules]]\nname = \"daily\"\ncron = \"0 10 * * *\"\nscenarios = [\"minimal\"]\n{missed}"))
    };
    let strict = daily("");
    let first = Bench::new(&strict, "2026-11-01T00:00:00Z", "");
    let away = Bench::new(&strict, "2026-11-05T10:30:00Z", &first.written);
    let mut later = away;
    later.input(Input::Tick);
    assert_eq!(later.refusals(), [("2026-11-05T10:00:00Z".to_owned(), 5, "nobody was there to begin it".to_owned())]);
    assert_eq!(later.keeper.doing(), Doing::Waiting);
    let kind = daily("missed-within = \"1h\"");
    let mut later = Bench::new(&kind, "2026-11-05T10:30:00Z", &first.written);
    later.well_until("2026-11-05T10:30:02Z");
    assert_eq!(later.refusals(), [("2026-11-04T10:00:00Z".to_owned(), 4, "nobody was there to begin it".to_owned())]);
    let run = later.running().expect("the last one is made up for");
    assert!(later.keeper.ledger().run(&run).expect("written").choice.why.contains("made up for"));
}

#[test]
fn a_wall_clock_that_steps_runs_nothing_twice_and_skips_nothing_silently() {
    let daily = file("[[schedules]]\nname = \"daily\"\ncron = \"0 10 * * *\"\nscenarios = [\"minimal\"]\n");
    let mut bench = Bench::new(&daily, "2026-11-01T09:59:58Z", "");
    bench.well_until("2026-11-01T10:00:01Z");
    bench.end(Outcome::Held);
    // Back by an hour: ten o'clock comes again.
    let now = Now { wall: at("2026-11-01T09:59:59Z"), mono: Duration::from_secs(10) };
    let mut commands = Vec::new();
    bench.keeper.handle(now, Input::Tick, &mut commands);
    bench.keeper.handle(
        Now { wall: at("2026-11-01T10:00:30Z"), mono: Duration::from_secs(41) },
        Input::Tick,
        &mut commands,
    );
    assert_eq!(commands, []);
    // Forward by two days: two are missed, and told.
    bench.keeper.handle(
        Now { wall: at("2026-11-03T12:00:00Z"), mono: Duration::from_secs(42) },
        Input::Tick,
        &mut commands,
    );
    assert_eq!(bench.refusals(), [("2026-11-03T10:00:00Z".to_owned(), 2, "nobody was there to begin it".to_owned())]);
    assert_eq!(bench.keeper.doing(), Doing::Waiting);
}

/// A machine whose clock says 2030 at boot, and is put right.
#[test]
fn a_clock_that_was_far_ahead_once_does_not_silence_a_schedule() {
    let daily = file("[[schedules]]\nname = \"daily\"\ncron = \"0 10 * * *\"\nscenarios = [\"minimal\"]\n");
    let mut bench = Bench::new(&daily, "2026-11-01T09:59:58Z", "");
    bench.well_until("2026-11-01T10:00:01Z");
    bench.end(Outcome::Held);
    let mut commands = Vec::new();
    let ahead = Now { wall: at("2030-01-01T00:00:00Z"), mono: Duration::from_secs(10) };
    bench.keeper.handle(ahead, Input::Tick, &mut commands);
    let right = Now { wall: at("2026-11-01T10:00:20Z"), mono: Duration::from_secs(21) };
    bench.keeper.handle(right, Input::Tick, &mut commands);
    bench.keep(commands);
    assert_eq!(bench.keeper.doing(), Doing::Waiting, "the slot of ten was run");
    // Also where the server is started again in between.
    let mut later = Bench::new(&daily, "2026-11-02T09:59:58Z", &bench.written);
    later.well_until("2026-11-02T10:00:01Z");
    assert!(later.running().is_some());
}

#[test]
fn a_keeper_that_sleeps_as_long_as_it_says_misses_no_slot_when_the_clock_steps() {
    let weekly = file(WEEKLY);
    let mut bench = Bench::new(&weekly, "2026-11-25T12:00:00Z", "");
    assert!(bench.keeper.sleep(bench.now()) <= Duration::from_secs(60));
    let mut commands = Vec::new();
    let ahead = Now { wall: at("2026-11-25T14:01:00Z"), mono: Duration::from_secs(60) };
    bench.keeper.handle(ahead, Input::Tick, &mut commands);
    assert_eq!(commands, [], "nothing was due meanwhile, so nothing was missed");
}

#[test]
fn what_is_blocked_reaches_to_the_end_of_an_hour_that_comes_twice() {
    let windows = |line: &str| {
        let head = "time-zone = \"Europe/Dublin\"\n[[schedules]]\nname = \"x\"\ncron = \"0 0 * * *\"\nscenarios = [\"minimal\"]\n";
        file(&format!("{head}{line}")).plan.schedules[0].windows.clone()
    };
    // On 25 October 2026 clocks there show 01:20 twice: at 00:20Z and at 01:20Z.
    let (first, second) = (at("2026-10-25T00:20:00Z"), at("2026-10-25T01:20:00Z"));
    let minute = Duration::from_secs(60);
    assert!(windows("blocked = [\"Sun 00:00-01:45\"]").fits(second, minute).is_err());
    assert!(windows("allowed = [\"Sun 00:00-01:45\"]").fits(second, minute).is_err());
    assert_eq!(windows("allowed = [\"Sun 00:00-01:45\"]").fits(first, minute), Ok(()));
}

#[test]
fn nothing_is_run_outside_of_what_is_allowed_and_what_goes_on_is_ended_there() {
    let windows = file(
        "[[schedules]]\nname = \"daily\"\ncron = \"30 16 * * *\"\nscenarios = [\"minimal\"]\nallowed = [\"Mon-Fri 09:00-17:00\"]\n\
         takes-at-most = \"20m\"\n",
    );
    let mut bench = Bench::new(&windows, "2026-11-30T16:29:55Z", "");
    bench.well_until("2026-11-30T16:30:05Z");
    assert!(bench.running().is_some());
    // The clock is put forward by twenty-nine minutes: the window is at its end before the run is.
    let mut commands = Vec::new();
    bench.keeper.handle(
        Now { wall: at("2026-11-30T17:00:01Z"), mono: Duration::from_secs(60) },
        Input::Tick,
        &mut commands,
    );
    bench.keep(commands);
    assert_eq!(bench.stops().len(), 1, "{:?}", bench.told);
    bench.end(Outcome::Interrupted);
    let held = bench.keeper.ledger().runs().next().expect("a run").clone();
    assert!(held.why.starts_with("allowed only Mon-Fri 09:00-17:00"), "{}", held.why);
    let mut weekend = Bench::new(&windows, "2026-12-05T16:29:00Z", "");
    weekend.well_until("2026-12-05T16:30:30Z");
    assert_eq!(weekend.running(), None);
    assert!(weekend.refusals()[0].2.starts_with("allowed only"), "{:?}", weekend.refusals());
    let tight = file(
        "[[schedules]]\nname = \"daily\"\ncron = \"30 16 * * *\"\nscenarios = [\"minimal\"]\nallowed = [\"daily 09:00-17:00\"]\n\
         takes-at-most = \"31m\"\n",
    );
    let mut bench = Bench::new(&tight, "2026-11-30T16:29:55Z", "");
    bench.well_until("2026-11-30T16:30:05Z");
    assert_eq!(bench.refusals().len(), 1, "a run that could reach beyond the window is not begun");
}

const WATCHED: &str = r#"
[[conditions]]
name = "shop"
http = "http://127.0.0.1:1/"
well-for = "60s"
every = "5s"
[[schedules]]
name = "daily"
cron = "0 10 * * *"
scenarios = ["minimal"]
waits-at-most = "5m"
"#;

#[test]
fn a_run_waits_for_conditions_and_ends_when_one_turns_bad() {
    let file = file(WATCHED);
    let mut bench = Bench::new(&file, "2026-11-30T09:55:00Z", "");
    // Bad until two minutes past ten, so that it can be seen well for a minute at three minutes past.
    bench.until("2026-11-30T10:02:55Z", &|now| {
        if now < at("2026-11-30T10:02:00Z") { Err("503".to_owned()) } else { Ok(()) }
    });
    assert!(matches!(bench.keeper.doing(), Doing::Held { why, .. } if why.contains("seen well for")));
    bench.well_until("2026-11-30T10:03:10Z");
    assert!(bench.running().is_some());
    bench.until("2026-11-30T10:04:00Z", &|_| Err("answers 500".to_owned()));
    assert_eq!(bench.stops(), ["`shop` is not well: answers 500"], "once");
    bench.end(Outcome::Interrupted);
    assert_eq!(bench.keeper.ledger().runs().next().expect("a run").outcome, Outcome::Interrupted);
    let mut never = Bench::new(&file, "2026-11-30T09:55:00Z", "");
    never.until("2026-11-30T10:06:00Z", &|_| Err("answers 500".to_owned()));
    assert_eq!(never.refusals()[0].2, "`shop` is not well: answers 500, and it waited long enough");
}

#[test]
fn one_at_a_time_and_who_waits_too_long_for_another_passes() {
    let two = file(
        "[[schedules]]\nname = \"long\"\ncron = \"0 10 * * *\"\nscenarios = [\"minimal\"]\ntakes-at-most = \"2h\"\n[[schedules]]\n\
         name = \"short\"\ncron = \"*/10 10 * * *\"\nscenarios = [\"minimal\"]\nwaits-at-most = \"15m\"\n",
    );
    let mut bench = Bench::new(&two, "2026-11-30T09:59:50Z", "");
    bench.well_until("2026-11-30T10:26:00Z");
    let held = bench.keeper.ledger().runs().next().expect("a run").clone();
    assert_eq!(held.slot.as_ref().map(|slot| slot.schedule.as_str()), Some("long"));
    bench.end(Outcome::Held);
    bench.well_until("2026-11-30T10:26:02Z");
    // Those of 10:00 and 10:10 waited for more than a quarter of an hour; that of 10:20 did not.
    assert_eq!(bench.refusals().len(), 2, "{:?}", bench.refusals());
    let held = bench.keeper.ledger().runs().next().expect("a run").clone();
    assert_eq!(held.slot.map(|slot| slot.due), Some(at("2026-11-30T10:20:00Z")));
}

#[test]
fn a_halt_stops_what_goes_on_and_outlives_the_server() {
    let file = file(WEEKLY);
    let mut bench = Bench::new(&file, "2026-12-01T09:59:58Z", "");
    bench.well_until("2026-12-01T10:00:03Z");
    let mut commands = Vec::new();
    bench.keeper.halt(bench.now(), "ann", &mut commands);
    bench.keep(commands);
    assert_eq!(bench.stops(), ["halted by ann"]);
    bench.end(Outcome::Interrupted);
    let mut later = Bench::new(&file, "2026-12-08T09:59:58Z", &bench.written);
    later.well_until("2026-12-08T10:00:03Z");
    assert!(later.refusals()[0].2.starts_with("halted by ann"), "{:?}", later.refusals());
    let ask = Ask {
        by: "ben".to_owned(),
        scenario: "minimal".to_owned(),
        turn: 0,
        world: World::Sim,
        region: None,
        seed: None,
    };
    let mut commands = Vec::new();
    let now = later.now();
    assert!(later.keeper.ask(now, ask.clone(), &mut commands).unwrap_err().starts_with("halted by ann"));
    later.keeper.resume(now, "ann", &mut commands);
    assert!(later.keeper.ask(now, ask, &mut commands).is_ok());
}

#[test]
fn a_run_that_does_not_fit_is_refused_and_an_engine_in_use_is_waited_for() {
    let file = file(WEEKLY);
    let begin = |fit: Result<(), Unfit>| {
        let mut bench = Bench::new(&file, "2026-12-01T09:59:59Z", "");
        bench.wall = at("2026-12-01T10:00:00Z");
        bench.input(Input::Tick);
        let Some(Command::Examine { run, .. }) = bench.told.pop() else { panic!("{:?}", bench.told) };
        bench.input(Input::Examined { run, fit });
        bench
    };
    let refused = begin(Err(Unfit::AtAll("it takes 72 hosts, and the budget is 10".to_owned())));
    assert_eq!(refused.refusals()[0].2, "it takes 72 hosts, and the budget is 10");
    let mut waits = begin(Err(Unfit::ForNow("run x goes on over the same engine".to_owned())));
    assert!(matches!(waits.keeper.doing(), Doing::Held { why, .. } if why.contains("goes on over")));
    waits.well_until("2026-12-01T10:00:20Z");
    assert!(waits.running().is_some());
}

#[test]
fn a_run_that_an_earlier_server_began_is_accounted_for_before_anything_else() {
    let file = file(WEEKLY);
    let mut bench = Bench::new(&file, "2026-12-01T09:59:58Z", "");
    bench.well_until("2026-12-01T10:00:03Z");
    let run = bench.running().expect("it goes on");
    let mut later = Bench::new(&file, "2026-12-01T10:00:30Z", &bench.written);
    assert!(matches!(&later.told[..], [Command::Recover { run: found, .. }] if *found == run), "{:?}", later.told);
    later.input(Input::Ended {
        run: run.clone(),
        outcome: Outcome::Interrupted,
        why: "the server was ended".to_owned(),
    });
    assert_eq!(later.keeper.ledger().run(&run).expect("known").outcome, Outcome::Interrupted);
    assert_eq!(later.keeper.doing(), Doing::Waiting, "its slot was run");
}

#[test]
fn the_preview_is_what_then_happens() {
    let file = file(year::SCHEDULE);
    let ahead = preview(&file.plan, &Ledger::default(), at("2026-12-17T00:00:00Z"), 40);
    assert_eq!(ahead.len(), 40);
    assert!(ahead.iter().any(|one| one.refused.as_ref().is_some_and(|why| why.contains("nobody is there"))));
    let mut bench = Bench::new(&file, "2026-12-17T00:00:00Z", "");
    for one in ahead.iter().filter(|one| one.refused.is_none()).take(4) {
        let before = one.begins.minus(Duration::from_secs(300)).to_string();
        bench = Bench::new(&file, &before, &bench.written);
        bench.well_until(&one.begins.plus(Duration::from_secs(10)).to_string());
        let run = bench.running().unwrap_or_else(|| panic!("{one:?}: {:?}", bench.keeper.doing()));
        let held = bench.keeper.ledger().run(&run).expect("written").clone();
        assert_eq!((held.slot.as_ref(), held.choice.seed), (Some(&one.slot), one.choice.seed));
        assert_eq!((&held.choice.scenario, held.choice.turn), (&one.choice.scenario, one.choice.turn));
        bench.end(Outcome::Held);
    }
}

#[test]
fn a_ledger_is_the_same_when_it_is_made_small_and_a_torn_line_is_none() {
    let told = year::live(
        &file(year::SCHEDULE).plan,
        Course {
            from: at("2026-01-01T00:00:00Z"),
            lasts: 20 * DAY,
            deaths: 20,
            away_at_most: DAY,
            run_at_most: Duration::from_secs(600),
            seed: 9,
        },
    );
    let ledger = Ledger::read(&told.disk).expect("a ledger");
    let small: String = ledger.compacted().iter().map(Ledger::line).collect();
    assert_eq!(Ledger::read(&small).expect("a ledger"), ledger);
    let whole = &told.disk[..told.disk.rfind('\n').expect("lines") + 1];
    let torn = format!("{whole}{{\"begun\":{{\"ru");
    assert_eq!(Ledger::read(&torn).expect("a ledger"), Ledger::read(whole).expect("a ledger"));
    let later = Ledger::line(&Entry::Schema(99));
    assert!(Ledger::read(&later).unwrap_err().contains("later version"));
}

#[test]
fn everything_that_is_wrong_with_a_schedule_is_told_at_once_with_its_place() {
    let found = read(
        r#"
time-zone = "Europe/Dubln"
[[blocked-dates]]
from = "2026-12-31"
to = "2026-12-01"
reason = "backwards"
[[conditions]]
name = "shop"
http = "127.0.0.1:1"
[[conditions]]
name = "shop"
prometheus = "http://127.0.0.1:9090"
query = "up"
[[schedules]]
name = "Weekly"
cron = "0 25 * * TUE"
scenarios = ["az-power-los"]
allowed = ["Mo-Fr 9-5"]
conditions = ["shopp"]
jiter = "5m"
[[schedules]]
name = "two"
"#,
    )
    .unwrap_err();
    let told: Vec<String> = found.iter().map(|one| format!("{}: {} ({})", one.line, one.message, one.code)).collect();
    let all = told.join("\n");
    for wanted in [
        "2: there is no time zone `Europe/Dubln`",
        "`2026-12-31` to `2026-12-01` are no days in a row",
        "9: `127.0.0.1:1` is no address",
        "another condition is named `shop` too",
        "condition `shop` has no `below` or `above`",
        "`Weekly` is no name",
        "`0 25 * * TUE` is no cron expression",
        "there is no scenario `az-power-los`",
        "`Mo-Fr 9-5` is no window of the week",
        "there is no condition `shopp`",
        "unknown key `jiter`",
        "schedule `two` has no `cron`",
        "schedule `two` has no `scenarios`",
    ] {
        assert!(all.contains(wanted), "{wanted} in\n{all}");
    }
}

#[test]
fn schema_is_the_committed_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/schedule.schema.json");
    let schema = serde_json::to_string_pretty(&harness::schedule::file::schema()).expect("a schema is JSON") + "\n";
    if std::env::var_os("BLACKSTART_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().expect("a folder"))
            .and_then(|()| std::fs::write(&path, &schema))
            .expect("writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "{} is stale: run the tests with BLACKSTART_BLESS=1", path.display());
}
