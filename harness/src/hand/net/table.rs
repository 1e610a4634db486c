//! Owns which shapes a packet gets and its fate under them, with what came of it in numbers. Pure but for its counters:
//! it is handed time, chance and the packet's head. Refuses to hold packets.

use super::super::protocol::{LinkAct, LinkRule, Shape};
use fastrand::Rng;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Packets among which the share that is lost or doubled is exact: a short fault gets what was asked for too.
const DECK: u32 = 200;
/// How far a rate may fall behind before packets are dropped, as a router's buffer would.
const BACKLOG_NS_MAX: u64 = 200_000_000;
/// What may pass at once after a silence, at a bounded rate.
const BURST_NS: u64 = 5_000_000;

/// Addresses of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subnet {
    address: u32,
    mask: u32,
}

impl Subnet {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no IPv4 address or subnet, such as 198.18.0.0/24");
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let address = u32::from(address.parse::<Ipv4Addr>().map_err(|_| wrong())?);
        let bits = bits.parse::<u32>().ok().filter(|bits| *bits <= 32).ok_or_else(wrong)?;
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Ok(Self { address: address & mask, mask })
    }

    fn has(self, address: u32) -> bool {
        address & self.mask == self.address
    }
}

/// Senders and receivers of a rule.
#[derive(Debug)]
pub(super) struct Ends {
    from: Vec<Subnet>,
    to: Vec<Subnet>,
}

impl Ends {
    /// Reads a rule's addresses.
    pub(super) fn read(rule: &LinkRule) -> Result<Self, String> {
        let read = |list: &[String]| list.iter().map(|text| Subnet::read(text)).collect::<Result<Vec<_>, _>>();
        let ends = Self { from: read(&rule.from)?, to: read(&rule.to)? };
        if ends.from.is_empty() || ends.to.is_empty() {
            return Err("a network rule has no senders or no receivers: it would be aimed at nothing".to_owned());
        }
        Ok(ends)
    }

    pub(super) fn fit(&self, from: u32, to: u32) -> bool {
        self.from.iter().any(|subnet| subnet.has(from)) && self.to.iter().any(|subnet| subnet.has(to))
    }
}

/// The place of the first rule that fits a packet.
pub(super) fn first_fit(rules: &[LinkRule], from: Ipv4Addr, to: Ipv4Addr) -> Option<usize> {
    rules.iter().position(|rule| Ends::read(rule).is_ok_and(|ends| ends.fit(from.into(), to.into())))
}

/// What one rule did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets that came.
    pub seen: u64,
    /// Bytes of them that were let through.
    pub bytes: u64,
    /// Packets lost, as was asked for.
    pub lost: u64,
    /// Packets dropped because the rate was behind by its whole backlog.
    pub backlog: u64,
    /// Packets let go with their delay.
    pub delayed: u64,
    /// The delay that these really had from this rule, nanoseconds in all.
    pub added_ns: u64,
    /// Packets sent twice.
    pub doubled: u64,
}

/// A deck in which the asked share of cards is marked; it is drawn from without putting back.
#[derive(Debug, Default)]
struct Deck {
    cards: u32,
    marked: u32,
    carry: u64,
}

impl Deck {
    fn draw(&mut self, ppm: u32, chance: &mut Rng) -> bool {
        if ppm == 0 {
            return false;
        }
        if self.cards == 0 {
            let share = self.carry + u64::from(ppm.min(1_000_000)) * u64::from(DECK);
            self.cards = DECK;
            self.marked = u32::try_from(share / 1_000_000).unwrap_or(DECK).min(DECK);
            self.carry = share % 1_000_000;
        }
        let hit = chance.u32(0..self.cards) < self.marked;
        self.cards -= 1;
        self.marked -= u32::from(hit);
        hit
    }
}

#[derive(Debug, Default)]
struct State {
    counted: Counted,
    loss: Deck,
    double: Deck,
    /// When the rate's link is free again, on the monotonic clock.
    free_ns: u64,
}

/// One direction that is shaped.
#[derive(Debug)]
pub(super) struct Rule {
    ends: Ends,
    pub(super) shape: Shape,
    state: Mutex<State>,
}

impl Rule {
    /// `None` for a rule that shapes nothing.
    pub(super) fn read(rule: &LinkRule) -> Result<Option<Arc<Self>>, String> {
        let ends = Ends::read(rule)?;
        let LinkAct::Shape(shape) = rule.act else { return Ok(None) };
        Ok(Some(Arc::new(Self { ends, shape, state: Mutex::default() })))
    }

