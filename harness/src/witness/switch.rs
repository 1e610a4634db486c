//! Owns switches in force: which instances are told again and again to obey one, and how many do. Sans-IO, as
//! [`super::watcher`], whose part it is. Refuses to know why anybody switches.
//!
//! An instance forgets a switch by itself two seconds after it was told last. So nothing has to be undone where a witness
//! or its controller dies.

use super::protocol::{Seen, SwitchOrder};
use super::watcher::{Errand, Out};
use agents::config::nanos;
use agents::machine::Nanos;
use agents::machine::switch::OBEYS;
use agents::wire::{Ask, Failure, Reply, Text};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long an instance obeys without being told again.
const LASTS: Duration = Duration::from_secs(2);
/// Pause between two renewals, and how long one may take.
const RENEW_NS: Nanos = 400_000_000;
const TIMEOUT_NS: Nanos = 600_000_000;

/// Where an instance is, and the name that it must prove to have.
pub(super) type Place = (SocketAddr, Option<Text>);

/// Switches in force, by the fault that set them.
#[derive(Debug, Default)]
pub(super) struct Switches {
    orders: BTreeMap<String, Order>,
    /// What each errand under way is for: an instance of an order, or its next renewal.
    errands: BTreeMap<usize, (String, Option<usize>)>,
    next: usize,
}

#[derive(Debug)]
struct Order {
    order: SwitchOrder,
    targets: Vec<Place>,
    /// Until when each obeys for sure: who did not answer in time has not forgotten yet.
    obeys_until: Vec<Nanos>,
    /// Those with nothing to switch.
    unable: Vec<bool>,
    /// Of the present round: when it began, and how many were asked and have not answered.
    began: Nanos,
    open: usize,
    /// How many of it said nothing.
    silent: usize,
    /// When it was ended, if it was; whoever says nothing is told again until it has forgotten by itself.
    ended: Option<Nanos>,
}

impl Switches {
    /// Begins an order, or ends the one of the same fault.
    pub(super) fn order(&mut self, now: Nanos, order: SwitchOrder, targets: Vec<Place>, out: &mut Vec<Out>) {
        let fault = order.fault.clone();
        let ended = (!order.on).then_some(now);
        let (obeys_until, unable) = (vec![0; targets.len()], vec![false; targets.len()]);
        let known = Order { order, targets, obeys_until, unable, began: now, open: 0, silent: 0, ended };
        self.orders.insert(fault.clone(), known);
        self.round(now, &fault, out);
    }

    fn errand(&mut self, fault: &str, target: Option<usize>) -> Errand {
        self.next += 1;
        self.errands.insert(self.next, (fault.to_owned(), target));
        Errand::Switch(self.next)
    }

    fn round(&mut self, now: Nanos, fault: &str, out: &mut Vec<Out>) {
        let Some(known) = self.orders.get_mut(fault) else { return };
        (known.began, known.open, known.silent) = (now, known.targets.len(), 0);
        let for_ns = if known.ended.is_some() { 0 } else { nanos(LASTS) };
        let ask = Ask::Switch { switch: known.order.switch, for_ns };
        let targets = known.targets.clone();
        // Asks of an earlier round that are still under way count no more.
        self.errands.retain(|_, (of, _)| of != fault);
        for (index, (to, secure)) in targets.into_iter().enumerate() {
            let errand = self.errand(fault, Some(index));
            out.push(Out::Ask { errand, to, secure, ask: ask.clone(), timeout_ns: TIMEOUT_NS });
        }
    }

    /// The time for a renewal has come.
    pub(super) fn turn(&mut self, now: Nanos, number: usize, out: &mut Vec<Out>) {
        if let Some((fault, None)) = self.errands.remove(&number) {
            self.round(now, &fault, out);
        }
    }

    /// An instance answered, or did not; at the end of a round it is told how many obey.
    pub(super) fn answered(&mut self, now: Nanos, number: usize, reply: Option<Reply>, out: &mut Vec<Out>) {
        let Some((fault, Some(target))) = self.errands.remove(&number) else { return };
        let Some(known) = self.orders.get_mut(&fault) else { return };
        known.open = known.open.saturating_sub(1);
        match reply {
            Some(Reply { error: None, value: Some(word), .. }) if word == OBEYS => {
                known.obeys_until[target] = known.began.saturating_add(nanos(LASTS));
            }
            Some(Reply { error: Some(Failure::Unknown), .. }) => known.unable[target] = true,
            _ => known.silent += 1,
        }
        if known.open > 0 {
            return;
        }
        let ended = known.ended;
        if ended.is_some_and(|ended| known.silent == 0 || now >= ended.saturating_add(nanos(LASTS))) {
            self.orders.remove(&fault);
            return;
        }
        if ended.is_none() {
            let obeying = known.obeys_until.iter().filter(|until| **until > now).count();
            let unable = known.unable.iter().filter(|unable| **unable).count();
            let of = known.targets.len();
            out.push(Out::Seen(Seen::Switched { fault: fault.clone(), obeying, unable, of, mono_ns: now }));
        }
        let errand = self.errand(&fault, None);
        out.push(Out::Later { at: now + RENEW_NS, errand });
    }
}
