//! Owns who is who on a stage and how each is played: names and the addresses that they were given, roles, rules, and how
//! often each was wanted. Refuses to know packets.

use super::super::protocol::{Cast, Page, Role, Rules, Seen};
use scenarios::trial::{Dependency, Play};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The first address that is given to a name; 198.18.0.0/15 belongs to no real network (RFC 2544).
const FIRST: u32 = u32::from_be_bytes([198, 19, 0, 1]);
/// More names than this are not told apart: they do not exist.
const NAMES_MAX: u32 = 60_000;

/// Everybody.
#[derive(Debug)]
pub(super) struct Company {
    cast: Cast,
    rules: Rules,
    by_name: BTreeMap<String, Ipv4Addr>,
    by_address: BTreeMap<Ipv4Addr, String>,
    counts: BTreeMap<Dependency, (u32, Option<String>)>,
}

/// What a name server says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// This address.
    Address(Ipv4Addr),
    /// There is no such name.
    Nobody,
}

impl Company {
    /// Nobody is wanted yet; until rules are told, all vanishes.
    pub(super) fn new(cast: Cast) -> Self {
        let rules = Rules { play: Play::Vanish, only: Vec::new() };
        let (by_name, by_address, counts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { cast, rules, by_name, by_address, counts }
    }

    pub(super) fn set(&mut self, rules: Rules) {
        self.rules = rules;
    }

    fn role(&self, name: &str, port: u16) -> Option<&Role> {
        let fits = |role: &&Role| role.name == name && (port == 0 || role.port.is_none_or(|own| own == port));
        self.cast.roles.iter().find(fits)
    }

    /// Whether somebody is always there.
    fn is_allowed(&self, name: &str, port: u16) -> bool {
        self.role(name, port).is_some_and(|role| role.allowed)
    }

    /// How somebody is played now; port zero is the name alone.
    pub(super) fn play(&self, name: &str, port: u16) -> Play {
        let listed = self.rules.only.is_empty() || self.rules.only.iter().any(|only| only == name);
        if self.is_allowed(name, port) || !listed { Play::Answer } else { self.rules.play }
    }

    /// What somebody answers.
    pub(super) fn page(&self, name: &str, port: u16) -> Page {
        self.role(name, port).map_or_else(Page::default, |role| role.page.clone())
    }

    /// Who has an address: the name that was given it, or the address itself.
    pub(super) fn who(&self, address: Ipv4Addr) -> String {
        self.by_address.get(&address).cloned().unwrap_or_else(|| address.to_string())
    }

    /// A name is looked up: it is wanted, and gets an address for ever.
    pub(super) fn look_up(&mut self, name: &str) -> Word {
        if name == self.cast.hostname || name == "localhost" || name.ends_with(".arpa") {
            return Word::Nobody;
        }
        self.wanted(name.to_owned(), 0, false, None);
        if self.play(name, 0) == Play::Absent {
            return Word::Nobody;
        }
        if let Some(address) = self.by_name.get(name) {
            return Word::Address(*address);
        }
        let number = u32::try_from(self.by_name.len()).unwrap_or(NAMES_MAX);
        if number >= NAMES_MAX {
            return Word::Nobody;
        }
        let address = Ipv4Addr::from_bits(FIRST + number);
        self.by_name.insert(name.to_owned(), address);
        self.by_address.insert(address, name.to_owned());
        Word::Address(address)
    }

    /// Somebody is wanted, or a request to them was read.
    pub(super) fn wanted(&mut self, name: String, port: u16, udp: bool, request: Option<String>) {
        let (count, first) = self.counts.entry(Dependency { name, port, udp }).or_default();
        *count += u32::from(request.is_none());
        if first.is_none() {
            *first = request;
        }
    }

    /// What was counted since the last time.
    pub(super) fn counted(&mut self) -> Vec<Seen> {
        let counts = std::mem::take(&mut self.counts);
        let told = |(dependency, (times, request)): (Dependency, (u32, Option<String>))| {
            let allowed = self.is_allowed(&dependency.name, dependency.port);
            Seen::Knock { dependency, allowed, times, request }
        };
        counts.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company() -> Company {
        let role = Role { name: "auth".to_owned(), port: Some(443), allowed: true, page: Page::default() };
        Company::new(Cast { hostname: "me".to_owned(), roles: vec![role], authority: None })
    }

    #[test]
    fn a_name_keeps_its_address_and_is_known_by_it() {
        let mut company = company();
        let Word::Address(address) = company.look_up("db") else { panic!("it has one") };
        assert_eq!(company.look_up("db"), Word::Address(address));
        assert_eq!((company.who(address), company.who(Ipv4Addr::LOCALHOST)), ("db".to_owned(), "127.0.0.1".to_owned()));
        assert_eq!(company.look_up("me"), Word::Nobody);
        let told = company.counted();
        assert!(matches!(&told[..], [Seen::Knock { times: 2, allowed: false, .. }]), "{told:?}");
        assert!(company.counted().is_empty());
    }

    #[test]
    fn who_is_allowed_or_not_listed_is_there() {
        let mut company = company();
        company.set(Rules { play: Play::Absent, only: Vec::new() });
        assert_eq!(company.look_up("db"), Word::Nobody);
        assert!(matches!(company.look_up("auth"), Word::Address(_)));
        assert_eq!((company.play("auth", 443), company.play("auth", 80)), (Play::Answer, Play::Absent));
        company.set(Rules { play: Play::Refuse, only: vec!["db".to_owned()] });
        assert_eq!((company.play("db", 1), company.play("other", 1)), (Play::Refuse, Play::Answer));
    }
}
