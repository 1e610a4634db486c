//! Owns the picture as lines of a terminal, for any size of it. Refuses to know the terminal: it is handed a size and
//! whether there are colours, and gives back lines of that width.

use super::Picture;
use super::now::{Ending, Entry, How, Now, Proof, Stand, StepState, Weight};
use super::region::Region;
use crate::text::{clean_to, count, width};
use scenarios::event::{Act, Phase};
use scenarios::measure;
use scenarios::verdict::Verdict;

/// Milliseconds: customers of the last so many count as now.
const LATELY_MS: u64 = 10_000;

/// Without a window for so many milliseconds a canary is not heard.
const UNHEARD_MS: u64 = 5_000;

/// Lines of the plan at most: the next steps.
const STEPS_MAX: usize = 6;

/// A narrower terminal than this shows no more than fits.
const NARROWEST: usize = 20;

/// What is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub columns: usize,
    /// Lines.
    pub lines: usize,
    /// Whether there are colours.
    pub color: bool,
}

/// Colours, as the numbers that a terminal knows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ink {
    Plain,
    Bold,
    Faint,
    Green,
    Yellow,
    Red,
    Violet,
}

/// One line that is being put together: what is written, and how many columns of it.
pub(crate) struct Line {
    text: String,
    columns: usize,
    screen: Screen,
}

impl Line {
    pub(crate) fn new(screen: Screen) -> Self {
        Self { text: String::new(), columns: 0, screen }
    }

    /// As much as fits.
    pub(crate) fn put(mut self, ink: Ink, text: &str) -> Self {
        let room = self.screen.columns.saturating_sub(self.columns);
        let mut fits = String::new();
        for c in text.chars() {
            if width(&fits) + width(c.encode_utf8(&mut [0; 4])) > room {
                break;
            }
            fits.push(c);
        }
        self.columns += width(&fits);
        let code = match ink {
            Ink::Plain => "",
            Ink::Bold => "1",
            Ink::Faint => "2",
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Red => "31",
            Ink::Violet => "35",
        };
        if self.screen.color && !code.is_empty() && !fits.is_empty() {
            self.text.push_str(&format!("\u{1b}[{code}m{fits}\u{1b}[0m"));
        } else {
            self.text.push_str(&fits);
        }
        self
    }

    /// The line with its colours.
    pub(crate) fn done(self) -> String {
        self.text
    }
}

/// The picture in as many lines as there are, or fewer.
pub fn draw(picture: &Picture, t_ms: u64, screen: Screen) -> Vec<String> {
    let screen = Screen { columns: screen.columns.max(NARROWEST), ..screen };
    let (region, now) = (picture.region().as_ref(), picture.now());
    let mut lines = head(region, now, t_ms, screen);
    lines.push(String::new());
    lines.extend(zones(region, now, t_ms, screen));
    lines.push(String::new());
    lines.extend(plan(region, now, t_ms, screen));
    if let Some(ending) = &now.ending {
        lines.push(String::new());
        lines.extend(end(ending, screen));
    }
    let room = screen.lines.saturating_sub(lines.len() + 1);
    if room > 0 && !now.timeline.is_empty() {
        lines.push(String::new());
        lines.extend(now.timeline.iter().rev().take(room).map(|entry| told(entry, screen)));
    }
    lines.truncate(screen.lines);
    lines
}

fn head(region: &Region, now: &Now, t_ms: u64, screen: Screen) -> Vec<String> {
    let line = || Line::new(screen);
    let title = line().put(Ink::Bold, &region.scenario).put(Ink::Plain, &format!(": {}", region.title)).done();
    let run = format!("run {}, seed {}, world {}", clean_to(&region.run, 40), region.seed, clean_to(&region.world, 20));
    let whole_s = t_ms / 1_000;
    let clock = format!("{:02}:{:02}", whole_s / 60, whole_s % 60);
    let phase = now.phase.map_or_else(
        || "not begun".to_owned(),
        |phase| {
            let round = if region.rounds > 1 && phase.phase != Phase::Ended {
                format!(", round {} of {}", phase.round + 1, region.rounds)
            } else {
                String::new()
            };
            let (gone, limit) = (t_ms.saturating_sub(phase.since_ms), limit(region, phase.phase));
            let of = if limit > 0 { format!(" of {}", seconds(limit)) } else { String::new() };
            format!("{}{round}  {}{of}", measure::word(phase.phase), seconds(gone))
        },
    );
    let mut counts = line();
    for (stand, number) in Stand::ALL.into_iter().zip(now.counts()).rev() {
        counts = counts
            .put(ink(stand), &format!("{} ", sign(stand)))
            .put(Ink::Plain, &format!("{number} {}   ", stand.word()));
    }
    vec![
        title,
        line().put(Ink::Faint, &run).done(),
        line().put(Ink::Bold, &format!("{clock}  {phase}")).done(),
        counts.done(),
    ]
}

