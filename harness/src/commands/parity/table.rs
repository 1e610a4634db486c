//! Owns the table of a comparison as it is committed: one line a scenario, and what each disagreement is. Refuses to
//! compare.

use super::Row;
use anyhow::Result;
use std::fmt::Write;

/// The table, with the command that makes it.
pub(super) fn table(seed: u64, rows: &[Row]) -> Result<String> {
    let mut text =
        String::from("The same game days on an engine and in virtual time: `blackstart parity --record FILE`");
    writeln!(text, " (seed {seed}).")?;
    text += "Medians are over all instances, from power to the first time that the witness saw them active.\n\n";
    writeln!(
        text,
        "{:<26} {:<12} {:<12} {:>9} {:>9} {:>7}  differences",
        "scenario", "engine", "simulated", "engine ms", "sim ms", "factor"
    )?;
    for Row { scenario, verdicts: (engine, sim), medians_ms, differences } in rows {
        let word = |verdict| format!("{verdict:?}").to_lowercase();
        write!(text, "{scenario:<26} {:<12} {:<12} ", word(engine), word(sim))?;
        match medians_ms {
            Some((engine, sim)) => write!(text, "{engine:>9.0} {sim:>9.0} {:>7.2}", sim / engine)?,
            None => write!(text, "{:>9} {:>9} {:>7}", "-", "-", "-")?,
        }
        let none = if differences.is_empty() { "none" } else { "" };
        writeln!(text, "  {none}{}", differences.join("; "))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::verdict::Verdict;

    #[test]
    fn each_scenario_is_one_line_with_its_factor_and_what_differs() {
        let row = |scenario: &str, medians_ms, differences: &[&str]| Row {
            scenario: scenario.to_owned(),
            verdicts: (Verdict::Held, Verdict::Violated),
            medians_ms,
            differences: differences.iter().map(|text| (*text).to_owned()).collect(),
        };
        let rows = [row("minimal", Some((400.0, 500.0)), &[]), row("other", None, &["verdict: one", "sim only: two"])];
        let text = table(7, &rows).expect("it is text");
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "minimal                    held         violated           400       500    1.25  none",
                "other                      held         violated             -         -       -  verdict: one; sim only: two",
            ]
        );
    }
}