    pub(super) fn counted(&self) -> Counted {
        self.state().counted
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The delay that this rule asks for this packet; `None` where it is lost.
    fn delay(&self, bytes: u64, now: u64, chance: &mut Rng) -> Option<(u64, bool)> {
        let mut state = self.state();
        state.counted.seen += 1;
        if state.loss.draw(self.shape.loss_ppm, chance) {
            state.counted.lost += 1;
            return None;
        }
        let mut wait = 0;
        if let Some(takes) = bytes.saturating_mul(1_000_000_000).checked_div(self.shape.rate) {
            let starts = state.free_ns.max(now.saturating_sub(BURST_NS));
            if starts > now + BACKLOG_NS_MAX {
                state.counted.backlog += 1;
                return None;
            }
            state.free_ns = starts + takes;
            wait = state.free_ns.saturating_sub(now);
        }
        state.counted.bytes += bytes;
        let jitter = self.shape.jitter_us.min(self.shape.latency_us) * 1_000;
        let latency = self.shape.latency_us * 1_000 - jitter + chance.u64(0..=2 * jitter);
        let double = state.double.draw(self.shape.duplicate_ppm, chance);
        state.counted.doubled += u64::from(double);
        Some((wait + latency, double))
    }

    /// A packet was let go: its delay came out as `added_ns`.
    fn released(&self, added_ns: u64) {
        let counted = &mut self.state().counted;
        counted.delayed += 1;
        counted.added_ns += added_ns;
    }
}

/// What becomes of a packet.
#[derive(Debug)]
pub(super) enum Fate {
    Lost,
    /// It goes on when it is due, and a copy with it where it is doubled.
    Due(Due),
}

/// When a packet goes on, and who wanted so.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) at_ns: u64,
    pub(super) double: bool,
    came_ns: u64,
    bytes: usize,
    parts: Vec<(Arc<Rule>, u64)>,
}

impl Due {
    /// Tells the rules what delay the packet had in the end; lateness is counted to each of them.
    pub(super) fn released(&self, now: u64) {
        let late = now.saturating_sub(self.at_ns);
        for (rule, asked) in &self.parts {
            rule.released(asked + late);
        }
    }

    /// Its length, as its own header says.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no rule lets it wait at all.
    pub(super) fn is_now(&self) -> bool {
        self.at_ns == self.came_ns
    }
}

/// All shapes of a run: the base, then one list for each fault. In a list the first rule that fits counts; the lists
/// add up.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) lists: Vec<Vec<Arc<Rule>>>,
    /// Packets that no rule fits any more.
    pub(super) strangers: AtomicU64,
}

impl Table {
    fn any(&self, asks: impl Fn(&Shape) -> bool) -> bool {
        self.lists.iter().flatten().any(|rule| asks(&rule.shape))
    }

    /// Whether whole packets are needed: a copy is made of them.
    pub(super) fn copies(&self) -> bool {
        self.any(|shape| shape.duplicate_ppm > 0)
    }

    /// Whether each packet must come as it is on a wire: its loss, copy or length counts.
    pub(super) fn counts_packets(&self) -> bool {
        self.any(|shape| shape.duplicate_ppm > 0 || shape.loss_ppm > 0 || shape.rate > 0)
    }

    /// Decides about a packet that came at `now`, by its first bytes from the IP header on.
    pub(super) fn fate(&self, head: &[u8], now: u64, chance: &mut Rng) -> Fate {
        let mut due = Due { at_ns: now, double: false, came_ns: now, bytes: 0, parts: Vec::new() };
        if let Some((from, to, bytes)) = ends_of(head) {
            due.bytes = usize::try_from(bytes).unwrap_or_default();
            for list in &self.lists {
                let Some(rule) = list.iter().find(|rule| rule.ends.fit(from, to)) else { continue };
                let Some((asked, double)) = rule.delay(bytes, now, chance) else { return Fate::Lost };
                due.at_ns += asked;
                due.double |= double;
                due.parts.push((Arc::clone(rule), asked));
            }
        }
        if due.parts.is_empty() {
            self.strangers.fetch_add(1, Ordering::Relaxed);
        }
        Fate::Due(due)
    }
}

/// Sender, receiver and length in an IPv4 header.
fn ends_of(head: &[u8]) -> Option<(u32, u32, u64)> {
    let number = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let length = u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?));
    (head.first()? >> 4 == 4).then_some(())?;
    Some((number(12)?, number(16)?, length))
}

