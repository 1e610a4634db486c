//! Owns the decision how many instances of one service take requests in one zone: out at once, in slowly, within limits, and
//! what a load that nobody tells means. Refuses to know how the load is asked for and how instances are told.
//!
//! ```text
//!            load above what they are to get: as many as it takes, at once, up to the limit
//!  wanted ------------------------------------------------------------------------------------> more
//!         <------------------------------------------------------------------------------------
//!            load low for `in-after`: one fewer, and one fewer again after as long, down to the floor
//! ```
//!
//! What takes requests is what there is: a scaler that starts again, or is cut off for a while, learns it from the instances
//! and takes nothing out before the load was low for long enough.

use super::Nanos;
use crate::config::nanos;
use fixtures::graph::scaler::{MissingLoad, Scale, ScaleCause};

/// One is taken out where the others would get at most so many tenths of what they are to get: a load at the very edge
/// would call it back.
const SPARE_TENTHS: u128 = 9;

/// One instance, as far as is known.
#[derive(Debug, Clone, Copy, Default)]
struct Member {
    /// What it said in this interval.
    says: Option<bool>,
    /// What it said last, in any.
    said: Option<bool>,
}

/// A service in a zone.
#[derive(Debug)]
pub(super) struct Group {
    scale: Scale,
    members: Vec<Member>,
    /// Thousandths of a request a second, where somebody told it in this interval.
    load: Option<u64>,
    /// How many are to take requests.
    wanted: u32,
    low_since: Option<Nanos>,
    /// Of the last decision with orders: how many took requests before it, and why it was made.
    ordered: Option<(u32, ScaleCause)>,
    change: Option<(u32, u32, ScaleCause)>,
}

impl Group {
    pub(super) fn new(scale: Scale, members: usize) -> Self {
        let members = vec![Member::default(); members];
        Self { scale, members, load: None, wanted: scale.start, low_since: None, ordered: None, change: None }
    }

    /// Telemetry told the load; `None`: it did not know.
    pub(super) fn load_told(&mut self, load: Option<u64>) {
        self.load = load;
    }

    /// An instance said whether it takes requests.
    pub(super) fn does(&mut self, member: usize, takes: bool) {
        if let Some(member) = self.members.get_mut(member) {
            (member.says, member.said) = (Some(takes), Some(takes));
        }
    }

    /// An instance answered that it changes nothing: it does what it did.
    pub(super) fn refuses(&mut self, member: usize) {
        if let Some(member) = self.members.get_mut(member) {
            member.says = member.said;
        }
    }

    /// What has come of the last decision, told once: how many took requests, how many do now, and why.
    pub(super) fn changed(&mut self) -> Option<(u32, u32, ScaleCause)> {
        self.change.take()
    }

    /// An interval is over: what each instance is to do from now on, where that differs from what it does. Whoever is
    /// frozen decides nothing.
    pub(super) fn decide(&mut self, now: Nanos, frozen: bool) -> Vec<Option<bool>> {
        let takes = self.count(|member| member.says == Some(true));
        let lost = self.count(|member| member.says.is_none() && member.said == Some(true));
        self.change = self.ordered.take().filter(|(from, _)| *from != takes).map(|(from, cause)| (from, takes, cause));
        self.wanted = self.wanted.max(takes).clamp(self.scale.min, self.scale.max);
        let load = self.load.take();
        let mut cause = if takes + lost >= self.wanted { ScaleCause::Lost } else { ScaleCause::Load };
        if frozen {
            self.low_since = None;
        } else if let Some(changed) = self.adjust(now, load) {
            cause = changed;
        }
        let orders = if frozen { vec![None; self.members.len()] } else { self.orders(takes, lost) };
        if orders.iter().any(Option::is_some) {
            self.ordered = Some((takes, cause));
        }
        for member in &mut self.members {
            member.says = None;
        }
        orders
    }

    fn count(&self, is: impl Fn(&Member) -> bool) -> u32 {
        u32::try_from(self.members.iter().filter(|member| is(member)).count()).unwrap_or(u32::MAX)
    }

    /// How many are wanted from now on; the cause, where that has changed.
    fn adjust(&mut self, now: Nanos, load: Option<u64>) -> Option<ScaleCause> {
        let Scale { min, max, target, in_after, missing, .. } = self.scale;
        let (load, cause) = match (load, missing) {
            (Some(load), _) => (load, ScaleCause::Load),
            (None, MissingLoad::ScaleIn) => (0, ScaleCause::NoData),
            (None, MissingLoad::Keep) => {
                self.low_since = None;
                return None;
            }
        };
        let needed = u32::try_from(load.div_ceil(target.milli_per_s.max(1))).unwrap_or(u32::MAX).clamp(min, max);
        if needed > self.wanted {
            (self.wanted, self.low_since) = (needed, None);
            return Some(cause);
        }
        let others = u128::from(self.wanted.saturating_sub(1)) * u128::from(target.milli_per_s);
        if self.wanted <= min || u128::from(load) * 10 > others * SPARE_TENTHS {
            self.low_since = None;
            return None;
        }
        let since = *self.low_since.get_or_insert(now);
        if now.saturating_sub(since) < nanos(in_after) {
            return None;
        }
        (self.wanted, self.low_since) = (self.wanted - 1, Some(now));
        Some(cause)
    }

    /// Those in front take requests, those at the end stand by. One that took requests and does not answer may take them
    /// still: it counts towards the limit.
    fn orders(&self, takes: u32, lost: u32) -> Vec<Option<bool>> {
        let mut orders = vec![None; self.members.len()];
        let room = self.scale.max.saturating_sub(takes + lost);
        let mut more = self.wanted.saturating_sub(takes).min(room);
        for (member, order) in self.members.iter().zip(&mut orders) {
            if more > 0 && member.says == Some(false) {
                (*order, more) = (Some(true), more - 1);
            }
        }
        let mut fewer = takes.saturating_sub(self.wanted);
        for (member, order) in self.members.iter().zip(&mut orders).rev() {
            if fewer > 0 && member.says == Some(true) {
                (*order, fewer) = (Some(false), fewer - 1);
            }
        }
        orders
    }
}
