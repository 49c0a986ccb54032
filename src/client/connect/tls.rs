//! The connector of TLS. It is rustls with its ring provider, which is named explicitly so that no
//! other crate's choice matters.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::url::{TlsMode, TlsTarget};
use crate::error::{Error, Result};

/// Encrypts connections.
pub(crate) type Connector = MakeRustlsConnect;

/// Makes a connector that trusts the certificates that the mode allows.
pub(super) fn connector(target: &TlsTarget) -> Result<Connector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Error::configuration(error.to_string(), "report this: the versions of TLS are fixed")
        })?;
    let builder = match target.mode {
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Lenient { provider, roots: None })),
        TlsMode::VerifyCa => {
            let roots = Some(roots(target.root_file.as_deref())?);
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Lenient { provider, roots }))
        }
        TlsMode::VerifyFull => builder.with_root_certificates(roots(target.root_file.as_deref())?),
    };
    let config = match (&target.certificate_file, &target.key_file) {
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(certificates(certificate, "sslcert")?, private_key(key)?)
            .map_err(|error| {
                Error::configuration(
                    format!("sslcert and sslkey do not fit: {error}"),
                    "check both files",
                )
            })?,
        _ => builder.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Reads the authorities of a PEM file, or those of the machine.
fn roots(file: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        for certificate in certificates(file, "sslrootcert")? {
            roots.add(certificate).map_err(|error| {
                Error::configuration(
                    format!("sslrootcert has a certificate that cannot be used: {error}"),
                    "check the file",
                )
            })?;
        }
    } else {
        // a machine's store often has a few that cannot be parsed, which does not matter as long as
        // others can
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Error::configuration(
                "this machine has no store of certificate authorities",
                "install ca-certificates, or name a PEM file with sslrootcert=…",
            ));
        }
    }
    Ok(roots)
}

fn certificates(file: &Path, parameter: &str) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error: rustls::pki_types::pem::Error| {
        Error::configuration(
            format!("the file of {parameter} cannot be read: {}: {error}", file.display()),
            "name a readable PEM file",
        )
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(Error::configuration(
            format!("the file of {parameter} has no certificate: {}", file.display()),
            "name a PEM file with a BEGIN CERTIFICATE line",
        ));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| {
        Error::configuration(
            format!("the file of sslkey cannot be read: {}: {error}", file.display()),
            "name a readable PEM file with an unencrypted PRIVATE KEY",
        )
    })
}

/// Accepts every name, and without roots every certificate. The server must always prove that it
/// has the certificate's key. This is what libpq's `verify-ca` and `require` promise, and no more.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    roots: Option<RootCertStore>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        } else if end_entity.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_needed_where_nothing_is_verified() {
        for mode in [TlsMode::Disable, TlsMode::Prefer, TlsMode::Require] {
            assert!(connector(&TlsTarget { mode, ..TlsTarget::default() }).is_ok());
        }
    }

    #[test]
    fn a_missing_file_is_told_by_its_parameter() {
        let root_file = Some("/nowhere/ca.pem".into());
        let target = TlsTarget { mode: TlsMode::VerifyFull, root_file, ..TlsTarget::default() };
        let error = connector(&target).err().unwrap();
        assert!(error.to_string().contains("sslrootcert"), "{error}");
    }
}
