//! Owns how data comes over: what was written over proxies is read where it is, written to the region's own stores, and
//! read back from there with the same hash; later it is taken out of where it was, and everything that was ever
//! acknowledged is looked for. Refuses to know addresses and time: `(answer) -> next question`.

use crate::witness::protocol::value_of;
use agents::wire::{Ask, Failure, Reply, Write};
use fixtures::name::{InstanceName, ServiceName};
use scenarios::build::observed::{Building, MARKED, ObjectState, Sought};
use scenarios::build::plan::Customer;
use std::collections::{BTreeMap, VecDeque};

/// Times that one question is asked.
const TRIES: u32 = 5;
/// How the keys of customers' identities begin.
const IDENTITY: &str = "identity-of-";
/// Values that are written at once that are marked for a country.
const MARKED_AT_ONCE: usize = 10;

/// A write that a proxy handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handed {
    pub(crate) service: ServiceName,
    pub(crate) key: String,
    pub(crate) stored_at: Vec<InstanceName>,
}

/// A question of the mover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) to: InstanceName,
    pub(crate) ask: Ask,
}

/// What is known of one value that was written over a proxy.
#[derive(Debug, Clone, Default)]
struct Item {
    service: Option<ServiceName>,
    /// Where it was stored in the bootstrap region.
    from: Vec<InstanceName>,
    /// Where it is now, with its hash.
    moved: Option<(InstanceName, String)>,
    /// Whether it is left where it was as well.
    stays: bool,
}

/// Who keeps what.
#[derive(Debug, Default)]
pub(crate) struct Keepers {
    /// The region's own stores.
    pub(crate) own: BTreeMap<ServiceName, Vec<InstanceName>>,
    /// Members of one group have what each of them has.
    pub(crate) alike: BTreeMap<InstanceName, Vec<InstanceName>>,
    /// The operation by which each service stores.
    pub(crate) operations: BTreeMap<ServiceName, String>,
    /// Who keeps identities of customers, and where in the bootstrap region.
    pub(crate) accounts: Option<(ServiceName, Vec<InstanceName>)>,
    /// Who keeps data that must not leave its zone.
    pub(crate) resident: Option<ServiceName>,
    /// Whether what is copied is changed on its way: a defect.
    pub(crate) alters: bool,
}

/// What is done with one key.
#[derive(Debug, Clone)]
enum Job {
    Fetch { key: String },
    Store { key: String, value: String },
    Check { key: String, at: InstanceName, hash: String },
    Clear { key: String },
    Keep { key: String, at: InstanceName },
    Enrol { customer: String },
    Recognise { customer: String },
    Look { key: String, at: InstanceName },
}

/// Whoever copies.
#[derive(Debug, Default)]
pub(crate) struct Mover {
    items: BTreeMap<String, Item>,
    /// Everything acknowledged to the witness: where it was said to be.
    acknowledged: BTreeMap<String, Vec<InstanceName>>,
    /// Customers of the bootstrap region: whether each opted in, and where its identity is kept there.
    customers: BTreeMap<String, (bool, Vec<InstanceName>)>,
    keepers: Keepers,
    jobs: VecDeque<Job>,
    present: Option<(Job, u32)>,
    /// Which of several is asked next.
    turn: usize,
    /// Values marked for a country so far.
    marked: usize,
    /// What is to be told.
    pub(crate) seen: Vec<Building>,
}

impl Mover {
    /// A mover that knows nothing of data yet.
    pub(crate) fn new(keepers: Keepers) -> Self {
        Self { keepers, ..Self::default() }
    }

    /// Proxies have handed something on.
    pub(crate) fn handed(&mut self, handed: Vec<Handed>) {
        for Handed { service, key, stored_at } in handed {
            let item = self.items.entry(key).or_default();
            (item.service, item.from) = (Some(service), stored_at);
        }
    }

    /// The witness was told that something is stored.
    pub(crate) fn was_acknowledged(&mut self, key: String, stored_at: Vec<InstanceName>) {
        self.acknowledged.insert(key, stored_at);
    }

    /// Something that an earlier one did of this build.
    pub(crate) fn recall(&mut self, seen: &Building, service: impl Fn(&InstanceName) -> Option<ServiceName>) {
        let (key, at, hash) = match seen {
            Building::Object { key, at: Some(at), hash, state: ObjectState::Copied } => (key, at, hash),
            Building::Object { key, at: Some(at), state: ObjectState::Marked, .. } => {
                let number = key.strip_prefix(MARKED).and_then(|number| number.parse::<usize>().ok());
                self.marked = self.marked.max(number.map_or(0, |number| number + 1));
                self.acknowledged.insert(key.clone(), vec![at.clone()]);
                return;
            }
            _ => return,
        };
        let item = self.items.entry(key.clone()).or_default();
        item.service = item.service.take().or_else(|| service(at));
        item.moved = Some((at.clone(), hash.clone()));
        item.stays = key.starts_with(IDENTITY);
    }

