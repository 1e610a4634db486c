//! Owns sockets and TLS: who is let in, how many, and how long a head may take. Refuses to know what is answered.

use anyhow::{Context, Result};
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Connections at once: two hundred viewers, and as many who ask, several times over. Others wait in the kernel.
const CONNECTIONS_MAX: usize = 1024;
/// Who has not said what they want by then is let go.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// Reads a chain of certificates and its key, both PEM.
///
/// # Errors
/// Where they cannot be read, or do not belong together.
pub fn tls(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    shown(certificate, key).map(TlsAcceptor::from)
}

/// What a server shows that has this chain of certificates and its key, both PEM.
///
/// # Errors
/// Where they cannot be read, or do not belong together.
pub fn shown(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let told = |path: &Path| format!("{} cannot be read as PEM", path.display());
    let chain = CertificateDer::pem_file_iter(certificate).with_context(|| told(certificate))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().with_context(|| told(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| told(key))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(chain, key).context("certificate and key do not fit")?;
    Ok(Arc::new(config))
}

/// Lets people in for as long as it is polled.
pub async fn serve(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((mut socket, _)) = listener.accept().await else {
            // Out of descriptors, mostly: those who are there will leave.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        crate::live::tune(&mut socket);
        let (router, tls) = (router.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => answer(socket, router).await,
                Some(tls) => {
                    if let Ok(Ok(socket)) = tokio::time::timeout(HEAD_WITHIN, tls.accept(socket)).await {
                        answer(socket, router).await;
                    }
                }
            }
            drop(place);
        });
    }
}

async fn answer(socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, router: Router) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    // Whoever breaks off has what they wanted.
    let _gone = http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router)).await;
}
