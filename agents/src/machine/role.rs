//! Owns what all instances of one service in one zone have in common, worked out once: their configuration, and which
//! calls belong to which operation. Refuses to know any one instance.

use crate::config::{CallConfig, InstanceConfig, nanos};
use crate::wire::Text;
use fixtures::graph::{Health, Strength};

/// A configuration with what follows from it. An instance of its own has one of its own; a simulator shares one between
/// all instances of a service in a zone.
#[derive(Debug)]
pub struct Role {
    /// The configuration; name, seed and address are those of the one instance that it was made for.
    pub config: InstanceConfig,
    /// What an operation costs by itself, in nanoseconds.
    pub(super) work_ns: u64,
    /// Calls of each operation, by their place in the configuration.
    operations: Vec<(Text, Vec<usize>)>,
    /// Calls that a readiness check looks at.
    checked: Vec<usize>,
    /// What each call asks for, and how long one attempt may take in nanoseconds.
    pub(super) asks: Vec<(Text, u64)>,
    /// What each need asks for.
    pub(super) kinds: Vec<Text>,
}

/// What a request makes an instance do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// The operation with this number.
    Operation(usize),
    /// A look at its readiness.
    Ready,
    /// A read of one key.
    Read,
    /// Counts that somebody pushes.
    Push,
}

impl Role {
    /// Works a configuration out.
    pub fn new(config: InstanceConfig) -> Self {
        let calls_where = |wanted: &dyn Fn(&CallConfig) -> bool| {
            let calls = config.calls.iter().enumerate().filter(|(_, call)| wanted(call));
            calls.map(|(index, _)| index).collect::<Vec<usize>>()
        };
        let of_operation = |name: &String| {
            let calls = calls_where(&|call: &CallConfig| call.during.contains(name));
            (Text::from(name.as_str()), calls)
        };
        let checked = match config.health {
            Health::Shallow => Vec::new(),
            // What another call may stand in for, and what stands in for another, is nobody's condition.
            Health::Deep => {
                let stands_alone = |index: usize| {
                    let next = config.calls.get(index + 1);
                    !config.calls[index].fallback && !next.is_some_and(|next| next.fallback)
                };
                let hard = calls_where(&|call: &CallConfig| call.strength == Strength::Hard);
                hard.into_iter().filter(|&index| stands_alone(index)).collect()
            }
        };
        Self {
            work_ns: nanos(config.work),
            operations: config.operations.iter().map(of_operation).collect(),
            checked,
            asks: config.calls.iter().map(|call| (call.operation.as_str().into(), nanos(call.timeout))).collect(),
            kinds: config.needs.iter().map(|need| need.kind.as_str().into()).collect(),
            config,
        }
    }

    /// The errand of an operation; `None` where it is not offered.
    pub(super) fn errand(&self, operation: &str) -> Option<Errand> {
        let position = self.operations.iter().position(|(name, _)| &**name == operation);
        position.map(Errand::Operation)
    }

    /// The calls of an errand, in order.
    pub(super) fn calls(&self, errand: Errand) -> &[usize] {
        match errand {
            Errand::Operation(position) => &self.operations[position].1,
            Errand::Ready => &self.checked,
            Errand::Read | Errand::Push => &[],
        }
    }

    /// Whether this one of an errand's calls is made only where the one before it has failed.
    pub(super) fn is_fallback(&self, errand: Errand, position: usize) -> bool {
        self.calls(errand).get(position).is_some_and(|&call| self.config.calls[call].fallback)
    }
}
