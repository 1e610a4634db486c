//! Owns the network side of a run: forwarding between its bridges and nothing out of them, the latency that its
//! topology has in every run, and network faults. Refuses to know zones.
//!
//! - [`rules`]: what the packet filter is told; one `iptables-restore` is atomic, all rules or none
//! - [`shaper`]: what delays, loses, doubles and slows; [`queue`] and [`hold`] do it, by [`table`] and over [`nfnl`]
//! - [`paths`]: measuring from inside a host's network namespace; [`fault`] and [`proof`]: a fault with its proof
//! - `tap`: who calls whom, and what name servers answer, where packets pass
//! - [`wire`]: the cables of hosts; [`neighbours`]: whether the machine has room for them
//! - [`machine`]: the machine's own programs, run in its own root folder, because rules must go into the tables that
//!   the engine itself uses (there are two kinds)

mod fault;
mod hold;
mod machine;
pub mod neighbours;
mod nfnl;
mod paths;
mod proof;
mod queue;
mod rules;
mod shaper;
mod table;
mod tap;
pub mod wire;

pub use fault::NetworkFault;
pub use machine::enter;
pub(super) use machine::run;
pub use paths::Pids;
pub(super) use paths::{from_host, is_up};
pub use table::Counted;

use super::protocol::{LinkAct, LinkRule, Tapped};
use queue::Queue;
use rules::Chains;
use shaper::Shaper;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::{Rule, Table};
use tap::Tap;

/// Whether rules can be written here.
pub(super) fn probe() -> Result<(), String> {
    machine::run("iptables", &["-w", "-S", "DOCKER-USER"], "").map(|_| ())
}

/// Whether the rules of a run are there, by their chains.
pub(super) fn are_there(short: &str) -> bool {
    listing().is_ok_and(|listing| !Chains::new(short).found(&listing).is_empty())
}

/// Removes the rules of a run, whoever made them; returns what is still there. The run's [`Net`] must be gone before:
/// a queue of its own is told as left.
pub fn remove(short: &str) -> Vec<String> {
    let chains = Chains::new(short);
    let Ok(before) = listing() else { return Vec::new() };
    let text = chains.remove(&before);
    if text.is_empty() {
        return Vec::new();
    }
    let failed = restore(&text).err();
    let after = listing().unwrap_or_default();
    let mut left: Vec<String> = chains.found(&after).into_iter().map(str::to_owned).collect();
    if !left.is_empty() {
        left.extend(failed);
    }
    // A queue is bound by a process: only what the rules led to can be ours.
    let bound = chains.queue_number(&before).filter(|number| queue::is_bound(*number));
    left.extend(bound.map(|number| format!("packet queue {number}")));
    left
}

fn listing() -> Result<String, String> {
    machine::run("iptables", &["-w", "-S"], "")
}

fn restore(text: &str) -> Result<(), String> {
    machine::run("iptables-restore", &["-w", "--noflush"], text).map(|_| ())
}

/// One fault in force.
struct Injected {
    fault: String,
    rules: Vec<LinkRule>,
    /// For each of `rules` what shapes; nothing for one that cuts.
    shapes: Vec<Option<Arc<Rule>>>,
}

#[derive(Default)]
struct State {
    base: Vec<LinkRule>,
    base_shapes: Vec<Arc<Rule>>,
    faults: Vec<Injected>,
}

impl State {
    fn table(&self) -> Arc<Table> {
        let faults = self.faults.iter().map(|fault| fault.shapes.iter().flatten().cloned().collect());
        let lists = std::iter::once(self.base_shapes.clone()).chain(faults).filter(|list: &Vec<_>| !list.is_empty());
        Arc::new(Table { lists: lists.collect(), ..Table::default() })
    }

