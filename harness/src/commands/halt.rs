//! Owns `blackstart halt`: one request to a server. Refuses to stop anything by itself.

use super::print;
use crate::cli::HaltArgs;
use crate::courier::roots;
use crate::exit;
use crate::load::BadInput;
use crate::serve::Folders;
use crate::web::tokens::{Role, first_of_role};
use anyhow::{Context, Result, bail};
use std::time::Duration;
use ureq::tls::TlsConfig;

/// A server that has not said by then that it will stop is not one to rely on.
const WITHIN: Duration = Duration::from_secs(10);

/// Stops everything that a server does, or lets it go on again.
///
/// # Errors
/// Where no server answers, or it refuses.
pub fn run(args: &HaltArgs) -> Result<u8> {
    let folders = Folders::of(&args.out);
    let server = match &args.server {
        Some(server) => server.trim_end_matches('/').to_owned(),
        None => std::fs::read_to_string(folders.address()).map_err(|_| BadInput {
            text: format!(
                "error: no server keeps {}: name its folder with --out, or itself with --server\n",
                args.out.display()
            ),
        })?,
    };
    let token = first_of_role(args.tokens.as_deref().unwrap_or(&folders.tokens()), Role::Run)?;
    let what = if args.resume { "resume" } else { "halt" };
    let mut config = ureq::Agent::config_builder();
    if server.starts_with("https") {
        config = config.tls_config(TlsConfig::builder().root_certs(roots(args.roots.as_deref())?).build());
    }
    let agent: ureq::Agent = config
        .timeout_global(Some(WITHIN))
        .http_status_as_error(false)
        .max_redirects(0)
        // A token goes to the server, and to nobody in between.
        .proxy(None)
        .build()
        .into();
    let request = agent.post(format!("{server}/api/{what}")).header("Authorization", format!("Bearer {token}"));
    let mut answer = request.send("{}").with_context(|| format!("the server at {server} does not answer"))?;
    let told = answer.body_mut().read_to_string().unwrap_or_default();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap_or_default();
    if !answer.status().is_success() {
        bail!("the server at {server} refuses: {}", told["error"].as_str().unwrap_or("it does not say why"));
    }
    match (args.resume, told["run"].as_str()) {
        (true, _) => print("the schedule goes on")?,
        (false, Some(run)) => {
            print(&format!("halted; run {run} is being ended and healed. To go on: blackstart halt --resume"))?
        }
        (false, None) => print("halted; nothing went on. To go on: blackstart halt --resume")?,
    }
    Ok(exit::OK)
}