#[cfg(test)]
mod tests {
    use super::super::super::protocol::{LinkAct, LinkRule, Shape};
    use super::{Fate, Rule, Subnet, Table};
    use fastrand::Rng;
    use std::sync::Arc;

    fn rule(from: &str, to: &str, shape: Shape) -> Arc<Rule> {
        let rule = LinkRule { from: vec![from.to_owned()], to: vec![to.to_owned()], act: LinkAct::Shape(shape) };
        Rule::read(&rule).expect("good addresses").expect("a shape")
    }

    /// The head of a packet from 10.0.1.FROM to 10.0.2.TO, of 1000 bytes.
    fn head(from: u8, to: u8) -> Vec<u8> {
        let mut head = vec![0x45, 0, 3, 232, 0, 0, 0, 0, 64, 6, 0, 0];
        head.extend([10, 0, 1, from, 10, 0, 2, to]);
        head
    }

    fn table(lists: Vec<Vec<Arc<Rule>>>) -> Table {
        Table { lists, ..Table::default() }
    }

    fn delay(table: &Table, head: &[u8]) -> Option<u64> {
        match table.fate(head, 1_000_000_000, &mut Rng::with_seed(1)) {
            Fate::Lost => None,
            Fate::Due(due) => Some(due.at_ns - 1_000_000_000),
        }
    }

    #[test]
    fn the_first_rule_of_a_list_counts_and_faults_add_to_the_base() {
        let ms = |ms: u64| Shape { latency_us: ms * 1_000, ..Shape::default() };
        let base = vec![rule("10.0.1.0/24", "10.0.2.0/24", ms(2)), rule("0.0.0.0/0", "0.0.0.0/0", ms(50))];
        let fault = vec![rule("10.0.1.7", "10.0.2.0/24", ms(100))];
        let table = table(vec![base, fault]);
        assert_eq!(delay(&table, &head(7, 1)), Some(102_000_000));
        assert_eq!(delay(&table, &head(8, 1)), Some(2_000_000));
        assert_eq!(delay(&table, &head(8, 1)[..16]), Some(0), "what cannot be read passes");
    }

    #[test]
    fn loss_is_exact_in_each_deck_and_random_in_it() {
        let lossy = rule("10.0.1.0/24", "10.0.2.0/24", Shape { loss_ppm: 150_000, ..Shape::default() });
        let table = table(vec![vec![Arc::clone(&lossy)]]);
        let mut chance = Rng::with_seed(7);
        let lost: Vec<bool> = (0..400).map(|_| matches!(table.fate(&head(1, 1), 0, &mut chance), Fate::Lost)).collect();
        let count = |part: &[bool]| part.iter().filter(|lost| **lost).count();
        assert_eq!((count(&lost[..200]), count(&lost[200..])), (30, 30));
        assert_ne!(lost[..200], lost[200..]);
        assert_eq!((lossy.counted().seen, lossy.counted().lost), (400, 60));
    }

    #[test]
    fn a_rate_spaces_packets_and_drops_what_its_backlog_cannot_hold() {
        // A hundred thousand bytes a second: 10 ms a packet.
        let slow = rule("10.0.1.0/24", "10.0.2.0/24", Shape { rate: 100_000, ..Shape::default() });
        let table = table(vec![vec![Arc::clone(&slow)]]);
        let delays: Vec<_> = (0..40).map(|_| delay(&table, &head(1, 1))).collect();
        assert_eq!(&delays[..3], [Some(5_000_000), Some(15_000_000), Some(25_000_000)]);
        assert_eq!(delays.iter().flatten().count(), 21);
        assert_eq!((slow.counted().backlog, slow.counted().bytes), (19, 21_000));
    }

    #[test]
    fn jitter_stays_in_its_width_and_subnets_are_read_whole() {
        let shape = Shape { latency_us: 10_000, jitter_us: 3_000, ..Shape::default() };
        let table = table(vec![vec![rule("0.0.0.0/0", "10.0.2.0/24", shape)]]);
        let mut chance = Rng::with_seed(3);
        for _ in 0..1_000 {
            let Fate::Due(due) = table.fate(&head(1, 1), 0, &mut chance) else { panic!("nothing is lost") };
            assert!((7_000_000..=13_000_000).contains(&due.at_ns));
        }
        assert!(Subnet::read("10.0.0.0/33").is_err() && Subnet::read("zone").is_err());
        assert!(Subnet::read("10.0.0.9/8").expect("good").has(0x0aff_ffff));
    }
}
