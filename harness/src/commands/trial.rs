//! Owns `blackstart try`: reads what is asked, puts the image on trial, removes everything, and leaves the record. Refuses
//! to judge.

use super::print;
use crate::cli::{Format, TryArgs};
use crate::clock::{self, Clock};
use crate::exit;
use crate::load::BadInput;
use crate::run::Stop;
use crate::terminal::Terminal;
use crate::trial::course::{Course, Outcome};
use crate::trial::needs::{self, Need, endpoint};
use crate::trial::protocol::{Cast, Page, Role};
use crate::trial::question::Question;
use crate::trial::stand::{Deaths, Ground, Subject};
use crate::world::docker::engine::Engine;
use crate::world::docker::engine::guest::GuestFacts;
use crate::world::docker::guard::Guard;
use crate::world::docker::names::Names;
use crate::world::docker::{image, sweep};
use agents::commons::Keys;
use anyhow::{Context, Result};
use reports::trial::fragment::service_name;
use reports::trial::{Head, TrialRecord, fragment, junit, table, to_json};
use scenarios::trial::Bounds;
use scenarios::verdict::Verdict;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Puts one image on trial.
///
/// # Errors
/// Bad input; no engine; a record that cannot be written.
pub fn run(args: &TryArgs, quiet: bool, color: bool) -> Result<u8> {
    let mut asked = read(args).map_err(bad)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let (engine, info) = Engine::connect().await?;
        let Some(facts) = engine.guest_facts(&args.image).await? else {
            let name = &args.image;
            return Err(bad(vec![format!(
                "the engine has no image `{name}`, and none is ever fetched: build it, `docker pull {name}`, or `docker load` it first"
            )]));
        };
        let probe = probe(args, &facts).map_err(|problem| bad(vec![problem]))?;
        let mut stop = Stop::listen(false).context("signals cannot be listened to")?;
        let clock = Arc::new(Clock::start());
        let run = clock::run_id();
        let names = Names::new(&run, info.systemd_cgroups);
        let folder = args.out.join(&run);
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made; name another with --out", folder.display()))?;
        let terminal = Terminal::new(quiet);
        terminal.say(&format!("trial {run} of {} (engine {})\n", args.image, info.version));
        // From here on, whatever happens to this process, somebody removes what it made.
        let guard = Guard::set_up(&run, true)?;
        let own_image = args.agent_image.clone().unwrap_or_else(|| names.image());
        let subject = asked.subject(args, own_image.clone(), probe);
        let ground = Ground { engine: engine.clone(), names, clock: Arc::clone(&clock), subject, deaths: Deaths::default() };
        let seen = RefCell::new(Outcome::default());
        let say = |text: &str| terminal.say(&format!("   +{:>6.3} s  {text}", clock.now() as f64 / 1e9));
        let going = async {
            if args.agent_image.is_none() {
                let tar = image::build(args.agent.as_deref(), &info.architecture)?;
                engine.import_image(&own_image, &ground.names.labels(&[]), tar).await?;
            }
            Course::new(&ground, asked.bounds.clone(), &say, &seen).run().await
        };
        let label = ground.names.label();
        let ended = tokio::select! {
            biased;
            () = stop.wanted() => {
                terminal.say("         stopping: everything is removed first");
                None
            }
            ended = going => Some(ended),
            () = ground.deaths.follow(&engine, &label) => {
                Some(Err(anyhow::anyhow!("the engine's event stream ended unexpectedly")))
            }
        };
        let residue = sweep::remove_run(&engine, &run, &BTreeSet::new()).await;
        guard.stand_down();
        let left = Left { run, facts, ended, residue: residue?, outcome: seen.into_inner() };
        left.leave(args, asked, &ground, &folder, color)
    })
}

fn bad(problems: Vec<String>) -> anyhow::Error {
    let text = problems.iter().map(|problem| format!("error: {problem}\n")).collect();
    BadInput { text }.into()
}

/// What the command line asks for, read.
struct Asked {
    bounds: Bounds,
    service: String,
    roles: Vec<Role>,
    files: Vec<(String, Vec<u8>)>,
    authority: Option<Keys>,
}