fn limit(region: &Region, phase: Phase) -> u64 {
    match phase {
        Phase::Settle => region.windows.settle_ms,
        Phase::Baseline => region.windows.baseline_ms,
        Phase::Recovery => region.windows.recovery_ms,
        Phase::Quiet => region.windows.quiet_ms,
        _ => 0,
    }
}

fn seconds(ms: u64) -> String {
    if ms < 10_000 { format!("{}.{} s", ms / 1_000, ms / 100 % 10) } else { format!("{} s", ms / 1_000) }
}

fn sign(stand: Stand) -> char {
    match stand {
        Stand::Off => '×',
        Stand::Starting => '·',
        Stand::Serving => '▲',
        Stand::Degraded => 'o',
        Stand::Active => '■',
    }
}

fn ink(stand: Stand) -> Ink {
    match stand {
        Stand::Off => Ink::Faint,
        Stand::Starting => Ink::Violet,
        Stand::Serving => Ink::Yellow,
        Stand::Degraded | Stand::Active => Ink::Green,
    }
}

/// Of each zone one line of figures and, below it, a sign for each instance, host by host.
fn zones(region: &Region, now: &Now, t_ms: u64, screen: Screen) -> Vec<String> {
    let mut lines = Vec::new();
    let room = screen.lines.saturating_sub(14) / region.zones.len().max(1);
    for (zone, name) in region.zones.iter().enumerate() {
        let members: Vec<usize> =
            (0..region.instances.len()).filter(|at| region.hosts[region.instances[*at].host].zone == zone).collect();
        let active = members.iter().filter(|at| now.instances.get_byte(**at) == Stand::Active.letter()).count();
        let of = format!("{active} of {} active", members.len());
        let line = Line::new(screen).put(Ink::Bold, &format!("{name:<8}")).put(Ink::Plain, &format!(" {of:<22}"));
        lines.push(customers(line, region, now, zone, t_ms).done());
        lines.extend(signs(region, now, &members, screen, room.saturating_sub(2).max(1)));
    }
    lines
}

fn customers(line: Line, region: &Region, now: &Now, zone: usize, t_ms: u64) -> Line {
    let own = &now.zones[zone];
    let Some(last) = own.windows.back() else { return line.put(Ink::Faint, "customers: nothing heard yet") };
    let (sent, answered) = own.lately(t_ms, LATELY_MS);
    let failed = own.sent - own.answered;
    let silent = t_ms.saturating_sub(last.t_ms);
    if now.ending.is_none() && (silent >= UNHEARD_MS || sent == 0) {
        return line.put(Ink::Yellow, &format!("customers: not heard for {}", seconds(silent)));
    }
    let low = u128::from(answered) * 1_000_000 < u128::from(sent) * u128::from(region.promised_ppm);
    let share = crate::text::share((sent > 0).then(|| answered as f64 / sent as f64));
    line.put(Ink::Plain, "customers: ")
        .put(if low { Ink::Red } else { Ink::Green }, &share)
        .put(Ink::Plain, &format!(" answered, p99 {}.{} ms, ", last.p99_us / 1_000, last.p99_us / 100 % 10))
        .put(if failed > 0 { Ink::Red } else { Ink::Plain }, &format!("{failed} failed"))
}

