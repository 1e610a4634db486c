//! Owns the notification of a webhook: each notice becomes one signed request. Refuses to know what a notice says (see
//! [`reports::notice`]), and to be waited for.
//!
//! `X-Blackstart-Signature: t=SECONDS,v1=HEX` is the HMAC-SHA256 of `SECONDS.BODY`; `X-Blackstart-Delivery` is the same for
//! every attempt of the same notice, also of a server that was restarted in between.

use crate::courier::attempt::Patience;
use crate::courier::secret::Secret;
use crate::courier::{Courier, Letter, Receiver};
use crate::metrics::Metrics;
use anyhow::Result;
use reports::notice::Notice;
use ring::digest::{SHA256, digest};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// In metrics and the log.
pub const NAME: &str = "webhook";

/// Where notices go. It has no `Debug`: an address may have a token in it.
#[derive(Clone)]
pub struct Settings {
    /// http or https; never shown but for its host.
    pub url: String,
    /// The file with the secret that signs.
    pub secret: PathBuf,
    /// Roots of trust, instead of the machine's own.
    pub roots: Option<PathBuf>,
    /// How long to go on trying.
    pub patience: Patience,
}

/// A webhook.
#[derive(Debug)]
pub struct Webhook(Courier);

impl Webhook {
    /// Starts its thread.
    ///
    /// # Errors
    /// A secret or roots that cannot be used, an address that is none.
    pub fn start(settings: Settings, metrics: Arc<Metrics>) -> Result<Self> {
        let Settings { url, secret, roots, patience } = settings;
        let secret = Some(Secret::read(&secret)?);
        Courier::start(Receiver { name: NAME, url, headers: Vec::new(), secret, patience, roots }, metrics).map(Self)
    }

    /// Sends a notice, and returns at once.
    pub fn notify(&self, notice: &Notice) {
        let body = notice.to_json();
        self.0.send(Letter { id: delivery(&body), body });
    }

    /// Takes no more, and waits so long for those that wait.
    pub fn finish(self, within: Duration) {
        self.0.finish(within);
    }
}

/// The same for the same body, and for no other.
fn delivery(body: &str) -> String {
    digest(&SHA256, body.as_bytes()).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