/// Reads it.
fn read(args: &TryArgs) -> Result<Asked, Vec<String>> {
    let mut problems = Vec::new();
    let mut roles = needs::roles(&args.allow);
    for text in &args.play {
        match role(text) {
            Ok(mut role) => match roles
                .iter_mut()
                .find(|own| own.name == role.name && (role.port.is_none() || own.port == role.port))
            {
                Some(own) => own.page = std::mem::take(&mut role.page),
                None => roles.push(role),
            },
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(
        args.env.iter().filter(|text| !text.contains('=')).map(|text| format!("--env {text}: it is NAME=VALUE")),
    );
    let service = service_name(args.name.as_deref().unwrap_or_else(|| short(&args.image)));
    let made = needs::authority().and_then(|keys| Ok((needs::files(&args.allow, &service, &keys)?, keys)));
    let (mut files, authority) = match made {
        Ok((files, keys)) => (files, Some(keys)),
        Err(error) => {
            problems.push(format!("{error:#}"));
            (Vec::new(), None)
        }
    };
    for text in &args.file {
        match text.split_once('=') {
            Some((path, file)) if path.starts_with('/') => match std::fs::read(file) {
                Ok(bytes) => files.push((path.to_owned(), bytes)),
                Err(error) => problems.push(format!("--file {text}: {file} cannot be read: {error}")),
            },
            _ => problems.push(format!("--file {text}: it is PATH=FILE, with the path in the image from its root")),
        }
    }
    let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    for (name, span) in [("--start-within", args.start_within), ("--answer-within", args.answer_within)] {
        if span < Duration::from_millis(100) {
            problems.push(format!("{name} is too short to tell anything"));
        }
    }
    let bounds = Bounds {
        start_within_ms: ms(args.start_within),
        answer_within_ms: ms(args.answer_within),
        heal_within_ms: ms(args.heal_within),
        absence_ms: ms(args.absence),
        has_call: args.call.is_some(),
        has_liveness: args.liveness.is_some(),
        telemetry: args.telemetry.clone(),
    };
    if problems.is_empty() { Ok(Asked { bounds, service, roles, files, authority }) } else { Err(problems) }
}

/// `NAME[:PORT]=STATUS|FILE`.
fn role(text: &str) -> Result<Role, String> {
    let Some((at, what)) = text.split_once('=') else {
        return Err(format!("--play {text}: it is NAME=STATUS, or NAME=FILE with what is answered"));
    };
    let (name, port) = endpoint(at).map_err(|why| format!("--play {text}: {why}"))?;
    let page = match what.parse::<u16>() {
        Ok(status @ 100..=599) => Page::Fixed { status, body: String::new() },
        Ok(status) => return Err(format!("--play {text}: {status} is no status of HTTP")),
        Err(_) => match std::fs::read_to_string(what) {
            Ok(body) => Page::Fixed { status: 200, body },
            Err(error) => return Err(format!("--play {text}: {what} cannot be read: {error}")),
        },
    };
    Ok(Role { name, port, allowed: false, page })
}

/// The last part of an image's name, without its tag.
fn short(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

/// What says whether it is up.
fn probe(args: &TryArgs, facts: &GuestFacts) -> Result<Question, String> {
    if !facts.runs && args.command.is_empty() && args.entrypoint.is_none() {
        return Err(format!("the image `{}` does not say what to run: give its command after `--`", args.image));
    }
    match (&args.probe, facts.ports.first()) {
        (Some(probe), _) => Ok(probe.clone()),
        (None, Some(port)) => Ok(Question::Tcp { port: *port }),
        (None, None) => Err(format!(
            "the image `{}` does not say where it listens: give --probe, such as http://:8080/health",
            args.image
        )),
    }
}

impl Asked {
    fn subject(&mut self, args: &TryArgs, own_image: String, probe: Question) -> Subject {
        Subject {
            image: args.image.clone(),
            own_image,
            hostname: self.service.clone(),
            entrypoint: args.entrypoint.as_ref().map(|program| vec![program.clone()]),
            command: Some(args.command.clone()).filter(|command| !command.is_empty()),
            environment: args.env.clone(),
            user: args.user.clone(),
            files: std::mem::take(&mut self.files),
            cast: Cast {
                hostname: self.service.clone(),
                roles: std::mem::take(&mut self.roles),
                authority: self.authority.take(),
            },
            probe,
            call: args.call.clone(),
            liveness: args.liveness.clone(),
            answer_within_ms: self.bounds.answer_within_ms,
        }
    }
}

/// What is there when everything is removed.
struct Left {
    run: String,
    facts: GuestFacts,
    /// Nothing where it was interrupted.
    ended: Option<Result<Bounds>>,
    residue: Vec<(String, String)>,
    outcome: Outcome,
}

impl Left {
    /// Writes the record, shows it, and says how the trial ended.
    fn leave(self, args: &TryArgs, asked: Asked, ground: &Ground, folder: &Path, color: bool) -> Result<u8> {
        let Self { run, facts, ended, residue, outcome: Outcome { experiments, mut caveats } } = self;
        let (bounds, interrupted, failed) = match ended {
            Some(Ok(bounds)) => (bounds, false, None),
            Some(Err(error)) => (asked.bounds, false, Some(error)),
            None => (asked.bounds, true, None),
        };
        if let Some(error) = &failed {
            caveats.push(format!("the trial was cut short: {error:#}"));
        }
        let head = Head {
            run,
            image: args.image.clone(),
            image_id: facts.id,
            service: asked.service,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_utc: ground.clock.started_utc(),
            took_ms: ground.clock.now() / 1_000_000,
            replay: std::env::args().map(|word| quoted(&word)).collect::<Vec<_>>().join(" "),
            allowed: args.allow.iter().map(Need::to_string).collect(),
        };
        let mut record = TrialRecord::of(head, bounds, experiments, caveats);
        record.residue = residue.into_iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        record.interrupted = interrupted;
        if failed.is_some() || interrupted {
            record.verdict = Verdict::merge([Verdict::Inconclusive, record.verdict]);
        }
        let (xml, graph) = (junit::render(&record), fragment::render(&record));
        for (name, text) in
            [("trial.json", to_json(&record)), ("junit.xml", xml.clone()), ("graph.toml", graph.clone())]
        {
            write(&folder.join(name), &text)?;
        }
        for (path, text) in [(&args.junit, &xml), (&args.graph, &graph)] {
            if let Some(path) = path {
                write(path, text)?;
            }
        }
        match args.format {
            Format::Json => print(&to_json(&record))?,
            Format::Text => print(&format!("{}\nfiles: {}", table::render(&record, color), folder.display()))?,
        }
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(match record.verdict {
            _ if interrupted => exit::INTERRUPTED,
            _ if !record.residue.is_empty() => exit::HARNESS,
            Verdict::Held => exit::OK,
            Verdict::Violated => exit::VIOLATED,
            Verdict::Inconclusive | Verdict::NotJudged => exit::INCONCLUSIVE,
        })
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
