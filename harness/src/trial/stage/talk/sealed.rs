//! Owns TLS as somebody who is there speaks it: whoever is meant is who answers, with a certificate that the trial's root has
//! signed. Refuses to know what is said within ([`super::one`], [`super::two`]).
//!
//! A client says whom it means, or connects to a name: either is in the certificate. Nobody is asked for one: who has a
//! certificate of its own is as welcome as who has none.

use super::super::super::protocol::TLS;
use super::{Part, Said, Talk};
use agents::commons::Keys;
use agents::runtime::tls;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

/// Protocols that are spoken within, as clients ask for them (ALPN), the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Who signs for everybody.
pub(in crate::trial::stage) struct Notary {
    keys: Keys,
    /// By name, and whether the client asks for a protocol that is spoken.
    known: BTreeMap<(String, bool), Arc<ServerConfig>>,
}

impl Notary {
    /// One that signs with this key.
    pub(in crate::trial::stage) fn new(keys: Keys) -> Self {
        Self { keys, known: BTreeMap::new() }
    }

    /// What somebody of this name shows; `asked` where a protocol was asked for that is spoken.
    fn shown(&mut self, name: &str, asked: bool) -> Result<Arc<ServerConfig>, String> {
        let key = (name.to_owned(), asked);
        if let Some(known) = self.known.get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = self.made(name, asked).map_err(|error| error.to_string())?;
        self.known.insert(key, Arc::clone(&made));
        Ok(made)
    }

    fn made(&self, name: &str, asked: bool) -> Result<Arc<ServerConfig>, tls::TlsError> {
        let (certificate, key) = tls::issue(&self.keys, &[name.to_owned()])?;
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key)?;
        // Who asks for none of them is taken at its word all the same.
        config.alpn_protocols = PROTOCOLS.iter().filter(|_| asked).map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// One connection.
pub(super) struct Sealed {
    state: State,
    within: Talk,
}

enum State {
    /// The client has not said all of its first word.
    Greeting(Box<Acceptor>),
    Going(Box<ServerConnection>),
    Over,
}

impl Default for Sealed {
    fn default() -> Self {
        Self { state: State::Greeting(Box::default()), within: Talk::default() }
    }
}

impl Sealed {
    /// Hears more, and answers what was said within.
    pub(super) fn hear(&mut self, bytes: &[u8], part: &mut Part<'_>) -> Said {
        let (mut said, mut rest) = (Said::default(), bytes);
        while !rest.is_empty() {
            if let Err(why) = self.step(&mut rest, part, &mut said) {
                self.state = State::Over;
                said.close = true;
                said.request = said.request.or(Some(format!("{TLS}: {why}")));
                break;
            }
        }
        said
    }

    /// Takes a part of what was heard.
    fn step(&mut self, rest: &mut &[u8], part: &mut Part<'_>, said: &mut Said) -> Result<(), String> {
        match &mut self.state {
            State::Greeting(acceptor) => {
                acceptor.read_tls(rest).map_err(|error| error.to_string())?;
                let accepted = acceptor.accept().map_err(|(error, mut alert)| {
                    // There is room for it in memory.
                    let _room = alert.write_all(&mut said.bytes);
                    error.to_string()
                })?;
                let Some(accepted) = accepted else { return Ok(()) };
                let hello = accepted.client_hello();
                let asked = hello.alpn().is_some_and(|mut asked| asked.any(|name| PROTOCOLS.contains(&name)));
                let name = hello.server_name().unwrap_or(part.who).to_owned();
                let notary = part.notary.as_mut().ok_or("nobody signs here")?;
                let session = accepted.into_connection(notary.shown(&name, asked)?).map_err(|(error, mut alert)| {
                    let _room = alert.write_all(&mut said.bytes);
                    error.to_string()
                })?;
                self.state = State::Going(Box::new(session));
            }
            State::Going(session) => {
                session.read_tls(rest).map_err(|error| error.to_string())?;
            }
            State::Over => *rest = &[],
        }
        self.go_on(part, said)
    }

