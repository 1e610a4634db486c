//! Owns where each service stands in the picture of the call graph: in tiers from the entry inwards, so that calls go
//! from left to right. Refuses to draw.

use crate::record::ServiceRow;
use fixtures::name::ServiceName;
use std::collections::HashMap;

/// Services below each other in a column at most; a larger tier has several columns.
const COLUMN_MAX: usize = 36;

/// Sweeps that bring callers and callees to the same height.
const SWEEPS: usize = 6;

/// What stands above a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// Whom customers call.
    Entry,
    /// Nobody calls them: no request of a customer comes by.
    Uncalled,
    /// So many calls from an entry, or from somebody whom nobody calls, at most.
    Tier(usize),
}

/// The places of all services.
pub(super) struct Tiers {
    /// Tier of each service.
    tier: Vec<usize>,
    /// Columns from left to right, each from top to bottom, with what it is (part of).
    pub(super) columns: Vec<(Head, Vec<usize>)>,
    /// Calls as pairs of positions.
    pub(super) calls: Vec<(usize, usize)>,
}

impl Tiers {
    pub(super) fn new(services: &[ServiceRow]) -> Self {
        let position: HashMap<&ServiceName, usize> =
            services.iter().enumerate().map(|(at, row)| (&row.name, at)).collect();
        let edges = |targets: &dyn Fn(&ServiceRow) -> Vec<&ServiceName>| {
            let mut edges = Vec::new();
            for (from, row) in services.iter().enumerate() {
                edges.extend(targets(row).into_iter().filter_map(|to| position.get(to)).map(|&to| (from, to)));
            }
            edges.retain(|(from, to)| from != to);
            edges
        };
        let calls = edges(&|row| row.calls.iter().map(|call| &call.to).collect());
        let needs = edges(&|row| row.needs.iter().map(|need| &need.from).collect());
        let entries: Vec<usize> = (0..services.len()).filter(|&at| services[at].entry).collect();
        let tier = tiers(services.len(), &entries, &calls, &needs);
        let columns = columns(&tier, &calls, &entries);
        Self { tier, columns, calls }
    }

    pub(super) fn tier_of(&self, service: usize) -> usize {
        self.tier.get(service).copied().unwrap_or(0)
    }
}

/// The longest way of calls from an entry; an edge that closes a circle counts for nothing. Who is only needed stands
/// right of those who need it.
fn tiers(services: usize, entries: &[usize], calls: &[(usize, usize)], needs: &[(usize, usize)]) -> Vec<usize> {
    let called: Vec<bool> = reached(services, calls);
    let mut edges: Vec<(usize, usize)> = calls.to_vec();
    edges.extend(needs.iter().filter(|(_, to)| !called[*to] && !entries.contains(to)));
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); services];
    edges.iter().for_each(|(from, to)| out[*from].push(*to));
    let starts = entries.iter().copied().chain((0..services).filter(|&at| !called[at])).chain(0..services);
    let order = forward_order(&out, starts);
    let mut rank = vec![0; services];
    order.iter().enumerate().for_each(|(place, &at)| rank[at] = place);
    let mut tier = vec![0; services];
    for &from in &order {
        for &to in &out[from] {
            if rank[to] > rank[from] {
                tier[to] = tier[to].max(tier[from] + 1);
            }
        }
    }
    tier
}

fn reached(services: usize, calls: &[(usize, usize)]) -> Vec<bool> {
    let mut reached = vec![false; services];
    calls.iter().for_each(|(_, to)| reached[*to] = true);
    reached
}

/// Callers before callees, but for circles. Without recursion: a chain may be longer than a stack.
fn forward_order(out: &[Vec<usize>], starts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut seen = vec![false; out.len()];
    let mut finished = Vec::with_capacity(out.len());
    for start in starts {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut way = vec![(start, 0)];
        while let Some((at, next)) = way.last_mut() {
            if let Some(&to) = out[*at].get(*next) {
                *next += 1;
                if !std::mem::replace(&mut seen[to], true) {
                    way.push((to, 0));
                }
            } else {
                finished.push(*at);
                way.pop();
            }
        }
    }
    finished.reverse();
    finished
}

fn columns(tier: &[usize], calls: &[(usize, usize)], entries: &[usize]) -> Vec<(Head, Vec<usize>)> {
    let last = tier.iter().max().map_or(0, |last| last + 1);
    let mut tiers: Vec<Vec<usize>> = vec![Vec::new(); last];
    tier.iter().enumerate().for_each(|(at, tier)| tiers[*tier].push(at));
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); tier.len()];
    let mut callees: Vec<Vec<usize>> = vec![Vec::new(); tier.len()];
    for (from, to) in calls {
        callees[*from].push(*to);
        callers[*to].push(*from);
    }
    let mut height = vec![0.0; tier.len()];
    tiers.iter().for_each(|column| place(column, &mut height));
    for sweep in 0..SWEEPS {
        let (neighbours, order): (&Vec<Vec<usize>>, Vec<usize>) =
            if sweep % 2 == 0 { (&callers, (0..last).collect()) } else { (&callees, (0..last).rev().collect()) };
        for number in order {
            let column = &mut tiers[number];
            let wanted = |at: usize| {
                let own = &neighbours[at];
                let sum: f64 = own.iter().map(|&other| height[other]).sum();
                if own.is_empty() { height[at] } else { sum / own.len() as f64 }
            };
            let mut keyed: Vec<(f64, usize)> = column.iter().map(|&at| (wanted(at), at)).collect();
            keyed.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            *column = keyed.into_iter().map(|(_, at)| at).collect();
            place(column, &mut height);
        }
    }
    let mut columns = Vec::new();
    let mut add = |head: Head, column: &[usize]| {
        let parts = column.len().div_ceil(COLUMN_MAX).max(1);
        let each = column.len().div_ceil(parts).max(1);
        columns.extend(column.chunks(each).map(|part| (head, part.to_vec())));
    };
    for (number, column) in tiers.into_iter().enumerate() {
        if number > 0 {
            add(Head::Tier(number), &column);
            continue;
        }
        let (entry, uncalled): (Vec<usize>, Vec<usize>) = column.into_iter().partition(|at| entries.contains(at));
        add(Head::Entry, &entry);
        add(Head::Uncalled, &uncalled);
    }
    columns
}

/// Heights between 0 and 1, from top to bottom.
fn place(column: &[usize], height: &mut [f64]) {
    for (row, &at) in column.iter().enumerate() {
        height[at] = (row as f64 + 0.5) / column.len() as f64;
    }
}