    /// Customers that an earlier one of this build made known.
    pub(crate) fn recall_customers(&mut self, customers: &[Customer]) {
        self.customers.extend(customers.iter().map(|one| (one.name.clone(), (one.opted_in, Vec::new()))));
    }

    /// Begins to copy what is not there yet.
    pub(crate) fn copy(&mut self) {
        let missing = self.items.iter().filter(|(_, item)| item.moved.is_none());
        self.jobs = missing.map(|(key, _)| Job::Fetch { key: key.clone() }).collect();
    }

    /// Begins to take out of the bootstrap region what was copied.
    pub(crate) fn empty(&mut self) {
        let moved = self.items.iter().filter(|(_, item)| item.moved.is_some() && !item.stays);
        self.jobs = moved.map(|(key, _)| Job::Clear { key: key.clone() }).collect();
    }

    /// Begins to have data kept that is marked for a country, by each of these in turn.
    pub(crate) fn mark(&mut self, keepers: &[InstanceName]) {
        let from = self.marked;
        self.marked += if keepers.is_empty() { 0 } else { MARKED_AT_ONCE };
        let keep =
            |(at, number): (&InstanceName, usize)| Job::Keep { key: format!("{MARKED}{number}"), at: at.clone() };
        self.jobs = keepers.iter().cycle().zip(from..self.marked).map(keep).collect();
    }

    /// Keys that are marked for a country, and who keeps each.
    pub(crate) fn kept(&self) -> Vec<(String, InstanceName)> {
        let marked = self.acknowledged.iter().filter(|(key, _)| key.starts_with(MARKED));
        marked.filter_map(|(key, at)| Some((key.clone(), at.first()?.clone()))).collect()
    }

    /// Begins to look for everything that was acknowledged.
    pub(crate) fn audit(&mut self) {
        let mut jobs = VecDeque::new();
        for (key, stored_at) in &self.acknowledged {
            let moved = self.items.get(key).map(|item| item.moved.as_ref());
            let at = match moved {
                Some(Some((at, _))) => Some(at.clone()),
                // It was left where nobody of the new region can reach it.
                Some(None) => None,
                None => stored_at.first().cloned(),
            };
            match at {
                Some(at) => jobs.push_back(Job::Look { key: key.clone(), at }),
                None => self.seen.push(object(key, None, "", ObjectState::Lost)),
            }
        }
        jobs.extend(self.customers.keys().map(|customer| Job::Recognise { customer: customer.clone() }));
        self.jobs = jobs;
    }

    /// Begins to have the bootstrap region know customers.
    pub(crate) fn enrol(&mut self, customers: &[Customer]) {
        let entry = |one: &Customer| (one.name.clone(), (one.opted_in, Vec::new()));
        self.customers.extend(customers.iter().map(entry));
        self.jobs = customers.iter().map(|one| Job::Enrol { customer: one.name.clone() }).collect();
    }

    /// Begins to bring identities of customers over, as any other value: with its hash.
    pub(crate) fn admit(&mut self, customers: &[String]) {
        self.jobs.clear();
        for customer in customers {
            let (Some((_, from)), Some((service, all))) = (self.customers.get(customer), &self.keepers.accounts) else {
                continue;
            };
            // Of one whom an earlier builder made known it is not known where: any of those who keep customers may have it.
            let from = if from.is_empty() { all.clone() } else { from.clone() };
            let (service, key) = (Some(service.clone()), identity_of(customer));
            let item = self.items.entry(key.clone()).or_default();
            (item.service, item.from, item.stays) = (service, from, true);
            self.jobs.push_back(Job::Fetch { key });
        }
    }

    /// The next question, where one is to be asked; `None` where everything is done.
    pub(crate) fn next(&mut self) -> Option<Question> {
        loop {
            if self.present.is_none() {
                self.present = Some((self.jobs.pop_front()?, 0));
            }
            let (job, tries) = self.present.clone()?;
            match self.question(&job, tries) {
                Some(question) => return Some(question),
                None => self.give_up(&job),
            }
        }
    }

