//! Explains a failed TLS handshake to the person who wrote the connection URL.

use std::{error::Error as StdError, io};

use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::Error;

/// Finds the error of TLS below an error of the driver, if TLS is what went wrong.
pub(super) fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TlsError> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(found);
        }
        // an I/O error does not give what it was made of as its source
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inside.and_then(|inside| inside.downcast_ref::<TlsError>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Says what happened and what to do, if it is a matter of certificates and versions. A cut
/// connection is not.
pub(super) fn explain(error: &TlsError) -> Option<Error> {
    match error {
        TlsError::InvalidCertificate(reason) => Some(distrust(reason)),
        TlsError::AlertReceived(alert) => Some(alarm(*alert)),
        TlsError::PeerIncompatible(_) => Some(nothing_in_common()),
        TlsError::InvalidMessage(_) => Some(Error::configuration(
            "what answers there does not speak TLS",
            "check host and port of the connection URL",
        )),
        _ => None,
    }
}

fn distrust(reason: &CertificateError) -> Error {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Error::configuration(
                "the server's certificate has expired",
                "have it renewed; if it should be valid still, check the clock of this machine",
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Error::configuration(
                "the server's certificate is not valid yet",
                "check the clock of this machine, and the certificate's dates",
            )
        }
        CertificateError::NotValidForName => Error::configuration(
            "the server's certificate is for another name than the host of the connection URL",
            OTHER_NAME,
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            Error::configuration(
                format!(
                    "the server's certificate is not for {}, but for {names}",
                    expected.to_str()
                ),
                OTHER_NAME,
            )
        }
        CertificateError::UnknownIssuer => Error::configuration(
            "no authority that is trusted here has signed the server's certificate",
            "name the PEM file of the server's authority: sslrootcert=/path/to/root.crt; without \
             it the machine's own \
             authorities are trusted",
        ),
        other => Error::configuration(
            format!("the server's certificate is refused: {other}"),
            "have the server given a certificate that an authority has signed for its host name",
        ),
    }
}

const OTHER_NAME: &str = "connect by a name that the certificate has, or accept any name that the \
                          authority has signed: \
                          sslmode=verify-ca";

/// Takes the name out of `DnsName("db.example")` and `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> &str {
    let inside = name.split_once('(').map_or(name, |(_, inside)| inside);
    inside.trim_end_matches(')').trim_matches('"')
}

/// Explains an alert with which the server ended the handshake.
fn alarm(alert: AlertDescription) -> Error {
    use AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity => {
            nothing_in_common()
        }
        Alert::CertificateRequired => Error::configuration(
            "the server wants a certificate of the client",
            "give both: sslcert=/path/to/client.crt and sslkey=/path/to/client.key",
        ),
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::DecryptError
        | Alert::AccessDenied => Error::configuration(
            format!("the server refuses the client's certificate ({alert:?})"),
            "check sslcert: an authority of the server's ssl_ca_file has to have signed it, and \
             it must not have expired",
        ),
        other => Error::configuration(
            format!("the server ended the TLS handshake ({other:?})"),
            "see the server's log",
        ),
    }
}

fn nothing_in_common() -> Error {
    Error::configuration(
        "the server and this program have no version or cipher of TLS in common",
        "let the server use TLS 1.2 or newer (ssl_min_protocol_version, ssl_ciphers)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: &TlsError) -> (String, String) {
        let error = explain(error).expect("it is about certificates");
        (error.to_string(), error.hint().expect("a hint").to_owned())
    }

    #[test]
    fn names_are_shown_as_people_write_them() {
        assert_eq!(bare("DnsName(\"db.example\")"), "db.example");
        assert_eq!(bare("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(bare("odd"), "odd");
    }

    #[test]
    fn each_refusal_says_what_is_wrong_and_what_to_do() {
        let (said, hint) = text(&TlsError::InvalidCertificate(CertificateError::NotValidYet));
        assert!(said.contains("not valid yet") && hint.contains("clock"), "{said} {hint}");
        let (said, hint) = text(&TlsError::AlertReceived(AlertDescription::ProtocolVersion));
        assert!(said.contains("no version") && hint.contains("TLS 1.2"), "{said} {hint}");
        let (said, hint) = text(&TlsError::AlertReceived(AlertDescription::CertificateExpired));
        assert!(said.contains("client's certificate") && hint.contains("sslcert"), "{said} {hint}");
        assert!(explain(&TlsError::HandshakeNotComplete).is_none());
    }

    #[test]
    fn an_error_is_found_below_the_drivers_and_inside_one_of_io() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let inside = TlsError::InvalidCertificate(CertificateError::Expired);
        let outer = Outer(io::Error::new(io::ErrorKind::InvalidData, inside.clone()));
        assert_eq!(cause(&outer), Some(&inside));
        assert_eq!(cause(&Outer(io::ErrorKind::ConnectionReset.into())), None);
    }
}
