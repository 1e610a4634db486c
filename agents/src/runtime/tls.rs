//! Owns keys, certificates and handshakes: a run's root, what the authority signs, what a process shows to others and
//! whom it believes. Refuses to decide when to renew, and what its end means; that is the machine's.
//!
//! TLS 1.3 alone, and every connection shows its certificates anew: a resumed session would go on trusting what has ended.
//! Who asks for a certificate shows none, and who believes a second root shows its own to those alone who take it.
//! Times are those of this host's clock, right or wrong ([`super::clock`]).

use super::clock;
use crate::commons::{Commons, Keys};
use crate::wire::Grant;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_rustls::rustls::CipherSuite;
use tokio_rustls::rustls::client::{ResolvesClientCert, Resumption};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, DistinguishedName as Subject, RootCertStore, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Nanoseconds of a second: times in certificates are whole seconds.
const SECOND_NS: i64 = 1_000_000_000;
/// The root's name.
const ROOT_NAME: &str = "blackstart region root";
/// For how many days a run's root is valid, and how long before it was made.
const ROOT_DAYS: i64 = 3_650;

/// Why something about certificates cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is no certificate or key, or cannot be made one.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses it.
    #[error("TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// It cannot be read.
    #[error("PEM: {0}")]
    Pem(#[from] PemError),
    /// The verifier of clients refuses the root.
    #[error("root: {0}")]
    Root(#[from] tokio_rustls::rustls::server::VerifierBuilderError),
    /// This machine connects to itself in vain.
    #[error("connection: {0}")]
    Connection(#[from] std::io::Error),
    /// There is no secret without it.
    #[error("this machine gives no randomness")]
    NoRandomness,
    /// The authority's key is missing.
    #[error("this process is no authority")]
    NoAuthority,
}

/// The parameters of a run's root; the same for whoever signs with it later.
fn root_params(name: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name.unwrap_or(ROOT_NAME));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A new secret, from which a key follows, in hexadecimal digits.
///
/// # Errors
/// Where the machine gives no randomness.
pub fn new_secret() -> Result<String, TlsError> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| TlsError::NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes a new root.
///
/// # Errors
/// Where the machine gives no randomness.
pub fn new_root() -> Result<Keys, TlsError> {
    root_called(None)
}

/// Makes a new root with a name of its own: servers say by their roots' names whose certificates they take.
///
/// # Errors
/// Where the machine gives no randomness.
pub fn new_root_of(region: &str) -> Result<Keys, TlsError> {
    root_called(Some(format!("blackstart root of {region}")))
}

fn root_called(name: Option<String>) -> Result<Keys, TlsError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = root_params(name.as_deref());
    let now = clock::true_wall_ns() / SECOND_NS;
    let day = 24 * 3_600;
    set_times(&mut params, now - day, now + ROOT_DAYS * day);
    let root = params.self_signed(&key)?.pem();
    Ok(Keys { name, root, root_key: Some(key.serialize_pem()) })
}

/// Sets from when to when a certificate is good, in seconds since 1970.
fn set_times(params: &mut CertificateParams, from: i64, until: i64) {
    let at = |second: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(second).unwrap_or_default());
    (params.not_before, params.not_after) = (at(from), at(until));
}

/// Somebody else's public key, as bytes.
struct Public<'a>(&'a [u8]);

impl PublicKeyData for Public<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// Signs a certificate: this public key has these names, for as long as the machine granted.
///
/// # Errors
/// Where the process is no authority, or a name is none.
pub fn sign(keys: &Keys, public_key: &[u8], names: &[String], grant: Grant) -> Result<String, TlsError> {
    let second = |shared_ns: i64| clock::wall_of_shared(shared_ns).div_euclid(SECOND_NS);
    signed(keys, &Public(public_key), names, (second(grant.from_ns), second(grant.until_ns)))
}

/// Makes a key and a certificate for it, good from a day ago for ten days: both as PEM, the certificate first.
///
/// # Errors
/// Where the process is no authority, or a name is none.
pub fn issue(keys: &Keys, names: &[String]) -> Result<(String, String), TlsError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let (now, day) = (clock::true_wall_ns() / SECOND_NS, 24 * 3_600);
    Ok((signed(keys, &key, names, (now - day, now + 10 * day))?, key.serialize_pem()))
}

fn signed(
    keys: &Keys,
    public_key: &impl PublicKeyData,
    names: &[String],
    (from, until): (i64, i64),
) -> Result<String, TlsError> {
    let root_key = KeyPair::from_pem(keys.root_key.as_deref().ok_or(TlsError::NoAuthority)?)?;
    let issuer = Issuer::new(root_params(keys.name.as_deref()), root_key);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("nobody", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    set_times(&mut params, from, until);
    Ok(params.signed_by(public_key, &issuer)?.pem())
}

/// What a process is to others, and whom it believes.
#[derive(Debug)]
pub struct Tls {
    holder: Arc<Holder>,
    /// Shows its certificate, or nothing where it has none.
    known: Arc<ClientConfig>,
    /// Shows nothing.
    unknown: Arc<ClientConfig>,
    /// Where it is asked over TLS itself.
    server: Option<Arc<ServerConfig>>,
}

/// A process's own key and certificate.
#[derive(Debug)]
struct Holder {
    key: KeyPair,
    current: RwLock<Option<Arc<CertifiedKey>>>,
    provider: Arc<CryptoProvider>,
    /// Names of the roots by which those are known who may see it; `None` shows it to everybody who asks.
    only_to: Option<Vec<Subject>>,
}

/// This host's clock, right or wrong.
#[derive(Debug)]
struct HostClock;

impl TimeProvider for HostClock {
    fn current_time(&self) -> Option<UnixTime> {
        let ns = u64::try_from(clock::wall_ns()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_nanos(ns)))
    }
}

