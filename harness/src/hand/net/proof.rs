//! Owns the judgement whether a network fault is in force, from what paths and counters showed. Pure. Refuses to
//! measure.

use super::super::protocol::{LinkAct, LinkRule, Look, Shape};
use super::Met;
use super::fault::tried;
use super::paths::{self, Outcome, Sample};
use super::table::Counted;

/// Measured latency may differ from what was asked by this share, or by [`LATENCY_MS_OFF`].
const LATENCY_SHARE_OFF: f64 = 0.10;
const LATENCY_MS_OFF: f64 = 2.0;
/// Shares by counters may differ by this many standard deviations, and by this many packets and this much more. A look
/// is one of thousands: at 4.5 deviations chance alone fails one in 150,000; the packets are for the small numbers for
/// which a count is no normal variable.
const SIGMAS: f64 = 4.5;
const PACKETS_OFF: f64 = 2.0;
const SHARE_OFF: f64 = 0.005;
/// Throughput may pass what was asked for by this share: bursts.
const RATE_SHARE_OFF: f64 = 0.10;

/// What the fault does to the two directions of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Expected {
    pub(super) there: Option<LinkAct>,
    pub(super) back: Option<LinkAct>,
}

impl Expected {
    /// Whether nothing can be opened over it.
    pub(super) fn cuts(self) -> bool {
        [self.there, self.back].iter().flatten().any(|act| matches!(act, LinkAct::Drop | LinkAct::Refuse))
    }

    fn shapes(self) -> Vec<Shape> {
        let shape = |act| if let LinkAct::Shape(shape) = act { Some(shape) } else { None };
        [self.there, self.back].into_iter().flatten().filter_map(shape).collect()
    }
}

/// What was seen of one path since the last look.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) name: String,
    pub(super) usual_ns: Option<u64>,
    pub(super) expected: Expected,
    pub(super) samples: Vec<Sample>,
}

/// All that was seen.
#[derive(Debug)]
pub(super) struct Proof<'a> {
    pub(super) rules: &'a [LinkRule],
    pub(super) met: &'a [Met],
    /// `met` at the last look; empty at the first.
    pub(super) before: &'a [Met],
    pub(super) paths: Vec<Path>,
    pub(super) lasted_ns: u64,
    pub(super) overruns: u64,
}