    /// Whom to ask what; nobody where it is known nowhere.
    fn question(&mut self, job: &Job, tries: u32) -> Option<Question> {
        if tries >= TRIES {
            return None;
        }
        let read = |key: &String, at: &InstanceName| {
            let others = self.keepers.alike.get(at).filter(|_| tries > 0);
            let to = others.and_then(|all| all.get(tries as usize % all.len().max(1))).unwrap_or(at);
            Question { to: to.clone(), ask: Ask::Read { key: key.clone() } }
        };
        match job {
            Job::Fetch { key } => {
                let from = &self.items.get(key)?.from;
                from.get(tries as usize % from.len().max(1)).map(|at| read(key, at))
            }
            Job::Check { key, at, .. } | Job::Look { key, at } => Some(read(key, at)),
            Job::Store { key, value } => {
                let service = self.items.get(key)?.service.clone()?;
                self.turn += 1;
                let all = self.keepers.own.get(&service)?;
                let to = all.get(self.turn % all.len().max(1))?.clone();
                self.write(&service, to, key, value)
            }
            Job::Clear { key } => {
                let item = self.items.get(key)?;
                let to = item.from.get(tries as usize % item.from.len().max(1))?.clone();
                let service = item.service.clone()?;
                self.write(&service, to, key, "")
            }
            Job::Enrol { customer } => {
                let (service, all) = self.keepers.accounts.clone()?;
                let to = all.get(tries as usize % all.len().max(1))?.clone();
                let key = identity_of(customer);
                self.write(&service, to, &key, &key)
            }
            Job::Recognise { customer } => {
                let key = identity_of(customer);
                let (service, _) = self.keepers.accounts.as_ref()?;
                let moved = self.items.get(&key).and_then(|item| item.moved.as_ref()).map(|(at, _)| at);
                let at = moved.or_else(|| self.keepers.own.get(service)?.first())?;
                Some(read(&key, at))
            }
            Job::Keep { key, at } => self.write(self.keepers.resident.as_ref()?, at.clone(), key, key),
        }
    }

    fn write(&self, service: &ServiceName, to: InstanceName, key: &str, value: &str) -> Option<Question> {
        let operation = self.keepers.operations.get(service)?.as_str().into();
        let write = Some(Box::new(Write { key: key.to_owned(), value: value.to_owned() }));
        Some(Question { to, ask: Ask::Work { operation, write, again: false } })
    }

    /// An answer has come, or none.
    pub(crate) fn answered(&mut self, result: Result<Reply, &'static str>) {
        let Some((job, tries)) = self.present.take() else { return };
        let reply = result.ok().filter(|reply| matches!(reply.error, None | Some(Failure::NotFound)));
        let next = reply.and_then(|reply| self.take(&job, reply));
        match next {
            Some(Next::Over) => {}
            Some(Next::Go(job)) => self.present = Some((job, 0)),
            None => self.present = Some((job, tries + 1)),
        }
    }

    /// What follows from an answer; nothing where it is asked again.
    fn take(&mut self, job: &Job, reply: Reply) -> Option<Next> {
        match job {
            Job::Fetch { key } => {
                let value = reply.value.map(|value| if self.keepers.alters { format!("{value}?") } else { value });
                value.map(|value| Next::Go(Job::Store { key: key.clone(), value }))
            }
            Job::Store { key, value } => {
                let at = reply.stored_at.first()?.clone();
                Some(Next::Go(Job::Check { key: key.clone(), at, hash: hash(value) }))
            }
            Job::Check { key, at, hash: expected } => {
                let found = reply.value.as_deref().map(hash)?;
                let same = found == *expected;
                let state = if same { ObjectState::Copied } else { ObjectState::Differs };
                if let (true, Some(item)) = (same, self.items.get_mut(key)) {
                    item.moved = Some((at.clone(), found.clone()));
                }
                self.seen.push(object(key, Some(at), &found, state));
                Some(Next::Over)
            }
            Job::Clear { key } => {
                if reply.error.is_some() {
                    return None;
                }
                let at = self.items.get(key).and_then(|item| item.from.first().cloned());
                self.seen.push(object(key, at.as_ref(), "", ObjectState::Emptied));
                Some(Next::Over)
            }
            Job::Enrol { customer } => {
                let at = reply.stored_at.to_vec();
                if at.is_empty() {
                    return None;
                }
                if let Some((_, from)) = self.customers.get_mut(customer) {
                    *from = at;
                }
                Some(Next::Over)
            }
            Job::Recognise { customer } => {
                let opted_in = self.customers.get(customer).is_some_and(|(opted_in, _)| *opted_in);
                let known = reply.value.is_some_and(|value| !value.is_empty());
                self.seen.push(Building::Identity { customer: customer.clone(), opted_in, known });
                Some(Next::Over)
            }
            Job::Keep { key, at: wanted } => {
                // It may be kept elsewhere as well: what is looked for in the end is what is kept here.
                let here = reply.stored_at.iter().find(|at| *at == wanted);
                let at = here.or_else(|| reply.stored_at.first())?.clone();
                self.seen.push(object(key, Some(&at), &hash(key), ObjectState::Marked));
                self.acknowledged.insert(key.clone(), vec![at]);
                Some(Next::Over)
            }
            Job::Look { key, at } => {
                let found = reply.value.as_deref().filter(|value| !value.is_empty()).map(hash);
                let state = match &found {
                    None => ObjectState::Lost,
                    Some(found) if *found != hash(&acknowledged(key)) => ObjectState::Differs,
                    Some(_) => ObjectState::Kept,
                };
                self.seen.push(object(key, Some(at), found.as_deref().unwrap_or_default(), state));
                Some(Next::Over)
            }
        }
    }

