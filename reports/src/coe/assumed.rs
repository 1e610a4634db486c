//! Owns what a page says about assumed parameters: which of them would flip the verdict, what was tried, and what was not.
//! Refuses to hide a flip in a list: it comes first.

use crate::assumptions::{flips, shifts, undecided};
use crate::record::{Assumptions, Origin, Record, TrialRow};
use crate::text::{code, count, list, markdown};
use std::collections::BTreeSet;

pub(super) fn render(record: &Record) -> String {
    let assumed = record.parameters.iter().filter(|(_, parameter)| parameter.origin == Origin::Assumed);
    let assumed: Vec<String> =
        assumed.map(|(name, parameter)| format!("{} {}", code(name), markdown(&parameter.value))).collect();
    let mut out = match &record.assumptions {
        None if assumed.is_empty() => {
            return "- Nothing was assumed: files or measurements say every value.\n".to_owned();
        }
        None => "- Nobody tried whether another value of an assumed parameter would flip the verdict.\n".to_owned(),
        Some(tried) => trials(tried),
    };
    if !assumed.is_empty() {
        out.push_str(&format!("- Assumed, because no file says it: {}.\n", assumed.join(", ")));
    }
    out
}

fn trials(tried: &Assumptions) -> String {
    let flipping = flips(tried);
    let parameters: BTreeSet<&str> = tried.trials.iter().map(|trial| trial.parameter.as_str()).collect();
    let extent = format!(
        "{} of {}, each in virtual time with one value changed",
        count(tried.trials.len(), "trial"),
        count(parameters.len(), "assumed parameter")
    );
    let mut out = match (flipping.is_empty(), tried.trials.is_empty()) {
        (_, true) => String::new(),
        (true, false) => format!("- No other value of an assumed parameter flips the verdict: {extent}.\n"),
        (false, false) => format!("The verdict hangs on what was assumed ({extent}):\n\n{}", table(&flipping)),
    };
    let shifted: Vec<String> = shifts(tried).into_iter().map(shifted).collect();
    if !shifted.is_empty() {
        out.push_str(&format!("- The same verdict, single invariants judged otherwise: {}.\n", shifted.join("; ")));
    }
    let undecided: Vec<String> = undecided(tried).into_iter().map(changed).collect();
    if !undecided.is_empty() {
        out.push_str(&format!("- No judgement was possible with: {}.\n", undecided.join("; ")));
    }
    let mut reasons: Vec<&str> = tried.untried.iter().map(|row| row.reason.as_str()).collect();
    reasons.dedup();
    for reason in reasons {
        let own = tried.untried.iter().filter(|row| row.reason == reason);
        let own: Vec<String> =
            own.map(|row| format!("{} {}", code(&row.parameter), markdown(&row.instead.join(" or ")))).collect();
        out.push_str(&format!("- Not tried, {}: {}.\n", markdown(reason), own.join("; ")));
    }
    out
}

fn table(flipping: &[&TrialRow]) -> String {
    let mut out = String::from("| parameter | assumed | with | the verdict would be |\n|---|---|---|---|\n");
    for trial in flipping {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            code(&trial.parameter).replace('|', "\\|"),
            markdown(&trial.assumed),
            markdown(&trial.instead),
            trial.verdict.word()
        ));
    }
    out + "\n"
}

fn changed(trial: &TrialRow) -> String {
    format!("{} {} instead of {}", code(&trial.parameter), markdown(&trial.instead), markdown(&trial.assumed))
}

fn shifted(trial: &TrialRow) -> String {
    format!("{} ({})", changed(trial), markdown(&list(&trial.changed)))
}