    /// Every rule that shapes.
    fn shaping(&self) -> Vec<LinkRule> {
        let all = self.base.iter().chain(self.faults.iter().flat_map(|fault| &fault.rules));
        all.filter(|rule| matches!(rule.act, LinkAct::Shape(_))).cloned().collect()
    }
}

/// What one rule of a fault met and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Met {
    /// Packets that fitted it, by the packet filter's count.
    pub packets: u64,
    /// What shaping did, where it shapes.
    pub shaped: Option<Counted>,
}

/// The network of one run. Shaping ends when it is dropped; rules stay until [`remove`].
pub struct Net {
    chains: Chains,
    /// The way of shaping, or why there is none.
    shaper: Result<Box<dyn Shaper>, String>,
    caveats: Vec<String>,
    state: Mutex<State>,
    /// Who looks at calls, where somebody does.
    tap: Mutex<Option<Tap>>,
}

impl Net {
    /// Allows forwarding between `bridges`, drops all else from and to them, the machine itself included, and makes
    /// ready for faults. What another hand left of this run's faults is removed in the same step. `seed` decides which
    /// packets are lost.
    ///
    /// # Errors
    /// Where rules cannot be written. Where packets cannot be shaped, or those inside one bridge do not pass the
    /// filter, it starts, and [`Net::caveats`] says so.
    pub fn start(short: &str, bridges: &[String], seed: u64) -> Result<Self, String> {
        let chains = Chains::new(short);
        restore(&chains.start(bridges, &listing()?))?;
        let shaper = Queue::start(short, seed).map(|queue| Box::new(queue) as Box<dyn Shaper>);
        let caveats = bridges.iter().filter_map(|bridge| machine::filter_inside(bridge).err()).collect();
        Ok(Self { chains, shaper, caveats, state: Mutex::default(), tap: Mutex::default() })
    }

