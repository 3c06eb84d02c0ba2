//! TLS of the data port: what the files say, checked once, and the handshake of a connection.

use std::{io, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::{
    options::ConfigurationError,
    stream::{Stream, Wire},
};

/// Most certificates of a chain or of authorities.
const MAX_CERTIFICATES: usize = 1024;
const NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];
const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// What TLS needs, each in PEM.
#[derive(Clone)]
pub struct TlsOptions {
    /// The server's certificate and those between it and its authority.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// Authorities of clients; with them a client must show a certificate.
    pub client_authorities: Option<Vec<u8>>,
    /// TLS 1.3 alone.
    pub newest_only: bool,
}

impl TlsOptions {
    /// The configuration of new connections.
    pub(crate) fn configuration(&self) -> Result<ServerConfig, ConfigurationError> {
        let wrong = |what: &str, why: String| ConfigurationError(format!("{what}: {why}"));
        let provider = Arc::new(ring::default_provider());
        let chain = certificates("the certificate", &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| wrong("the private key", "there is none in PEM, or it is encrypted".into()))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(if self.newest_only { NEWEST } else { BOTH })
            .map_err(|error| wrong("TLS", error.to_string()))?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates("the authorities of clients", pem)? {
                    roots.add(authority).map_err(|error| wrong("the authorities of clients", error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| wrong("the authorities of clients", error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut configuration =
            builder.with_single_cert(chain, key).map_err(|error| wrong("certificate and private key", error.to_string()))?;
        configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(configuration)
    }
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigurationError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(MAX_CERTIFICATES + 1).collect();
    match found {
        Ok(found) if found.is_empty() => Err(ConfigurationError(format!("{what}: there is none in PEM"))),
        Ok(found) if found.len() > MAX_CERTIFICATES => {
            Err(ConfigurationError(format!("{what}: there are more than {MAX_CERTIFICATES}")))
        }
        Ok(found) => Ok(found),
        Err(_) => Err(ConfigurationError(format!("{what}: it is not PEM"))),
    }
}

/// The stream behind a handshake.
pub(crate) async fn shake_hands(stream: TcpStream, configuration: Arc<ServerConfig>) -> io::Result<Stream> {
    let secured = TlsAcceptor::from(configuration).accept(Wire::new(stream)).await?;
    Ok(Stream::Tls(Box::new(secured)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pair_is_refused_without_telling_what_is_in_it() {
        let options = |certificate: &str, key: &str| TlsOptions {
            certificate: certificate.into(),
            key: key.into(),
            client_authorities: None,
            newest_only: false,
        };
        for (certificate, key) in
            [("", ""), ("s3cret", "s3cret"), ("-----BEGIN CERTIFICATE-----\n!!s3cret\n-----END CERTIFICATE-----\n", "")]
        {
            let refused = options(certificate, key).configuration().unwrap_err().to_string();
            assert!(refused.starts_with("the certificate: ") && !refused.contains("s3cret"), "{refused}");
        }
    }
}
