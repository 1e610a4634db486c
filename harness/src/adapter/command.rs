//! Owns commands inside the container of real software: judged by their exit status, read by what they write. Refuses to
//! know a shell.

use super::Trouble;
use agents::config::AdapterConfig;
use fixtures::graph::image::Request;
use std::process::Stdio;

/// The exit status of a read that says that there is no such key, as `grep` and `test` have it.
const NOT_THERE: i32 = 1;

/// Runs what a graph says; `filled` are key and value of a read or a write.
pub(super) async fn run(
    config: &AdapterConfig,
    request: &Request,
    filled: Option<(&str, &str)>,
) -> Result<Option<String>, Trouble> {
    let fill = |text: &String| match filled {
        Some((key, value)) => text.replace("{key}", key).replace("{value}", value),
        None => text.clone(),
    };
    let words: Vec<String> = request.run.iter().flatten().map(fill).collect();
    let (program, arguments) = words.split_first().ok_or(Trouble::Silent)?;
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).envs(config.environment.iter().cloned()).stdin(Stdio::null()).kill_on_drop(true);
    let ended = command.output().await.map_err(|error| Trouble::Refused(format!("{program}: {error}")))?;
    match ended.status.code() {
        Some(0) => Ok(Some(String::from_utf8_lossy(&ended.stdout).trim().to_owned())),
        Some(NOT_THERE) if filled.is_some_and(|(_, value)| value.is_empty()) => Ok(None),
        _ => Err(Trouble::Refused(format!("{program}: {}", ended.status))),
    }
}
