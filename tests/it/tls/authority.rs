//! A certificate authority for one test, and the files that its clients are told of.

use std::{env, fs, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use uuid::Uuid;

/// When a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub(super) enum Validity {
    Past,
    Now,
    Future,
}

/// A certificate and its key, as PEM.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Signs certificates.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = params(&[], name, Validity::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let certificate = issuer.pem();
        Self { issuer, certificate }
    }

    /// Its own certificate.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// For a server of these names.
    pub(super) fn server(&self, names: &[&str], validity: Validity) -> Identity {
        let mut params = params(names, "a server", validity);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// For a client that logs in as somebody.
    pub(super) fn client(&self, login: &str, validity: Validity) -> Identity {
        let mut params = params(&[], login, validity);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}

fn params(names: &[&str], common_name: &str, validity: Validity) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    let (from, to) = match validity {
        Validity::Past => (2001, 2002),
        Validity::Now => (2001, 2200),
        Validity::Future => (2199, 2200),
    };
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    params
}

/// A folder of files that goes with the test.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn new() -> Self {
        let folder = env::temp_dir().join(format!("fc-tls-{}", Uuid::new_v4().simple()));
        fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }

    /// Writes a file and answers its path.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
