//! Owns the noise run: healthy game days on an engine, one after the other, while two other processes burn every turn of a
//! processor that they get. None may be violated, and few inconclusive. Refuses to retry.
//!
//! `cargo build --release && cargo run --release --example noise [TIMES]` — the figures of the last one are in `figures/`.

use harness::matrix::pairs::HEALTHY;
use scenarios::verdict::Verdict;
use std::process::{Child, Command, Stdio};

/// Runs, unless told otherwise.
const TIMES: usize = 20;
/// Of twenty; issue and design have it so.
const INCONCLUSIVE_MAX: usize = 4;
/// As many as the machines that this is for have processors.
const BURNERS: usize = 2;

/// A process that burns, for as long as this is there.
struct Burner(Child);

impl Burner {
    fn light() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Ok(Self(command.arg("burn").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?))
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        // An error here says that it has ended already.
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Ends with whoever lit it, whatever they died of: the kernel closes the pipe.
fn burn() -> ! {
    std::thread::spawn(|| {
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let mut number = 1_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

fn main() -> anyhow::Result<()> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("burn") {
        burn();
    }
    let times = argument.map_or(Ok(TIMES), |times| times.parse())?;
    let executable = std::env::current_exe()?.with_file_name("../blackstart");
    let _burners = (0..BURNERS).map(|_| Burner::light()).collect::<anyhow::Result<Vec<Burner>>>()?;
    let (mut violated, mut inconclusive) = (0, 0);
    println!("{times} healthy game days on an engine, beside {BURNERS} processes that burn");
    for (number, scenario) in HEALTHY.iter().cycle().take(times).enumerate() {
        let run = ["run", scenario, "--world", "docker", "--quiet", "--format", "json"];
        let output = Command::new(&executable).args(run).output()?;
        let record = reports::record::from_json(&String::from_utf8_lossy(&output.stdout));
        let record = record.map_err(|error| anyhow::anyhow!("{scenario}: {error:?}"))?;
        violated += usize::from(record.verdict == Verdict::Violated);
        inconclusive += usize::from(record.verdict == Verdict::Inconclusive);
        let found = record.findings.iter().map(|finding| format!("{}: {}", finding.invariant, finding.text));
        let reasons = record.inconclusive.iter().map(|reason| format!("{}: {}", reason.code, reason.text));
        let why: Vec<String> = found.chain(reasons).collect();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        println!("{:>3}  {scenario:<24} {:<12} load {load:>5}  {}", number + 1, record.verdict.word(), why.join("; "));
    }
    println!("{violated} violated (none may be), {inconclusive} inconclusive (at most {INCONCLUSIVE_MAX} of {TIMES})");
    anyhow::ensure!(violated == 0 && inconclusive * TIMES <= INCONCLUSIVE_MAX * times, "too many");
    Ok(())
}
