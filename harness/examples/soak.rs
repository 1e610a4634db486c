//! Owns the soak: holds one game day many times with the built executable and tells how often each outcome came.
//! Refuses to retry.
//!
//! `cargo run --release --example soak -- SCENARIO TIMES` — the figures of the last one are in `figures/`.

use reports::record::Record;
use std::collections::BTreeMap;
use std::process::Command;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scenario, times] = arguments.as_slice() else { anyhow::bail!("usage: soak SCENARIO TIMES") };
    let times: usize = times.parse()?;
    let executable = std::env::current_exe()?.with_file_name("../blackstart");
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for number in 1..=times {
        let output = Command::new(&executable).args(["run", scenario, "--quiet", "--format", "json"]).output()?;
        let record = reports::record::from_json(&String::from_utf8_lossy(&output.stdout));
        let outcome = match &record {
            Ok(record) => outcome(record, output.status.code()),
            Err(_) => format!("no record: {}", String::from_utf8_lossy(&output.stderr).trim()),
        };
        eprintln!("{number}/{times} {outcome}");
        *outcomes.entry(outcome).or_default() += 1;
        if let Ok(record) = record {
            collect(&record, &mut figures);
        }
    }
    println!("{scenario}, {times} times, blackstart {}", env!("CARGO_PKG_VERSION"));
    for (outcome, count) in &outcomes {
        println!("{count:>5} × {outcome}");
    }
    println!("{:<24} {:>9} {:>9} {:>9}", "", "min", "median", "max");
    for (name, mut values) in figures {
        values.sort_by(f64::total_cmp);
        let (min, median, max) = (values[0], values[values.len() / 2], values[values.len() - 1]);
        println!("{name:<24} {min:>9.1} {median:>9.1} {max:>9.1}");
    }
    anyhow::ensure!(outcomes.len() == 1, "not all runs ended alike");
    Ok(())
}

/// Verdict, culprits and exit status: what must be the same every time.
fn outcome(record: &Record, status: Option<i32>) -> String {
    let culprit = |finding: &scenarios::judgement::Finding| {
        let dependency = finding.dependency.as_ref().map(ToString::to_string).unwrap_or_default();
        format!(
            "{} {}->{dependency} {}",
            finding.invariant,
            finding.service,
            finding.setting.clone().unwrap_or_default()
        )
    };
    let culprits: Vec<String> = record.findings.iter().map(culprit).collect();
    let reasons: Vec<&str> = record.inconclusive.iter().map(|reason| reason.code.as_str()).collect();
    let residue = record.residue.len();
    format!(
        "exit {status:?}, {}, findings {culprits:?}, inconclusive {reasons:?}, residue {residue}",
        record.verdict.word()
    )
}

fn collect(record: &Record, figures: &mut BTreeMap<&str, Vec<f64>>) {
    let measured = &record.measurements;
    let mut keep = |name, value: Option<f64>| {
        if let Some(value) = value {
            figures.entry(name).or_default().push(value);
        }
    };
    keep("power_off_skew_ms", measured.power_off_skew_ms);
    keep("power_on_skew_ms", measured.power_on_skew_ms);
    keep("restart_to_active_ms", measured.restart_to_active_ms);
    keep("overhead_s", Some(measured.overhead_s));
    keep("total_s", Some(measured.total_s));
}