impl Holder {
    fn shown(&self) -> Option<Arc<CertifiedKey>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn install(&self, pem: &str) -> Result<(), TlsError> {
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let certified = CertifiedKey::from_der(chain, key, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
        Ok(())
    }
}

impl ResolvesServerCert for Holder {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.shown()
    }
}

impl ResolvesClientCert for Holder {
    fn resolve(&self, takes: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let may_see = |own: &Vec<Subject>| own.iter().any(|root| takes.contains(&root.as_ref()));
        self.shown().filter(|_| self.only_to.as_ref().is_none_or(may_see))
    }

    fn has_certs(&self) -> bool {
        self.shown().is_some()
    }
}

impl Tls {
    /// What a process with this part in identities is; `None` where it has none.
    ///
    /// # Errors
    /// Where the root is no certificate.
    pub fn of(commons: &Commons) -> Result<Option<Self>, TlsError> {
        let Some(keys) = &commons.keys else { return Ok(None) };
        let abroad = commons.abroad.as_ref().and_then(|abroad| abroad.root.as_deref());
        Self::believing(&keys.root, abroad, !commons.proves.is_empty()).map(Some)
    }

    /// A process that believes these roots; `listens` where it is asked over TLS itself.
    ///
    /// # Errors
    /// Where one is no certificate.
    pub fn new(roots: &str, listens: bool) -> Result<Self, TlsError> {
        Self::believing(roots, None, listens)
    }

    /// The same, who believes more roots where it asks: never where it is asked.
    ///
    /// # Errors
    /// Where one is no certificate.
    pub fn believing(roots: &str, abroad: Option<&str>, listens: bool) -> Result<Self, TlsError> {
        let mut provider = tokio_rustls::rustls::crypto::ring::default_provider();
        // The cheapest first that everybody knows: the witness opens a connection for each look.
        provider.cipher_suites.sort_by_key(|known| known.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let provider = Arc::new(provider);
        let asked = Arc::new(store(&[roots, abroad.unwrap_or_default()])?);
        let roots = Arc::new(store(&[roots])?);
        let only_to = abroad.map(|_| roots.subjects());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let holder = Arc::new(Holder { key, current: RwLock::default(), provider: Arc::clone(&provider), only_to });
        let client = || {
            let builder = ClientConfig::builder_with_details(Arc::clone(&provider), Arc::new(HostClock));
            Ok::<_, TlsError>(
                builder
                    .with_protocol_versions(&[&tokio_rustls::rustls::version::TLS13])?
                    .with_root_certificates(Arc::clone(&asked)),
            )
        };
        let connector = |mut config: ClientConfig| {
            config.resumption = Resumption::disabled();
            Arc::new(config)
        };
        let known = connector(client()?.with_client_cert_resolver(Arc::clone(&holder) as Arc<dyn ResolvesClientCert>));
        let unknown = connector(client()?.with_no_client_auth());
        let server = if listens {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
            // Customers and the witness show nothing.
            let verifier = verifier.allow_unauthenticated().build()?;
            let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(HostClock));
            let builder = builder.with_protocol_versions(&[&tokio_rustls::rustls::version::TLS13])?;
            let resolver = Arc::clone(&holder) as Arc<dyn ResolvesServerCert>;
            let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
            config.send_tls13_tickets = 0;
            Some(Arc::new(config))
        } else {
            None
        };
        Ok(Self { holder, known, unknown, server })
    }

    /// Its public key, for whoever signs its certificate.
    pub fn public_key(&self) -> &[u8] {
        self.holder.key.public_key_raw()
    }

    /// Takes a certificate for its key, and shows it from now on.
    ///
    /// # Errors
    /// Where it is none, or is for another key.
    pub fn install(&self, pem: &str) -> Result<(), TlsError> {
        self.holder.install(pem)
    }

    /// What opens connections.
    pub(super) fn connector(&self, shows: bool) -> TlsConnector {
        Arc::clone(if shows { &self.known } else { &self.unknown }).into()
    }

    /// What takes connections, where it is asked over TLS.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.server.clone().map(TlsAcceptor::from)
    }
}

/// The roots of some PEM texts, each of one or more.
fn store(texts: &[&str]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for text in texts {
        for root in CertificateDer::pem_slice_iter(text.as_bytes()) {
            roots.add(root?)?;
        }
    }
    if roots.is_empty() {
        return Err(PemError::NoItemsFound.into());
    }
    Ok(roots)
}

/// Whether the other end of a connection has shown who it is.
pub(super) fn is_proven(stream: &tokio_rustls::server::TlsStream<tokio::net::TcpStream>) -> bool {
    stream.get_ref().1.peer_certificates().is_some_and(|shown| !shown.is_empty())
}

/// A name that a server must prove to have.
pub(super) fn server_name(name: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).ok()
}

/// Whether a connection failed because one side did not believe the other.
pub(super) fn is_distrust(error: &std::io::Error) -> bool {
    use tokio_rustls::rustls::{AlertDescription as Alert, Error};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => true,
        Some(Error::AlertReceived(alert)) => matches!(
            alert,
            Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::UnsupportedCertificate
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::HandshakeFailure
        ),
        _ => false,
    }
}
