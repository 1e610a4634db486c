//! Owns the life of real software on a host, as an engine with its owner's restart policy sees to it. Refuses to know
//! what it does.
//!
//! A container ends with its first process, and everything in it dies then; here the host goes on, so whatever the
//! software leaves behind is ended with it. Pauses between restarts are those of Docker: 100 ms, doubled each time up to a
//! minute, and afresh after 10 s of quiet.

use super::Children;
use crate::config::ProgramConfig;
use crate::config::nanos;
use crate::runtime::clock::mono_ns;
use crate::runtime::reporter::Reporter;
use crate::wire::Note;
use fixtures::graph::image::RestartPolicy;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::Sender;
use std::time::Duration;

const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MOST: Duration = Duration::from_secs(60);
const CALM: Duration = Duration::from_secs(10);
/// Variable of its environment: its place in the host's configuration, by which the hand knows it.
pub const PLACE_VARIABLE: &str = "BLACKSTART_PROCESS";

/// Runs it for as long as its owner's policy says; returns when nothing will start it again. `begun` is dropped when it was
/// started for the first time, or will not be.
pub(super) fn supervise(
    config: &ProgramConfig,
    index: usize,
    children: &Children,
    reporter: &Reporter,
    begun: Sender<()>,
) {
    let began_before = Path::new(&config.marker).exists();
    if began_before && config.restart == RestartPolicy::No {
        let status = "not started: its restart policy is `no`, and nobody else starts it".to_owned();
        return reporter.note(Note::ServiceExited { process: config.name.to_string(), status });
    }
    // A file that cannot be made makes the next power-on a first one, which only the policy `no` sees.
    let _made = File::create(&config.marker);
    let mut pause = PAUSE_FIRST;
    let mut begun = Some(begun);
    loop {
        reporter.note(Note::ServiceStarted { process: config.name.to_string() });
        let began = mono_ns();
        let ended = run(config, index, children, || drop(begun.take()));
        // Also where it could not be started.
        begun = None;
        sweep(children);
        let failed = !matches!(&ended, Ok(status) if status.success());
        let status = ended.map_or_else(|error| format!("not started: {error}"), super::describe);
        reporter.note(Note::ServiceExited { process: config.name.to_string(), status });
        match config.restart {
            RestartPolicy::No => return,
            RestartPolicy::OnFailure if !failed => return,
            RestartPolicy::OnFailure | RestartPolicy::Always | RestartPolicy::UnlessStopped => {}
        }
        if mono_ns() - began > nanos(CALM) {
            pause = PAUSE_FIRST;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MOST);
    }
}

fn run(
    config: &ProgramConfig,
    index: usize,
    children: &Children,
    started: impl FnOnce(),
) -> std::io::Result<ExitStatus> {
    let (program, arguments) = config.run.split_first().ok_or_else(|| std::io::Error::other("nothing is to be run"))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(config.environment.iter().cloned()).env(PLACE_VARIABLE, index.to_string());
    command.current_dir(&config.working_dir).stdin(std::process::Stdio::null());
    children.wait(&mut command, started)
}

/// Ends what has lost its parent, until there is nothing more: each that ends may leave others. It comes to a container's
/// first process, and to no other.
fn sweep(children: &Children) {
    if std::process::id() != 1 {
        return;
    }
    loop {
        let orphans = orphans(children);
        if orphans.is_empty() {
            return;
        }
        for orphan in orphans {
            // One that is gone already is what is wanted; one that may not be ended goes with the host.
            if kill_process(orphan, Signal::KILL).is_err() || waitpid(Some(orphan), WaitOptions::empty()).is_err() {
                children.spare(orphan);
            }
        }
    }
}

/// Children of the host's first process that it did not start itself.
fn orphans(children: &Children) -> Vec<Pid> {
    let own = std::process::id();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, in parentheses, may have spaces.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parent == Some(own)
    };
    pids.filter(is_ours).filter_map(Pid::from_raw).filter(|pid| !children.knows(*pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{From, Line};
    use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    /// What a program's life looks like from outside: `start` and the words of each end, up to the last one.
    fn life(run: &str, restart: RestartPolicy, marker: &Path, notes: usize) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let zone = ZoneName::new("az1").expect("a name");
        let from = From { zone, host: HostName("h".to_owned()), service: None, instance: None };
        let reporter = Reporter::start(listener.local_addr().expect("an address"), from).expect("it starts");
        let config = ProgramConfig {
            name: InstanceName("a".to_owned()),
            service: ServiceName::new("a").expect("a name"),
            run: ["/bin/sh", "-c", run].map(str::to_owned).into(),
            environment: vec![("STATUS".to_owned(), "3".to_owned())],
            working_dir: "/".to_owned(),
            restart,
            marker: marker.display().to_string(),
        };
        let (begun, has_begun) = channel();
        std::thread::spawn(move || supervise(&config, 0, &Children::default(), &reporter, begun));
        assert!(has_begun.recv().is_err(), "it says when it has begun, by letting go of its end");
        let (stream, _) = listener.accept().expect("it connects");
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let told = lines.map(|line| match serde_json::from_str::<Line>(&line).expect("a line").note {
            Note::ServiceStarted { .. } => "start".to_owned(),
            Note::ServiceExited { status, .. } => status,
            other => panic!("{other:?}"),
        });
        told.take(notes).collect()
    }

    #[test]
    fn an_owners_policy_decides_who_is_started_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let marker = |name: &str| folder.path().join(name);
        let failing = ["start", "exit status 3", "start", "exit status 3"];
        for (number, policy) in [RestartPolicy::OnFailure, RestartPolicy::Always].into_iter().enumerate() {
            assert_eq!(life("exit $STATUS", policy, &marker(&number.to_string()), 4), failing);
        }
        assert_eq!(life("exit 0", RestartPolicy::Always, &marker("again"), 3), ["start", "exit status 0", "start"]);
        assert_eq!(life("exit 1", RestartPolicy::No, &marker("once"), 2), ["start", "exit status 1"]);
        // The host has power again: nobody starts it.
        let told = life("exit 1", RestartPolicy::No, &marker("once"), 1);
        assert!(told[0].starts_with("not started"), "{told:?}");
    }
}