impl Proof<'_> {
    /// Judges, with every reason against it in the sentence.
    pub(super) fn judge(&self) -> Look {
        let mut look = Look::default();
        let mut against = Vec::new();
        if self.paths.is_empty() {
            against.push("no path is measured".to_owned());
        }
        for path in &self.paths {
            against.extend(path_holds(path, &mut look).err());
        }
        // A one-way fault can starve its other rules: one that moves is enough, and the paths say the rest.
        let packets = |met: &[Met]| met.iter().map(|met| met.packets).sum::<u64>();
        let (now, before) = (packets(self.met), packets(self.before));
        if now == 0 {
            against.push("no packet met any of its rules".to_owned());
        } else if now == before && self.paths.iter().any(|path| tried(&path.samples) > 0) {
            // Where nobody could be asked to try, whoever sends is dark: a zone may lose power while its links are slow.
            against.push("no packet met any of its rules since the last look".to_owned());
        }
        for (rule, met) in self.rules.iter().zip(self.met) {
            if let (LinkAct::Shape(shape), Some(counted)) = (rule.act, met.shaped) {
                against.extend(shares_hold(&shape, &counted, self.lasted_ns, &mut look));
            }
        }
        look.holds = against.is_empty();
        let mut text = format!("{now} packets met its rules; {}", self.paths_told());
        if self.overruns > 0 {
            text += &format!("; {} packets were lost at the harness's own buffers", self.overruns);
        }
        look.text = if look.holds { text } else { format!("{}; {text}", against.join("; ")) };
        look
    }

    fn paths_told(&self) -> String {
        let told = self.paths.iter().map(|path| {
            let open = paths::count(&path.samples, |outcome| matches!(outcome, Outcome::Open(_)));
            let refused = paths::count(&path.samples, |outcome| outcome == Outcome::Refused);
            format!("{}: of {} connects {open} opened, {refused} were refused", path.name, tried(&path.samples))
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

fn note(look: &mut Look, name: &str, asked: f64, measured: f64) {
    // Of several paths the one furthest from what was asked is told.
    let off = (measured - asked).abs();
    let worst = look.measured.get(name).zip(look.asked.get(name)).map(|(measured, asked)| (measured - asked).abs());
    if worst.is_none_or(|worst| off > worst) {
        look.asked.insert(name.to_owned(), asked);
        look.measured.insert(name.to_owned(), measured);
    }
}

fn path_holds(path: &Path, look: &mut Look) -> Result<(), String> {
    let name = &path.name;
    let Some(usual_ns) = path.usual_ns else {
        return Err(format!("{name}: nothing could be opened before the fault either"));
    };
    if path.expected == Expected::default() {
        return Err(format!("{name}: no rule fits this path"));
    }
    let open = paths::count(&path.samples, |outcome| matches!(outcome, Outcome::Open(_)));
    let tried = tried(&path.samples);
    if path.expected.cuts() {
        if tried > 0 {
            note(look, "cut_percent", 100.0, 100.0 - share(open, tried));
        }
        if open > 0 {
            return Err(format!("{name}: {open} of {tried} connects opened over a cut path"));
        }
        let refused = paths::count(&path.samples, |outcome| outcome == Outcome::Refused);
        if path.expected.there == Some(LinkAct::Refuse) && refused < tried {
            return Err(format!("{name}: {refused} of {tried} connects were refused, the others stayed unanswered"));
        }
        return Ok(());
    }
    let shapes = path.expected.shapes();
    let asked_ms = shapes.iter().map(|shape| shape.latency_us as f64 / 1e3).sum::<f64>();
    if asked_ms == 0.0 {
        // Loss alone lets some connects wait for their second try: what they took says nothing of it.
        return Ok(());
    }
    let Some(median_ns) = paths::median(&path.samples) else {
        // Longer than a look may take, or lost: what the rules met says the rest.
        return Ok(());
    };
    let added_ms = (median_ns as f64 - usual_ns as f64) / 1e6;
    let ways = shapes.iter().filter(|shape| shape.latency_us > 0).count().max(1) as f64;
    note(look, "latency_ms", asked_ms / ways, added_ms / ways);
    let jitter_ms = shapes.iter().map(|shape| shape.jitter_us as f64 / 1e3).sum::<f64>();
    let off = (asked_ms * LATENCY_SHARE_OFF).max(LATENCY_MS_OFF) + jitter_ms;
    // What waits for its turn at a bounded rate adds to it.
    let slowed = shapes.iter().any(|shape| shape.rate > 0);
    if added_ms < asked_ms - off || (added_ms > asked_ms + off && !slowed) {
        return Err(format!("{name}: {added_ms:.1} ms a round trip were added, {asked_ms:.1} asked for"));
    }
    Ok(())
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}

/// Shares and rate by the rule's own counters; returns what does not hold.
fn shares_hold(shape: &Shape, counted: &Counted, lasted_ns: u64, look: &mut Look) -> Vec<String> {
    let mut against = Vec::new();
    let through = counted.seen - counted.lost - counted.backlog;
    for (what, name, ppm, hits, of) in [
        ("lost", "loss_percent", shape.loss_ppm, counted.lost, counted.seen),
        ("doubled", "duplicate_percent", shape.duplicate_ppm, counted.doubled, through),
    ] {
        if ppm == 0 || of == 0 {
            continue;
        }
        let (asked, measured) = (f64::from(ppm) / 1e6, hits as f64 / of as f64);
        note(look, name, asked * 100.0, measured * 100.0);
        let off = SIGMAS * (asked * (1.0 - asked) / of as f64).sqrt() + PACKETS_OFF / of as f64 + SHARE_OFF;
        if (measured - asked).abs() > off {
            against.push(format!("{hits} of {of} packets were {what}, {:.2} % asked for", asked * 100.0));
        }
    }
    if shape.rate > 0 && lasted_ns > 0 {
        let asked = shape.rate as f64 * 8.0 / 1e6;
        let measured = counted.bytes as f64 * 8.0 / (lasted_ns as f64 / 1e9) / 1e6;
        note(look, "rate_mbit", asked, measured);
        // A quiet link stays below; what is above was not held back. The backlog may hold a fifth of a second more.
        let most = asked * (1.0 + RATE_SHARE_OFF) + asked * 0.25 / (lasted_ns as f64 / 1e9);
        if measured > most {
            against.push(format!("{measured:.3} Mbit/s went through, {asked:.3} asked for"));
        }
    }
    against
}

#[cfg(test)]
mod tests {
    use super::super::Met;
    use super::super::paths::{Outcome, Sample};
    use super::super::table::Counted;
    use super::{Expected, LinkAct, LinkRule, Look, Path, Proof, Shape};

    fn look(act: LinkAct, met: Met, outcomes: &[Outcome]) -> Look {
        look_again(act, met, &[], outcomes)
    }

    fn look_again(act: LinkAct, met: Met, before: &[Met], outcomes: &[Outcome]) -> Look {
        let samples = outcomes.iter().map(|outcome| Sample { began_ns: 1, ended_ns: 2, outcome: *outcome }).collect();
        let path = Path {
            name: "a to b".to_owned(),
            usual_ns: Some(1_000_000),
            expected: Expected { there: Some(act), back: None },
            samples,
        };
        let rules = [LinkRule { from: Vec::new(), to: Vec::new(), act }];
        Proof { rules: &rules, met: &[met], before, paths: vec![path], lasted_ns: 1_000_000_000, overruns: 0 }.judge()
    }

    const MET: Met = Met { packets: 9, shaped: None };

    #[test]
    fn a_cut_holds_only_where_packets_met_it_and_nothing_opened() {
        assert!(look(LinkAct::Drop, MET, &[Outcome::Silent]).holds);
        assert!(!look(LinkAct::Drop, MET, &[Outcome::Silent, Outcome::Open(1)]).holds);
        let unmet = look(LinkAct::Drop, Met::default(), &[Outcome::Silent]);
        assert!(!unmet.holds && unmet.text.contains("no packet met"), "{}", unmet.text);
    }

    #[test]
    fn a_fault_that_nothing_meets_any_more_does_not_hold_unless_whoever_sends_is_dark() {
        let slow = LinkAct::Shape(Shape { latency_us: 2_000_000, ..Shape::default() });
        assert!(!look_again(slow, MET, &[MET], &[Outcome::Silent]).holds);
        assert!(look_again(slow, MET, &[MET], &[Outcome::Untried]).holds);
        assert!(look_again(slow, MET, &[MET], &[]).holds);
        assert!(!look_again(slow, Met::default(), &[Met::default()], &[Outcome::Untried]).holds, "it never met any");
    }

    #[test]
    fn a_refusal_that_is_silent_does_not_hold() {
        assert!(look(LinkAct::Refuse, MET, &[Outcome::Refused]).holds);
        assert!(!look(LinkAct::Refuse, MET, &[Outcome::Refused, Outcome::Silent]).holds);
    }

    #[test]
    fn latency_holds_within_a_tenth_or_two_milliseconds() {
        let act = LinkAct::Shape(Shape { latency_us: 100_000, ..Shape::default() });
        assert!(look(act, MET, &[Outcome::Open(110_900_000)]).holds);
        let off = look(act, MET, &[Outcome::Open(112_000_000)]);
        assert!(!off.holds);
        assert_eq!((off.asked["latency_ms"], off.measured["latency_ms"]), (100.0, 111.0));
        assert!(!look(act, MET, &[Outcome::Open(1_000_000)]).holds);
    }

    #[test]
    fn loss_holds_within_what_chance_allows_for_so_many_packets() {
        let act = LinkAct::Shape(Shape { loss_ppm: 150_000, ..Shape::default() });
        let met = |seen, lost| Met { packets: 9, shaped: Some(Counted { seen, lost, ..Counted::default() }) };
        assert!(look(act, met(4, 0), &[Outcome::Open(1_000_000)]).holds);
        assert!(look(act, met(13, 6), &[Outcome::Open(1_000_000)]).holds);
        assert!(look(act, met(2_000, 310), &[Outcome::Open(1_000_000)]).holds);
        let none = look(act, met(2_000, 0), &[Outcome::Open(1_000_000)]);
        assert!(!none.holds && none.text.contains("0 of 2000 packets were lost"), "{}", none.text);
    }
}
