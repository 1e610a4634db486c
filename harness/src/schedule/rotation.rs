//! Owns which scenario comes next, and which zone its faults hit: whatever was run longest ago. Refuses to know when that
//! is due.

use super::ledger::{Choice, Ledger, Slot};
use super::{Schedule, Variants};

/// A run's seed and a slot's jitter: the same slot always has the same, so that a preview tells the truth.
pub(super) fn digest(slot: &Slot) -> u64 {
    // FNV-1a, over what tells slots apart.
    let bytes = slot.schedule.bytes().chain(slot.due.0.to_be_bytes());
    let mixed =
        bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    // Its low bits are weak.
    mixed ^ (mixed >> 29)
}

/// What a schedule runs in a slot: of all its scenarios, each with its faults in each zone in turn, the one that was run
/// longest ago; of those that never were, the first. So every zone and every fault comes round, also where runs end
/// without a verdict.
pub(super) fn choose(schedule: &Schedule, ledger: &Ledger, slot: &Slot) -> Option<Choice> {
    let all = schedule
        .scenarios
        .iter()
        .flat_map(|variants: &Variants| (0..variants.turns.len().max(1)).map(move |turn| (variants, turn)));
    let last = |(variants, turn): &(&Variants, usize)| ledger.last(&schedule.name, &variants.scenario, *turn);
    let all: Vec<(&Variants, usize)> = all.collect();
    let (variants, turn) = *all.iter().min_by_key(|choice| last(choice).map(|(_, at)| *at))?;
    let what = match variants.turns.get(turn).filter(|zones| !zones.is_empty()) {
        Some(zones) => format!("`{}` in {zones}", variants.scenario),
        None => format!("`{}`", variants.scenario),
    };
    let never = all.iter().filter(|choice| last(choice).is_none()).count();
    let why = match last(&(variants, turn)) {
        _ if all.len() == 1 => format!("{what} is all that it holds"),
        None => format!("{what} was never held yet, as {never} of {} were not", all.len()),
        Some((run, at)) => format!("{what} was held longest ago of {}: on {at}, run {run}", all.len()),
    };
    let seed = digest(slot) % SEEDS;
    Some(Choice {
        scenario: variants.scenario.clone(),
        turn,
        world: schedule.world,
        region: schedule.region.clone(),
        seed,
        why,
    })
}

/// Six digits tell runs apart, and are short enough to type.
const SEEDS: u64 = 1_000_000;
