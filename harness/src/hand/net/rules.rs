//! Owns the text of packet filter rules: forwarding between a run's bridges and nothing out of them, faults, and which
//! packets go through the queue. Pure. Refuses to run anything.
//!
//! A run's chains carry its short id in their names, so that what is left behind can be found by name alone. `BS-`
//! is where the engine's own chain leads; it asks `BSF-` (faults, one chain each) first, then `BSQ-` (what is shaped). Where somebody looks at calls, `BST-` comes before both.

use super::super::protocol::{LinkAct, LinkRule};
use std::fmt::Write as _;

/// Names of a run's chains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chains {
    short: String,
}

impl Chains {
    pub(super) fn new(short: &str) -> Self {
        Self { short: short.to_owned() }
    }

    /// The engine's or the kernel's chains, and ours that they lead to.
    pub(super) fn jumps(&self) -> [(&'static str, String); 2] {
        [("DOCKER-USER", format!("BS-{}", self.short)), ("INPUT", format!("BSI-{}", self.short))]
    }

    fn faults(&self) -> String {
        format!("BSF-{}", self.short)
    }

    pub(super) fn queue(&self) -> String {
        format!("BSQ-{}", self.short)
    }

    pub(super) fn tap(&self) -> String {
        format!("BST-{}", self.short)
    }

    /// Has the beginnings of connections, and what name servers are asked and answer, told to a group of logs, whatever becomes of
    /// the packets: the run's chain asks this one first.
    pub(super) fn tapped(&self, group: u16, listing: &str) -> String {
        let ([(_, forward), _], chain) = (self.jumps(), self.tap());
        let to = format!("-j NFLOG --nflog-group {group}");
        let mut text = format!("*filter\n:{chain} - [0:0]\n");
        for what in ["-p tcp --syn", "-p udp --dport 53", "-p udp --sport 53"] {
            let _ = writeln!(text, "-A {chain} {what} {to}");
        }
        if !listing.lines().any(|line| line == format!("-A {forward} -j {chain}")) {
            let _ = writeln!(text, "-I {forward} 1 -j {chain}");
        }
        text + "COMMIT\n"
    }

    /// The chain of one fault: its name follows from the fault's alone, because another hand may have to heal it.
    pub(super) fn fault(&self, fault: &str) -> String {
        // FNV-1a; a chain's name has at most 28 characters.
        let hash = fault.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("BSF-{}-{hash:08x}", self.short)
    }

    /// Whether a chain is of this run.
    pub(super) fn owns(&self, chain: &str) -> bool {
        ["BS", "BSI", "BSF", "BSQ", "BST"].iter().any(|kind| {
            let rest = chain.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-'));
            rest.and_then(|rest| rest.strip_prefix(self.short.as_str()))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }

    /// Names of this run's chains in a listing (`iptables -S`).
    pub(super) fn found<'a>(&self, listing: &'a str) -> Vec<&'a str> {
        let names = listing.lines().filter_map(|line| line.strip_prefix("-N "));
        names.map(str::trim).filter(|name| self.owns(name)).collect()
    }

    /// Sets everything up in one step, whatever is there already.
    pub(super) fn start(&self, bridges: &[String], listing: &str) -> String {
        let [(engines, forward), (_, input)] = self.jumps();
        let (faults, queue) = (self.faults(), self.queue());
        let mut text = format!("*filter\n:{forward} - [0:0]\n:{input} - [0:0]\n:{faults} - [0:0]\n:{queue} - [0:0]\n");
        for stale in self.found(listing).into_iter().filter(|name| name.starts_with(&format!("{faults}-"))) {
            let _ = write!(text, "-F {stale}\n-X {stale}\n");
        }
        let _ = write!(text, "-A {forward} -j {faults}\n-A {forward} -j {queue}\n");
        for from in bridges {
            for to in bridges {
                let _ = writeln!(text, "-A {forward} -i {from} -o {to} -j ACCEPT");
            }
        }
        for bridge in bridges {
            let _ = write!(text, "-A {forward} -i {bridge} -j DROP\n-A {forward} -o {bridge} -j DROP\n");
            // Nobody in there reaches the machine, but who is asked from there may answer: traffic from outside comes by it.
            let _ = writeln!(text, "-A {input} -i {bridge} -m conntrack --ctstate ESTABLISHED -j ACCEPT");
            let _ = writeln!(text, "-A {input} -i {bridge} -j DROP");
        }
        for (from, chain) in [(engines, forward), ("INPUT", input)] {
            if !listing.lines().any(|line| line == format!("-A {from} -j {chain}")) {
                let _ = writeln!(text, "-I {from} 1 -j {chain}");
            }
        }
        text + "COMMIT\n"
    }

    /// Removes everything of the run that a listing shows, in one step; empty where there is nothing.
    pub(super) fn remove(&self, listing: &str) -> String {
        let chains = self.found(listing);
        if chains.is_empty() {
            return String::new();
        }
        let mut text = "*filter\n".to_owned();
        for line in listing.lines().filter_map(|line| line.strip_prefix("-A ")) {
            let target = line.rsplit_once("-j ").map(|(_, target)| target.trim()).unwrap_or_default();
            if self.owns(target) && !self.owns(line.split(' ').next().unwrap_or_default()) {
                let _ = writeln!(text, "-D {line}");
            }
        }
        for step in ["-F", "-X"] {
            // Emptied first: a chain that another one leads to cannot be removed.
            for chain in &chains {
                let _ = writeln!(text, "{step} {chain}");
            }
        }
        text + "COMMIT\n"
    }

    /// Begins a fault; its rules count packets.
    pub(super) fn inject(&self, fault: &str, rules: &[LinkRule], shaped: &str) -> String {
        let (faults, chain) = (self.faults(), self.fault(fault));
        let mut text = format!("*filter\n:{chain} - [0:0]\n{shaped}");
        for rule in rules {
            for (from, to) in pairs(rule) {
                let ends = format!("-A {chain} -s {from} -d {to}");
                let _ = match rule.act {
                    LinkAct::Drop => writeln!(text, "{ends} -j DROP"),
                    LinkAct::Refuse => write!(
                        text,
                        "{ends} -p tcp -j REJECT --reject-with tcp-reset\n{ends} -j REJECT --reject-with icmp-admin-prohibited\n"
                    ),
                    // The first rule that fits counts: what is shaped is not dropped by a later one.
                    LinkAct::Shape(_) => writeln!(text, "{ends} -j RETURN"),
                };
            }
        }
        let _ = writeln!(text, "-A {faults} -j {chain}");
        text + "COMMIT\n"
    }

    /// Ends a fault that is in a listing.
    pub(super) fn heal(&self, fault: &str, shaped: &str) -> String {
        let (faults, chain) = (self.faults(), self.fault(fault));
        format!("*filter\n{shaped}-D {faults} -j {chain}\n-F {chain}\n-X {chain}\nCOMMIT\n")
    }

    /// The whole chain of what goes through the queue: packets of these ends, once each. Without anybody at the queue
    /// they pass.
    pub(super) fn shaped<'a>(&self, queue: u16, rules: impl Iterator<Item = &'a LinkRule>) -> String {
        let chain = self.queue();
        let mut text = format!(":{chain} - [0:0]\n");
        let mut written = std::collections::BTreeSet::new();
        for (from, to) in rules.filter(|rule| matches!(rule.act, LinkAct::Shape(_))).flat_map(pairs) {
            let line = format!("-A {chain} -s {from} -d {to} -j NFQUEUE --queue-num {queue} --queue-bypass\n");
            if written.insert(line.clone()) {
                text += &line;
            }
        }
        text
    }

