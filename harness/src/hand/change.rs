//! Owns pushes and deployments on an engine's machine: processes are told their version as they are told of trouble, and a
//! deployment ends them, so that their supervisors start them again. Refuses to know what is different in a version.
//!
//! A hand that dies lets go of the files: a push is over then, and a deployed process keeps its version until its next
//! start. The hand that is started again undoes both.

use super::end::End;
use super::fault::Fault;
use super::hierarchy::Hierarchies;
use super::host_fault::look;
use super::protocol::{Ending, Look, Target};
use super::trouble::{Misbehaviour, Seen};

/// Processes that have another version.
#[derive(Debug)]
pub(super) struct Change {
    told: Misbehaviour,
    restart: Option<Restart>,
}

/// Whom a deployment ends.
#[derive(Debug)]
struct Restart {
    hosts: Vec<Target>,
    processes: Vec<Vec<usize>>,
    hierarchies: Hierarchies,
    ended: End,
}

impl Restart {
    fn end(hosts: &[Target], processes: &[Vec<usize>], hierarchies: &Hierarchies) -> End {
        // Versions are mock software's, which ends when it is asked to.
        let ending = Ending::Asked { patience_ms: Vec::new() };
        End::new(hosts.to_vec(), processes.to_vec(), ending, hierarchies.clone())
    }
}

impl Change {
    /// A push.
    pub(super) fn push(told: Misbehaviour) -> Self {
        Self { told, restart: None }
    }

    /// A deployment, which ends these processes of these hosts.
    pub(super) fn deploy(
        told: Misbehaviour,
        hosts: Vec<Target>,
        processes: Vec<Vec<usize>>,
        hierarchies: Hierarchies,
    ) -> Self {
        let ended = Restart::end(&hosts, &processes, &hierarchies);
        Self { told, restart: Some(Restart { hosts, processes, hierarchies, ended }) }
    }
}

impl Fault for Change {
    fn act(&mut self) -> Result<(), String> {
        // Whoever starts from now on starts as the new version.
        self.told.act()?;
        self.restart.as_mut().map_or(Ok(()), |restart| restart.ended.act())
    }

    /// Nobody may say another version. Of a push somebody must say this one; of a deployment it is enough that the
    /// processes of before are gone, for its version may never come to answer.
    fn look(&mut self) -> Look {
        let seen = self.told.seen();
        let (mut running, mut other) = (Vec::new(), Vec::new());
        for one in &seen {
            match one {
                Seen::Holds(text) => running.push(text.as_str()),
                Seen::Fails(text) => other.push(text.as_str()),
                Seen::Nobody => {}
            }
        }
        let ended = self.restart.as_mut().map(|restart| restart.ended.look());
        let gone = ended.as_ref().is_some_and(|ended| ended.holds);
        let mut text = match (other.as_slice(), running.first()) {
            ([], Some(first)) => format!("{} of {} asked: {first}", running.len(), seen.len()),
            ([], None) => format!("none of {} asked answers", seen.len()),
            (other, _) => other.join("; "),
        };
        if let Some(ended) = &ended {
            text = format!("{text}; {}", ended.text);
        }
        let holds = other.is_empty() && (gone || !running.is_empty());
        let (asked, measured) = ((running.len() + other.len()) as f64, running.len() as f64);
        let mut look = look(holds, text, &[("processes_with_the_version", asked, measured)]);
        if let Some(ended) = ended {
            look.asked.extend(ended.asked);
            look.measured.extend(ended.measured);
        }
        look
    }

    fn heal(&mut self) -> Result<(), String> {
        self.told.heal()?;
        match &self.restart {
            Some(Restart { hosts, processes, hierarchies, .. }) => Restart::end(hosts, processes, hierarchies).act(),
            None => Ok(()),
        }
    }
}