    /// Nobody has it, or nobody says so.
    fn give_up(&mut self, job: &Job) {
        self.present = None;
        let (key, at, state) = match job {
            Job::Enrol { customer } => return self.unsaid(Sought::Enrolment, customer),
            Job::Recognise { customer } => return self.unsaid(Sought::Identity, customer),
            Job::Fetch { key } | Job::Store { key, .. } | Job::Clear { key } => (key, None, ObjectState::NotCopied),
            Job::Check { key, at, .. } => (key, Some(at), ObjectState::NotCopied),
            Job::Keep { key, at } => (key, Some(at), ObjectState::Lost),
            Job::Look { key, at } => (key, Some(at), ObjectState::Lost),
        };
        self.seen.push(object(key, at, "", state));
    }

    fn unsaid(&mut self, what: Sought, name: &str) {
        self.seen.push(Building::Unsaid { what, name: name.to_owned() });
    }
}

enum Next {
    Over,
    Go(Job),
}

/// The value that was acknowledged under a key, in whichever store it is by now: marked data is its own key.
fn acknowledged(key: &str) -> String {
    if key.starts_with(MARKED) { key.to_owned() } else { value_of(key) }
}

/// The key of a customer's identity.
fn identity_of(customer: &str) -> String {
    format!("{IDENTITY}{customer}")
}

fn object(key: &str, at: Option<&InstanceName>, hash: &str, state: ObjectState) -> Building {
    Building::Object { key: key.to_owned(), at: at.cloned(), hash: hash.to_owned(), state }
}

/// FNV-1a, 64 bits: a difference that is no accident is not what is looked for.
fn hash(value: &str) -> String {
    let number = value
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    format!("{number:016x}")
}

#[cfg(test)]
mod tests {
    use super::{Building, Customer, Keepers, Mover, ObjectState, Sought, TRIES};
    use crate::witness::protocol::value_of;
    use agents::wire::Reply;
    use fixtures::name::{InstanceName, ServiceName};

    fn store() -> InstanceName {
        InstanceName("store".to_owned())
    }

    fn mover() -> Mover {
        let service = ServiceName::new("store").expect("a name");
        let keepers = Keepers {
            own: [(service.clone(), vec![store()])].into(),
            operations: [(service.clone(), "put".to_owned())].into(),
            accounts: Some((service, vec![store()])),
            ..Keepers::default()
        };
        Mover::new(keepers)
    }

    /// Goes through all that is to be asked, with one answer to everything.
    fn told(mover: &mut Mover, answer: &dyn Fn() -> Result<Reply, &'static str>) -> Vec<Building> {
        while mover.next().is_some() {
            mover.answered(answer());
        }
        std::mem::take(&mut mover.seen)
    }

    #[test]
    fn what_is_there_at_the_end_is_what_was_acknowledged_whether_or_not_it_was_copied() {
        let audited = |value: &str| {
            let mut mover = mover();
            mover.was_acknowledged("az1-0".to_owned(), vec![store()]);
            mover.audit();
            let seen = told(&mut mover, &|| Ok(Reply { value: Some(value.to_owned()), ..Reply::default() }));
            match &seen[..] {
                [Building::Object { state, .. }] => *state,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(audited(&value_of("az1-0")), ObjectState::Kept);
        assert_eq!(audited("another"), ObjectState::Differs, "nobody copied it, and it is another one");
        assert_eq!(audited(""), ObjectState::Lost);
    }

    #[test]
    fn a_customer_who_cannot_be_looked_for_is_told_of_and_one_bad_moment_is_none() {
        let unsaid = |what| vec![Building::Unsaid { what, name: "one".to_owned() }];
        let mut mover = mover();
        mover.enrol(&[Customer { name: "one".to_owned(), opted_in: true }]);
        assert_eq!(told(&mut mover, &|| Err("silent")), unsaid(Sought::Enrolment));
        mover.audit();
        assert_eq!(told(&mut mover, &|| Err("silent")), unsaid(Sought::Identity));
        // Asked again after a bad moment, it is known.
        mover.audit();
        let asked = std::cell::Cell::new(1);
        let late = told(&mut mover, &|| {
            asked.set(asked.get() + 1);
            if asked.get() < TRIES {
                Err("silent")
            } else {
                Ok(Reply { value: Some("one".to_owned()), ..Reply::default() })
            }
        });
        assert_eq!(late, [Building::Identity { customer: "one".to_owned(), opted_in: true, known: true }]);
    }
}
