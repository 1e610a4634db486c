//! Owns the page's part on assumed parameters, and its one line at the head where the verdict hangs on one. Refuses to
//! repeat every value: the table of parameters has them.

use super::Sight;
use crate::assumptions::{flips, shifts, undecided};
use crate::record::{Assumptions, TrialRow};
use crate::text::{count, html_to, list};
use scenarios::verdict::Verdict;

/// For the head of the page: the first value that flips the verdict.
pub(super) fn warning(sight: &Sight<'_>) -> String {
    let flipping = sight.record.assumptions.as_ref().map(flips).unwrap_or_default();
    let Some(first) = flipping.first() else { return String::new() };
    let more = flipping.len() - 1;
    let more = if more > 0 { format!(", and {} more flip it", count(more, "value")) } else { String::new() };
    format!(
        "<p class=\"warning\"><a href=\"#assumptions\">An assumption decides</a>: with {} it would be {}{more}.</p>\n",
        changed(first),
        first.verdict.word()
    )
}

/// The section; nothing where nobody tried.
pub(super) fn section(sight: &Sight<'_>) -> String {
    let Some(tried) = &sight.record.assumptions else { return String::new() };
    let mut out = String::from(
        "<section id=\"assumptions\" aria-labelledby=\"h-assumptions\">\n<h2 id=\"h-assumptions\">What was assumed</h2>\n",
    );
    out.push_str(&format!("<p>{}</p>\n", told(tried)));
    let rows = flips(tried).into_iter().map(|trial| row(trial, "flips the verdict"));
    let rows = rows.chain(shifts(tried).into_iter().map(|trial| row(trial, &list(&trial.changed))));
    let rows: Vec<String> =
        rows.chain(undecided(tried).into_iter().map(|trial| row(trial, "nothing could be judged"))).collect();
    if !rows.is_empty() {
        out.push_str("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">parameter</th><th scope=\"col\">assumed</th><th scope=\"col\">with</th><th scope=\"col\">verdict</th><th scope=\"col\">what changes</th></tr></thead>\n<tbody>\n");
        out.push_str(&rows.concat());
        out.push_str("</tbody></table></div>\n");
    }
    if !tried.untried.is_empty() {
        let each = |row: &crate::record::UntriedRow| {
            let (name, values) = (html_to(&row.parameter, 80), html_to(&row.instead.join(" or "), 120));
            format!("<li><code>{name}</code> {values}: {}</li>\n", html_to(&row.reason, 200))
        };
        let rows: String = tried.untried.iter().map(each).collect();
        out.push_str(&format!(
            "<details><summary>Not tried ({})</summary>\n<ul>\n{rows}</ul></details>\n",
            tried.untried.len()
        ));
    }
    out + "</section>\n"
}

fn told(tried: &Assumptions) -> String {
    let parameters: std::collections::BTreeSet<&str> = tried.trials.iter().map(|row| row.parameter.as_str()).collect();
    let extent = format!(
        "Held again in virtual time, {}, each with one value that no file says halved or doubled ({}).",
        match tried.trials.len() {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        },
        count(parameters.len(), "parameter")
    );
    match (tried.trials.is_empty(), flips(tried).len()) {
        (true, _) => "No other value of an assumed parameter was tried.".to_owned(),
        (_, 0) => format!("No assumed value decides the verdict. {extent}"),
        (_, number) => {
            format!("{} the verdict. {extent}", if number == 1 { "One value decides" } else { "Some values decide" })
        }
    }
}

fn changed(trial: &TrialRow) -> String {
    format!(
        "<code>{}</code> {} instead of {}",
        html_to(&trial.parameter, 80),
        html_to(&trial.instead, 80),
        html_to(&trial.assumed, 80)
    )
}

fn row(trial: &TrialRow, what: &str) -> String {
    let class = if trial.verdict == Verdict::Held { "v-held" } else { "v-violated" };
    let class = if matches!(trial.verdict, Verdict::Held | Verdict::Violated) { class } else { "v-inconclusive" };
    format!(
        "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td class=\"{class}\">{}</td><td>{}</td></tr>\n",
        html_to(&trial.parameter, 80),
        html_to(&trial.assumed, 80),
        html_to(&trial.instead, 80),
        trial.verdict.word(),
        html_to(what, 200)
    )
}