    /// What faults cannot do here, beside shaping: sentences for the record.
    pub fn caveats(&self) -> &[String] {
        &self.caveats
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look at calls. Doing it again changes nothing.
    ///
    /// # Errors
    /// Where the kernel has no logs for packets, or rules cannot be written.
    pub fn begin_to_tap(&self) -> Result<(), String> {
        let mut tap = self.tap.lock().unwrap_or_else(PoisonError::into_inner);
        if tap.is_none() {
            let begun = Tap::start(&self.chains.tap())?;
            restore(&self.chains.tapped(begun.group(), &listing()?))?;
            *tap = Some(begun);
        }
        Ok(())
    }

    /// What was seen of calls since the last time.
    ///
    /// # Errors
    /// Where nobody looks.
    pub fn tapped(&self) -> Result<Tapped, String> {
        let tap = self.tap.lock().unwrap_or_else(PoisonError::into_inner);
        tap.as_ref().map(Tap::read).ok_or_else(|| "nobody looks at calls".to_owned())
    }

    /// How packets are shaped here.
    ///
    /// # Errors
    /// Why they cannot be.
    pub fn shaping(&self) -> Result<String, String> {
        let way = self.shaper.as_ref().map_err(Clone::clone)?.name();
        let netem = if shaper::netem_is_here() { "here, not used" } else { "not in this kernel" };
        Ok(format!("{way} (netem: {netem})"))
    }

    /// Packets lost at our own buffers, apart from what was asked for: a caveat where it is not zero.
    pub fn overruns(&self) -> u64 {
        self.shaper.as_ref().map(|shaper| shaper.overruns()).unwrap_or_default()
    }

    /// Shapes these links from now on, whatever faults there are. Faults add to it, and what they cut stays cut.
    ///
    /// # Errors
    /// Where an address is none, a rule does not shape, or packets cannot be shaped here.
    pub fn set_base(&self, rules: Vec<LinkRule>) -> Result<(), String> {
        let shapes = shapes_of(&rules)?.into_iter().collect::<Option<Vec<_>>>();
        let shapes = shapes.ok_or("links can have a shape in every run; only a fault cuts")?;
        let mut state = self.state();
        let before = (std::mem::replace(&mut state.base, rules), std::mem::replace(&mut state.base_shapes, shapes));
        let set = self.shape(&state).and_then(|text| restore(&format!("*filter\n{text}COMMIT\n")));
        if set.is_err() {
            (state.base, state.base_shapes) = before;
        }
        set
    }

    /// Sets the shaper's table, and returns the rules by which packets come to it.
    fn shape(&self, state: &State) -> Result<String, String> {
        let rules = state.shaping();
        match &self.shaper {
            Ok(shaper) => {
                shaper.set(state.table())?;
                Ok(shaper.rules(&self.chains, &rules))
            }
            Err(_) if rules.is_empty() => Ok(String::new()),
            Err(error) => Err(error.clone()),
        }
    }

    /// Begins a fault, in one step. Doing it again changes nothing.
    ///
    /// # Errors
    /// Where an address is none or the machine refuses; then nothing of it is in force.
    pub fn inject(&self, fault: &str, rules: &[LinkRule]) -> Result<(), String> {
        let shapes = shapes_of(rules)?;
        let mut state = self.state();
        if let Some(there) = state.faults.iter().find(|one| one.fault == fault) {
            return if there.rules == rules { Ok(()) } else { Err(format!("{fault} is in force with other rules")) };
        }
        state.faults.push(Injected { fault: fault.to_owned(), rules: rules.to_vec(), shapes });
        let begun = self.shape(&state).and_then(|shaped| restore(&self.chains.inject(fault, rules, &shaped)));
        if begun.is_err() {
            state.faults.pop();
            // The table without it; where that fails too, no rule leads to the queue for it.
            let _unshaped = self.shape(&state);
        }
        begun
    }

    /// Ends a fault, in one step. One that is not in force is healed already. Packets that it holds go on when they are
    /// due.
    ///
    /// # Errors
    /// Where the machine refuses; it stays in force.
    pub fn heal(&self, fault: &str) -> Result<(), String> {
        let mut state = self.state();
        let place = state.faults.iter().position(|one| one.fault == fault);
        let injected = place.map(|place| (place, state.faults.remove(place)));
        let chain = self.chains.fault(fault);
        let mut healed = Ok(());
        if self.chains.found(&listing()?).contains(&chain.as_str()) {
            let rules = state.shaping();
            let shaped = self.shaper.as_ref().map(|shaper| shaper.rules(&self.chains, &rules)).unwrap_or_default();
            healed = restore(&self.chains.heal(fault, &shaped));
        }
        match (&healed, injected) {
            (Err(_), Some((place, injected))) => state.faults.insert(place, injected),
            (Ok(()), Some(_)) => healed = self.shape(&state).map(|_| ()),
            _ => {}
        }
        healed
    }

    /// What each rule of a fault met so far, in their order.
    ///
    /// # Errors
    /// Where the fault is not in force.
    pub fn met(&self, fault: &str) -> Result<Vec<Met>, String> {
        let state = self.state();
        let one = state.faults.iter().find(|one| one.fault == fault);
        let one = one.ok_or_else(|| format!("{fault} is not in force"))?;
        let listing = machine::run("iptables", &["-w", "-vxnL", &self.chains.fault(fault)], "")?;
        let packets = rules::counters(&listing, &one.rules);
        let shaped = one.shapes.iter().map(|shape| shape.as_ref().map(|rule| rule.counted()));
        Ok(packets.into_iter().zip(shaped).map(|(packets, shaped)| Met { packets, shaped }).collect())
    }

    /// What shaping did by the base, rule by rule.
    pub fn base(&self) -> Vec<Counted> {
        self.state().base_shapes.iter().map(|rule| rule.counted()).collect()
    }
}

fn shapes_of(rules: &[LinkRule]) -> Result<Vec<Option<Arc<Rule>>>, String> {
    rules.iter().map(Rule::read).collect()
}
