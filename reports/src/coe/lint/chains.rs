//! Owns the rules of whys: each with its evidence, deep enough, and at the end something that can be changed. Refuses to
//! know whether an answer is true.

use super::Breaches;
use super::page::{self, Page};
use crate::policy::Policy;

/// What ends a chain without explaining anything.
const NO_END: [&str; 18] = [
    "human error",
    "human mistake",
    "operator error",
    "operator mistake",
    "user error",
    "pilot error",
    "mistake",
    "carelessness",
    "negligence",
    "inattention",
    "oversight",
    "process failure",
    "process error",
    "fat finger",
    "bug",
    "unknown",
    "bad luck",
    "lack of care",
];

/// One numbered answer.
struct Answer<'t> {
    line: usize,
    text: &'t str,
}

pub(super) fn check(page: &Page<'_>, policy: &Policy, breaches: &mut Breaches) {
    let Some(section) = page.section("Whys") else { return };
    let mut chains: Vec<Vec<Answer<'_>>> = vec![Vec::new()];
    for (line, text) in &section.lines {
        if text.starts_with("### ") {
            chains.push(Vec::new());
        } else if let (true, Some(chain)) = (is_numbered(text), chains.last_mut()) {
            chain.push(Answer { line: *line, text });
        }
    }
    chains.retain(|chain| !chain.is_empty());
    if chains.is_empty() && !section.lines.iter().any(|(_, line)| page::is_blank(line)) {
        breaches.add(
            section.line,
            "no-whys",
            "no chain of whys: number them from the harm down to what can be changed",
        );
    }
    chains.iter().for_each(|chain| one(chain, policy, breaches));
}

fn is_numbered(text: &str) -> bool {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    digits > 0 && text[digits..].starts_with(". ")
}

fn one(chain: &[Answer<'_>], policy: &Policy, breaches: &mut Breaches) {
    for why in chain.iter().filter(|why| !page::is_blank(why.text) && !page::cites(why.text)) {
        breaches.add(why.line, "why-without-evidence", "cite the event that shows this answer, such as [e17]");
    }
    let open = chain.last().is_some_and(|why| page::is_blank(why.text));
    let (Some(first), least) = (chain.first(), policy.whys_min) else { return };
    if chain.len() < least && !open {
        let text =
            format!("{} whys: ask {least} times, or end with a blank that says what is still to be asked", chain.len());
        breaches.add(first.line, "few-whys", text);
    }
    let Some(last) = chain.iter().rev().find(|why| !page::is_blank(why.text)) else { return };
    let said = format!(" {} ", page::words(last.text).join(" ").replace('-', " "));
    if let Some(word) = NO_END.iter().find(|word| said.contains(&format!(" {word} "))) {
        breaches.add(last.line, "last-why", format!("`{word}` is where a chain begins: ask why it was possible"));
    }
}
