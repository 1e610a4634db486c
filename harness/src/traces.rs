//! Owns sending game days as traces to a collector (OTLP over HTTP, as JSON). Refuses to know what is in a trace (see
//! [`reports::otlp`]), and to be waited for.

use crate::courier::attempt::{Patience, otlp_trouble};
use crate::courier::{Courier, Letter, Receiver};
use crate::metrics::Metrics;
use anyhow::{Context, Result, bail};
use reports::record::Record;
use scenarios::event::Event;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// In metrics and the log.
pub const NAME: &str = "traces";

/// Where traces go. It has no `Debug`: an address may have a token in it.
#[derive(Clone)]
pub struct Settings {
    /// The collector, such as `http://127.0.0.1:4318`; traces go to `/v1/traces` below it.
    pub endpoint: String,
    /// A file of headers, one `Name: value` a line, such as the collector's token: a command line can be read by others.
    pub headers: Option<PathBuf>,
    /// Roots of trust, instead of the machine's own.
    pub roots: Option<PathBuf>,
    /// How long to go on trying.
    pub patience: Patience,
}

/// A collector of traces.
#[derive(Debug)]
pub struct Traces(Courier);

impl Traces {
    /// Starts its thread.
    ///
    /// # Errors
    /// Headers or roots that cannot be read, an address that is none.
    pub fn start(settings: Settings, metrics: Arc<Metrics>) -> Result<Self> {
        let headers = settings.headers.as_deref().map(headers).transpose()?.unwrap_or_default();
        let patience = Patience { again: otlp_trouble, ..settings.patience };
        let url = format!("{}/v1/traces", settings.endpoint.trim_end_matches('/').trim_end_matches("/v1/traces"));
        let receiver = Receiver { name: NAME, url, headers, secret: None, patience, roots: settings.roots };
        Courier::start(receiver, metrics).map(Self)
    }

    /// Sends a run, and returns at once.
    pub fn send(&self, record: &Record, events: &[Event]) {
        self.0.send(Letter { id: record.run.clone(), body: reports::otlp::traces(record, events) });
    }

    /// Takes no more, and waits so long for those that wait.
    pub fn finish(self, within: Duration) {
        self.0.finish(within);
    }
}

fn headers(path: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let mut found = Vec::new();
    for (number, line) in lines {
        let Some((name, value)) = line.split_once(':') else {
            bail!("{}, line {}: it is no `Name: value` (it is not shown)", path.display(), number + 1);
        };
        found.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(found)
}