    /// The queue's number in a listing.
    pub(super) fn queue_number(&self, listing: &str) -> Option<u16> {
        let head = format!("-A {} ", self.queue());
        let line = listing.lines().find(|line| line.starts_with(&head) && line.contains("--queue-num "))?;
        line.split("--queue-num ").nth(1)?.split(' ').next()?.parse().ok()
    }
}

fn pairs(rule: &LinkRule) -> impl Iterator<Item = (&str, &str)> {
    rule.from.iter().flat_map(|from| rule.to.iter().map(move |to| (from.as_str(), to.as_str())))
}

/// How many lines a rule becomes in the chain of its fault.
fn lines_of(rule: &LinkRule) -> usize {
    rule.from.len() * rule.to.len() * if matches!(rule.act, LinkAct::Refuse) { 2 } else { 1 }
}

/// Packets that each rule met, from the listing of its fault's chain (`iptables -vxnL CHAIN`).
pub(super) fn counters(listing: &str, rules: &[LinkRule]) -> Vec<u64> {
    let mut lines =
        listing.lines().skip(2).filter_map(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    rules.iter().map(|rule| lines.by_ref().take(lines_of(rule)).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::protocol::{LinkAct, LinkRule, Shape};
    use super::{Chains, counters};

    fn rule(act: LinkAct) -> LinkRule {
        LinkRule { from: vec!["10.0.1.0/24".to_owned()], to: vec!["10.0.2.1".to_owned(), "10.0.2.2".to_owned()], act }
    }

    #[test]
    fn another_runs_chains_are_not_ours() {
        let chains = Chains::new("ab12cd");
        let listing = "-N BS-ab12cd\n-N BSF-ab12cd-00000001\n-N BS-ab12ce\n-N BSQ-ab12cd\n-N DOCKER\n";
        assert_eq!(chains.found(listing), ["BS-ab12cd", "BSF-ab12cd-00000001", "BSQ-ab12cd"]);
        assert!(chains.fault("a fault with a very long name indeed").len() <= 28);
    }

    #[test]
    fn removal_takes_jumps_first_and_touches_nothing_else() {
        let chains = Chains::new("ab12cd");
        let listing = "-P INPUT ACCEPT\n-N BS-ab12cd\n-N BSF-ab12cd\n-A DOCKER-USER -j BS-ab12cd\n-A DOCKER-USER -j RETURN\n\
                       -A BS-ab12cd -j BSF-ab12cd\n-A BS-ab12cd -i b0 -o b0 -j ACCEPT\n";
        let expected =
            "*filter\n-D DOCKER-USER -j BS-ab12cd\n-F BS-ab12cd\n-F BSF-ab12cd\n-X BS-ab12cd\n-X BSF-ab12cd\nCOMMIT\n";
        assert_eq!(chains.remove(listing), expected);
        assert_eq!(chains.remove("-P INPUT ACCEPT\n"), "");
    }

    #[test]
    fn what_is_shaped_goes_through_the_queue_once_and_past_it_where_nobody_listens() {
        let chains = Chains::new("ab12cd");
        let rules =
            [rule(LinkAct::Shape(Shape::default())), rule(LinkAct::Drop), rule(LinkAct::Shape(Shape::default()))];
        let text = chains.shaped(7, rules.iter());
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("-s 10.0.1.0/24 -d 10.0.2.2 -j NFQUEUE --queue-num 7 --queue-bypass"), "{text}");
        assert_eq!(chains.queue_number(&text), Some(7));
    }

    #[test]
    fn a_tap_comes_first_and_once() {
        let chains = Chains::new("ab12cd");
        let text = chains.tapped(9, "-N BS-ab12cd\n");
        assert!(text.contains("-A BST-ab12cd -p tcp --syn -j NFLOG --nflog-group 9\n"), "{text}");
        assert!(text.contains("-I BS-ab12cd 1 -j BST-ab12cd\n"), "{text}");
        assert!(!chains.tapped(9, "-A BS-ab12cd -j BST-ab12cd\n").contains("-I "));
        assert!(chains.owns("BST-ab12cd"));
    }

    #[test]
    fn counters_are_summed_rule_by_rule() {
        let rules = [rule(LinkAct::Refuse), rule(LinkAct::Drop)];
        let listing = "Chain X (1 references)\n pkts bytes target\n 1 40 REJECT\n 2 40 REJECT\n 4 4 REJECT\n 8 8 REJECT\n\
                       16 1 DROP\n 32 1 DROP\n";
        assert_eq!(counters(listing, &rules), [15, 48]);
    }
}