/// A sign for each instance, hosts apart, in so many lines at most.
fn signs(region: &Region, now: &Now, members: &[usize], screen: Screen, lines_max: usize) -> Vec<String> {
    let mut rows: Vec<Vec<(Stand, String)>> = vec![Vec::new()];
    let (mut before, mut wide, mut shown) = (None, 0, 0);
    let several = region.hosts.len() < region.instances.len();
    for &at in members {
        let host = region.instances[at].host;
        let apart = several && wide > 0 && before.is_some_and(|other| other != host);
        if wide + 4 > screen.columns {
            if rows.len() == lines_max {
                break;
            }
            rows.push(Vec::new());
            wide = 0;
        }
        let stand = Stand::of_letter(now.instances.get_byte(at));
        let text = if apart && wide > 0 { format!(" {}", sign(stand)) } else { sign(stand).to_string() };
        wide += text.chars().count();
        // Neighbours that stand alike are one piece: a colour is told once for all of them.
        if let Some(row) = rows.last_mut() {
            match row.last_mut() {
                Some((same, piece)) if *same == stand => piece.push_str(&text),
                _ => row.push((stand, text)),
            }
        }
        (before, shown) = (Some(host), shown + 1);
    }
    let line = |row: &Vec<(Stand, String)>| {
        let start = Line::new(screen).put(Ink::Plain, "  ");
        row.iter().fold(start, |line, (stand, text)| line.put(ink(*stand), text)).done()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if shown < members.len() {
        lines.push(Line::new(screen).put(Ink::Faint, &format!("  … and {} more", members.len() - shown)).done());
    }
    lines
}

/// What is in force, and what comes next.
fn plan(region: &Region, now: &Now, t_ms: u64, screen: Screen) -> Vec<String> {
    let mut lines = Vec::new();
    for (step, own) in region.steps.iter().zip(&now.steps) {
        let healed = now.steps[step.pair].state == StepState::Done;
        let (fault, line) = (clean_to(&step.fault, 60), Line::new(screen));
        let on = count(step.hosts, "host");
        let line = match (own.state, step.act) {
            (StepState::Done, Act::Inject) if !healed && !step.passes => {
                let proof = match own.proof {
                    Proof::None => "in force",
                    Proof::Holds => "in force, and seen to be",
                    Proof::Fails => "is not in force",
                };
                let since = seconds(t_ms.saturating_sub(own.t_ms));
                line.put(Ink::Red, "▼ ")
                    .put(Ink::Plain, &format!("{fault}: {} on {on}, {proof}, for {since}", step.what))
            }
            (StepState::Begun, act) => {
                let verb = if act == Act::Inject { "begins" } else { "is healed" };
                line.put(Ink::Yellow, "◐ ").put(Ink::Bold, &format!("{fault}: {} {verb} on {on}", step.what))
            }
            (StepState::Planned, act) if now.ending.is_none() => {
                let verb = if act == Act::Inject { "begins" } else { "is healed" };
                let began = now.rounds.get(step.round).copied().flatten();
                let when = match (&step.after, began) {
                    (Some(after), _) => format!("once {after}"),
                    (None, Some(began)) => format!("in {}", seconds((began + step.at_ms).saturating_sub(t_ms))),
                    (None, None) => format!("{} into round {}", seconds(step.at_ms), step.round + 1),
                };
                line.put(Ink::Faint, &format!("○ {fault}: {} {verb} on {on}, {when}", step.what))
            }
            _ => continue,
        };
        lines.push(line.done());
    }
    let more = lines.len().saturating_sub(STEPS_MAX);
    if more > 0 {
        lines.truncate(STEPS_MAX);
        lines.push(Line::new(screen).put(Ink::Faint, &format!("… and {}", count(more, "more step"))).done());
    }
    lines
}

fn end(ending: &Ending, screen: Screen) -> Vec<String> {
    let line = || Line::new(screen);
    let (ink, word) = match (ending.how, ending.verdict) {
        (How::Judging, _) => (Ink::Bold, "it is over, and being judged".to_owned()),
        (How::Lost, _) => (Ink::Yellow, format!("no verdict: {}", ending.text)),
        (How::Judged, Some(Verdict::Held)) => (Ink::Green, "held".to_owned()),
        (How::Judged, Some(Verdict::Violated)) => (Ink::Red, "violated".to_owned()),
        (How::Judged, verdict) => (Ink::Yellow, verdict.map_or("no verdict", Verdict::word).to_owned()),
    };
    let mut lines = vec![line().put(ink, &word).done()];
    lines.extend(ending.findings.iter().take(3).map(|text| line().put(Ink::Plain, &format!("  {text}")).done()));
    lines
}

fn told(entry: &Entry, screen: Screen) -> String {
    let ink = match entry.weight {
        Weight::Phase => Ink::Bold,
        Weight::Fault | Weight::Bad => Ink::Red,
        Weight::Heal | Weight::Good => Ink::Green,
        Weight::Note => Ink::Plain,
    };
    let when = format!("{:>9} ", format!("+{}.{} s", entry.t_ms / 1_000, entry.t_ms / 100 % 10));
    Line::new(screen).put(Ink::Faint, &when).put(ink, &entry.text).done()
}