    /// Reads what was said within, answers it, and writes what is to be sent.
    fn go_on(&mut self, part: &mut Part<'_>, said: &mut Said) -> Result<(), String> {
        let State::Going(session) = &mut self.state else { return Ok(()) };
        session.set_buffer_limit(None);
        let processed = session.process_new_packets().map(drop).map_err(|error| error.to_string());
        let mut heard = Vec::new();
        // Its end is that there is no more yet.
        let _no_more = session.reader().read_to_end(&mut heard);
        if !heard.is_empty() {
            let (play, page, who) = (part.play, part.page, part.who);
            let answered = self.within.hear(&heard, &mut Part { play, page, who, notary: None });
            session.writer().write_all(&answered.bytes).map_err(|error| error.to_string())?;
            if answered.close {
                session.send_close_notify();
                said.close = true;
            }
            said.request = said.request.take().or(answered.request.map(|line| format!("{line} over TLS")));
        }
        while session.wants_write() {
            session.write_tls(&mut said.bytes).map_err(|error| error.to_string())?;
        }
        processed
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::protocol::Page;
    use super::*;
    use scenarios::trial::Play;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

    fn client(root: &str, name: &str, protocols: &[&[u8]]) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("a root")).expect("it is one");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("they are known");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        ClientConnection::new(Arc::new(config), name).expect("it begins")
    }

    /// Lets a client say something to somebody, and returns what it was answered, and what was told of its first request.
    fn asked(client: &mut ClientConnection, notary: &mut Notary, who: &str, says: &[u8]) -> (Vec<u8>, Option<String>) {
        let (mut talk, page) = (Talk::default(), Page::default());
        client.writer().write_all(says).expect("there is room");
        let (mut answer, mut first) = (Vec::new(), None);
        for _ in 0..8 {
            let mut out = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut out).expect("there is room");
            }
            let mut back = Vec::new();
            // However it arrives.
            for piece in out.chunks(100) {
                let mut part = Part { play: Play::Answer, page: &page, who, notary: Some(&mut *notary) };
                let said = talk.hear(piece, &mut part);
                first = first.or(said.request);
                back.extend(said.bytes);
            }
            let mut rest = back.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("there is room");
                // Its alert goes out above.
                let _distrusts = client.process_new_packets();
                let _no_more = client.reader().read_to_end(&mut answer);
            }
        }
        (answer, first)
    }

    fn notary() -> (Notary, String) {
        let keys = tls::new_root().expect("a root");
        let root = keys.root.clone();
        (Notary::new(keys), root)
    }

    #[test]
    fn whoever_is_meant_answers_with_a_certificate_of_the_trials_root() {
        let (mut notary, root) = notary();
        for (name, who) in
            [("config.internal", "config.internal"), ("api.example", "10.1.2.3"), ("10.1.2.3", "10.1.2.3")]
        {
            let mut client = client(&root, name, &[]);
            let (answer, first) = asked(&mut client, &mut notary, who, b"GET /settings HTTP/1.1\r\n\r\n");
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{name}: {}", String::from_utf8_lossy(&answer));
            assert_eq!(first.as_deref(), Some("GET /settings over TLS"));
        }
    }

    #[test]
    fn a_protocol_is_agreed_on_where_it_is_spoken_and_nobody_is_refused_for_another() {
        let (mut notary, root) = notary();
        let speaks = [("h2 http/1.1", Some("h2")), ("http/1.1", Some("http/1.1")), ("mqtt", None)];
        for (protocols, agreed) in speaks {
            let asked_for: Vec<&[u8]> = protocols.split(' ').map(str::as_bytes).collect();
            let mut client = client(&root, "db", &asked_for);
            asked(&mut client, &mut notary, "db", b"");
            assert!(!client.is_handshaking(), "{protocols}");
            assert_eq!(client.alpn_protocol(), agreed.map(str::as_bytes));
        }
    }

    #[test]
    fn a_client_that_does_not_believe_is_told_of() {
        let (mut notary, _) = notary();
        let (_, other) = self::notary();
        let mut client = client(&other, "db", &[]);
        let (answer, first) = asked(&mut client, &mut notary, "db", b"GET / HTTP/1.1\r\n\r\n");
        assert!(answer.is_empty());
        let first = first.expect("it is told");
        assert!(first.starts_with("TLS: ") && first.contains("alert"), "{first}");
    }

    #[test]
    fn what_only_looks_like_tls_is_closed() {
        let (mut notary, _) = notary();
        let page = Page::default();
        let mut part = Part { play: Play::Answer, page: &page, who: "db", notary: Some(&mut notary) };
        let said = Talk::default().hear(&[0x16, 0x03, 0x01, 0, 2, 9, 9, 0x16, 0x03, 0x01, 0, 2, 9, 9], &mut part);
        assert!(said.close && said.request.is_some_and(|line| line.starts_with("TLS: ")));
    }
}
