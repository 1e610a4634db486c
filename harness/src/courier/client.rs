//! Owns one attempt over HTTP. Refuses to follow redirections, which would take a signed message elsewhere, to read what is
//! answered beyond its head, and to tell an address or a header's value in an error.

use super::attempt::Answer;
use super::{Letter, Receiver, host_of};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error, Proxy};

/// Carries the signature.
const SIGNATURE: &str = "x-blackstart-signature";

/// Carries the message's id.
const DELIVERY: &str = "x-blackstart-delivery";

/// Where systems keep the roots that their people trust, the most usual first. Unlike roots that are compiled in they know a
/// company's own, and do not age with this executable.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A receiver with what is needed to reach it.
pub(super) struct Client {
    pub(super) receiver: Receiver,
    pub(super) host: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    agent: Agent,
}

impl Client {
    pub(super) fn new(receiver: Receiver) -> Result<Self> {
        let host = host_of(receiver.name, &receiver.url)?;
        let mut headers = Vec::new();
        for (name, value) in &receiver.headers {
            let (Ok(name), Ok(mut value)) =
                (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            else {
                bail!("a header for {} is none (its value is not shown)", receiver.name)
            };
            value.set_sensitive(true);
            headers.push((name, value));
        }
        let timeout = receiver.patience.timeout;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .user_agent(concat!("blackstart/", env!("CARGO_PKG_VERSION")))
            // Messages are hours apart: a connection that was kept would be dead.
            .max_idle_connections(0)
            .proxy(if is_local(&host) { None } else { Proxy::try_from_env() });
        if receiver.url.starts_with("https") {
            config = config.tls_config(TlsConfig::builder().root_certs(roots(receiver.roots.as_deref())?).build());
        }
        Ok(Self { receiver, host, headers, agent: config.build().new_agent() })
    }

    /// One attempt.
    pub(super) fn post(&self, letter: &Letter, at_s: i64) -> Answer {
        let mut request = self.agent.post(&self.receiver.url).header("content-type", "application/json");
        request = request.header(DELIVERY, &letter.id);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(secret) = &self.receiver.secret {
            request = request.header(SIGNATURE, secret.sign(at_s, letter.body.as_bytes()));
        }
        match request.send(letter.body.as_bytes()) {
            Ok(answer) => {
                let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let seconds = after.and_then(|text| text.trim().parse().ok());
                Answer::Status(answer.status().as_u16(), seconds.map(Duration::from_secs))
            }
            Err(error) => answer_of(&error),
        }
    }
}

/// An error in words of ours: those of the library may contain the address.
fn answer_of(error: &Error) -> Answer {
    match error {
        Error::Timeout(_) => Answer::Silence,
        Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Answer::Silence,
        Error::Io(error) => Answer::Unreachable(error.to_string()),
        Error::HostNotFound => Answer::Unreachable("nobody knows its host's name".to_owned()),
        Error::ConnectionFailed => Answer::Unreachable("it could not be made".to_owned()),
        Error::ConnectProxyFailed(_) => Answer::Unreachable("the proxy did not make one".to_owned()),
        Error::Rustls(error) => Answer::Unreachable(format!("TLS: {error}")),
        Error::Tls(why) => Answer::Unreachable(format!("TLS: {why}")),
        Error::Protocol(_) | Error::LargeResponseHeader(..) | Error::BodyStalled => {
            Answer::Unreachable("what it answered is no HTTP".to_owned())
        }
        _ => Answer::Impossible("the request cannot be made".to_owned()),
    }
}

/// Whether the host is this machine, which no proxy knows.
fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Those of the file; without one the machine's own; where it has none, those that are compiled in.
pub(crate) fn roots(file: Option<&Path>) -> Result<RootCerts> {
    if let Some(file) = file {
        let pem = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let found = certificates(&pem);
        if found.is_empty() {
            bail!("{} has no certificate in it", file.display());
        }
        return Ok(RootCerts::new_with_certs(&found));
    }
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let places = named.into_iter().chain(BUNDLES.iter().map(std::path::PathBuf::from));
    let mut bundles = places.filter_map(|place| std::fs::read(place).ok()).map(|pem| certificates(&pem));
    let found = bundles.find(|found| !found.is_empty());
    Ok(found.map_or(RootCerts::WebPki, |found| RootCerts::new_with_certs(&found)))
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).filter_map(Result::ok);
    items.filter_map(|item| if let PemItem::Certificate(found) = item { Some(found) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::is_local;
    use crate::courier::host_of;

    #[test]
    fn an_address_is_shown_by_its_host_alone() {
        assert_eq!(host_of("it", "https://h.test:8443/T0K3N?key=T0K3N").expect("it is one"), "h.test:8443");
        for bad in ["ftp://h.test/T0K3N", "T0K3N", "https://me:T0K3N@h.test/", "https:///T0K3N", "http://h t/T0K3N"] {
            let told = format!("{:#}", host_of("it", bad).expect_err(bad));
            assert!(!told.contains("T0K3N"), "{told}");
        }
        for local in ["localhost", "127.0.0.1:80", "[::1]:80", "[::1]", "127.9.9.9"] {
            assert!(is_local(local), "{local}");
        }
        assert!(!is_local("example.test:80") && !is_local("10.0.0.1"));
    }
}
