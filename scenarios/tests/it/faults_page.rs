//! Owns the claim that the page on faults says what the code says.

use scenarios::fault::catalogue;
use std::path::Path;

const HEAD: &str = "# Faults

This page is written by a test out of `scenarios/src/fault/`; each kind is one file there.

A fault is injected, looked at from outside for as long as it lasts, and healed.
One that is not seen to be in force, or that ended early, makes the run *inconclusive*: nothing is judged on it.
What was asked for and what was measured is in the record, look by look (`fault-effect` in `events.jsonl`).

## When

| in the file | means |
|---|---|
| `at = \"2s\"` | so long after the beginning of its round |
| `within = \"10s\"` | at a random moment between `at` and so long after it, drawn from the seed |
| `lasts = \"5s\"` | how long; kills, exits and restarts happen in one instant and have none |
| `every = \"3s\"`, `times = 4` | again and again; recovery is judged after the last |
| `after = \"other\"` | in a round of its own, after the other fault's: healed, recovered, quiet |
| `after = { service = \"store\", zone = \"az1\", becomes = \"active\" }` | so long (`at`) after that is first observed in the round |

Recovery is judged from the heal of each fault, and nothing else may happen in its window. `recovery-from = \"last-heal\"` in
`[windows]` makes a round one incident of several parts: recovery is judged from its last heal.

## What

| kind | what it does | its inverse | how its effect is seen | rights |
|---|---|---|---|---|
";

const TAIL: &str = "
## Rights

The hand is one container with the machine's process ids and network, its root folder at `/machine`, loop devices, and the
capabilities `SYS_CHROOT`, `NET_ADMIN`, `NET_RAW`, `KILL`, `CHOWN`, `FOWNER`, `DAC_OVERRIDE`, `SYS_ADMIN` and `SYS_PTRACE`;
never `--privileged`. It probes what it can do, and every run records which way each right was had.

| where | tried here | what works |
|---|---|---|
| root on the engine's machine, cgroup v1 with the unified hierarchy beside it | yes, by the tests on an engine | everything |
| no rights granted (`--no-rights`) | yes, by the tests on an engine | power by the engine's kill, boots held up, hosts paused by the engine; every other fault ends the run inconclusive, with the reason |
| member of the engine's group, no root | yes, by a test on an engine | everything: the engine grants the hand its rights, whoever asks |
| cgroup v2 alone, systemd slices | the paths and files in unit tests on made-up trees only | expected: everything |
| rootless engine (no control groups) | yes, by a test that brings one up | as with no rights |
| engine in a virtual machine | no | expected: everything, inside that machine |

A disk is slow by the kernel's control groups, which hold writes back in slices of a tenth of a second: 200 ms is the
shortest delay. A full disk refuses every new block; what fits into the last block of a file that is there still fits.
A majority ring needs no two members that hear the same majority: of three members each pair then hears only one way, so
no TCP connection crosses, as in the tool that the shape is known from; four or more leave connections open.

Docker before 23.0 can lock itself up when many containers end at once (moby/moby#42545, a race of two locks over the
endpoints of its networks): a run then ends with exit 2 after a minute, and says so. It can also lose count of a network's
endpoints then, and keep an empty network that nobody can remove: about one in sixty runs here that were killed five at a time
on a busy machine. That is why the hand lays the cables of hosts itself, and the engine makes their containers with
`NetworkDisabled`: they have no endpoint, not even one of `none`, and nothing of that race is run for them (nor a second
process of the engine for each start). Without rights it can still happen. Restart
the engine, then `blackstart clean`.

What is not here: `netem`. Where a kernel has it, packets still wait in the hand's own queue, which was measured (see
`harness/figures/bench-net.txt`); a second way that nobody could try would be believed all the same.
";

#[test]
fn the_page_on_faults_says_what_the_code_says() {
    let mut text = HEAD.to_owned();
    for entry in catalogue() {
        let row = [entry.kind, entry.what, entry.inverse, entry.probe, entry.rights];
        text += &format!("| `{}` | {} | {} | {} | {} |\n", row[0], row[1], row[2], row[3], row[4]);
    }
    text += TAIL;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md");
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(&path, &text).expect("it can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/faults.md is out of date: run the tests with BLACKSTART_BLESS=1 and commit it");
}
