//! Reads the connection URL. The driver reads most of it. The parameters of TLS are taken out
//! first, since the driver knows only three of libpq's six modes and none of its certificate files.
//!
//! No error here quotes the URL, since it holds a password.

use std::path::PathBuf;

use tokio_postgres::{Config, config::SslMode};

use crate::error::{Error, Result};

/// What a connection URL asks for.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) tls: TlsTarget,
}

/// What it asks for about TLS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TlsTarget {
    pub(super) mode: TlsMode,
    /// A PEM file of the authorities to trust. Without it those of the machine are trusted.
    pub(super) root_file: Option<PathBuf>,
    /// PEM files of the client's own certificate and key.
    pub(super) certificate_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
}

/// libpq's `sslmode`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// Nothing is encrypted.
    Disable,
    /// The connection is encrypted if the server can do it. Its certificate is not checked.
    #[default]
    Prefer,
    /// The connection is encrypted. The server's certificate is not checked.
    Require,
    /// The connection is encrypted, and a trusted authority has signed the server's certificate.
    VerifyCa,
    /// In addition, the certificate names the host.
    VerifyFull,
}

impl TlsMode {
    /// Gives the driver's mode. The driver need not know what is trusted, since the connector
    /// decides that.
    pub(super) fn driver(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

/// Reads `postgres://…`, `postgresql://…` or `key=value …`.
pub(super) fn parse(text: &str) -> Result<Target> {
    let text = text.trim();
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if !is_url && text.contains("://") {
        return Err(malformed());
    }
    let (rest, own) = if is_url { split_url(text)? } else { split_pairs(text)? };
    let tls = tls_target(own)?;
    let config = rest.parse::<Config>().map_err(|error| driver_error(&error))?;
    Ok(Target { config, tls })
}

/// The parameters that are read here and not by the driver.
const OWN: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "gssencmode", "sslsni", "sslcompression"];

type Own = Vec<(String, String)>;

/// Takes our parameters out of a URL's query. As for the driver, the first `@` ends the
/// credentials. An `@` in a parameter would turn all that stands before it into credentials, the
/// host and `sslmode` among them, and what follows into the host. So that is refused.
fn split_url(url: &str) -> Result<(String, Own)> {
    let query_from = url.find('@').unwrap_or(0);
    if url[..query_from].split_once('?').is_some_and(|(_, query)| query.contains('=')) {
        return Err(Error::configuration(
            "the connection URL has an @ behind a ?, so that it is unclear where the host stands",
            "write @ as %40 in a parameter, and ? as %3F in a password",
        ));
    }
    let after = url.get(query_from + 1..).unwrap_or_default();
    if after.split('?').next().is_some_and(|rest| rest.contains('@')) {
        return Err(Error::configuration(
            "the connection URL has an @ in its user or password, so that it is unclear where the \
             host begins",
            "write special characters of a password as %XX: @ as %40, : as %3A, / as %2F, % as %25",
        ));
    }
    let Some(question) = url[query_from..].find('?').map(|at| query_from + at) else {
        return Ok((url.to_owned(), Vec::new()));
    };
    let (mut kept, mut own) = (Vec::new(), Vec::new());
    for pair in url[question + 1..].split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(malformed)?;
        let key = percent_decode(key)?;
        if OWN.contains(&key.as_str()) {
            own.push((key, percent_decode(value)?));
        } else {
            kept.push(pair);
        }
    }
    let base = &url[..question];
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Ok((rest, own))
}

/// Takes our parameters out of libpq's key-value text.
fn split_pairs(text: &str) -> Result<(String, Own)> {
    let (mut kept, mut own, mut rest) = (String::new(), Vec::new(), text);
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(malformed)?;
        let after = after.trim_start();
        let (value, length) = pair_value(after)?;
        let key = key.trim();
        if OWN.contains(&key) {
            own.push((key.to_owned(), value));
        } else {
            kept.extend([key, "=", &after[..length], " "]);
        }
        rest = after[length..].trim_start();
    }
    Ok((kept, own))
}

/// Reads the value at the head of a text, bare or in single quotes, with backslash escapes. Says
/// how long it is as written.
fn pair_value(text: &str) -> Result<(String, usize)> {
    let quoted = text.starts_with('\'');
    let (mut value, mut escaped) = (String::new(), false);
    for (at, character) in text.char_indices().skip(usize::from(quoted)) {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '\'' if quoted => return Ok((value, at + 1)),
            _ if !quoted && character.is_whitespace() => return Ok((value, at)),
            _ => value.push(character),
        }
    }
    if quoted || escaped { Err(malformed()) } else { Ok((value, text.len())) }
}

fn tls_target(own: Own) -> Result<TlsTarget> {
    let mut tls = TlsTarget::default();
    let mut mode = None;
    for (key, value) in own {
        match key.as_str() {
            "sslmode" => mode = Some(tls_mode(&value)?),
            "sslrootcert" => tls.root_file = Some(value.into()),
            "sslcert" => tls.certificate_file = Some(value.into()),
            "sslkey" => tls.key_file = Some(value.into()),
            "gssencmode" if value == "require" => {
                return Err(Error::configuration(
                    "gssencmode=require is not supported",
                    "leave it out, or use sslmode",
                ));
            }
            // the others only switch off what is never used here
            _ => {}
        }
    }
    // `system` is libpq's word for the machine's own authorities, and asks for full verification
    if tls.root_file.as_ref().is_some_and(|file| file.as_os_str() == "system") {
        tls.root_file = None;
        if mode.is_some_and(|mode| mode != TlsMode::VerifyFull) {
            return Err(Error::configuration(
                "sslrootcert=system needs sslmode=verify-full",
                "use verify-full: a weaker mode would accept every server that a public authority \
                 has signed",
            ));
        }
        mode = Some(TlsMode::VerifyFull);
    }
    tls.mode = mode.unwrap_or_default();
    // as in libpq, `require` with a file of authorities verifies against it
    if tls.mode == TlsMode::Require && tls.root_file.is_some() {
        tls.mode = TlsMode::VerifyCa;
    }
    if tls.certificate_file.is_some() != tls.key_file.is_some() {
        return Err(Error::configuration(
            "sslcert and sslkey belong together",
            "give both or neither",
        ));
    }
    Ok(tls)
}

fn tls_mode(word: &str) -> Result<TlsMode> {
    Ok(match word {
        "disable" => TlsMode::Disable,
        "allow" | "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        _ => {
            return Err(Error::configuration(
                "sslmode is none of the modes of libpq",
                "use disable, prefer, require, verify-ca or verify-full",
            ));
        }
    })
}

fn percent_decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = tail
                .get(..2)
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .ok_or_else(malformed)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| malformed())?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn malformed() -> Error {
    Error::configuration(
        "the connection URL cannot be read",
        "write postgres://user:password@host:5432/database?sslmode=verify-full, with special \
         characters as %XX",
    )
}

/// Explains the driver's error if it names a parameter that is unknown or has a wrong value. Its
/// other messages may quote the URL.
fn driver_error(error: &tokio_postgres::Error) -> Error {
    match std::error::Error::source(error).map(ToString::to_string) {
        Some(cause)
            if cause.starts_with("unknown option `")
                || cause.starts_with("invalid value for option `") =>
        {
            Error::configuration(
                format!("the connection URL has an {}", cause.replace("option", "parameter")),
                "leave it out or correct it; the parameters are those of libpq",
            )
        }
        _ => malformed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> TlsMode {
        parse(text).unwrap().tls.mode
    }

    fn refusal(text: &str) -> String {
        let message = parse(text).unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
        message
    }

    #[test]
    fn every_mode_of_libpq_is_understood() {
        assert_eq!(mode("postgres://a@h/d"), TlsMode::Prefer);
        for (word, expected) in [
            ("disable", TlsMode::Disable),
            ("allow", TlsMode::Prefer),
            ("require", TlsMode::Require),
            ("verify-ca", TlsMode::VerifyCa),
            ("verify-full", TlsMode::VerifyFull),
        ] {
            assert_eq!(mode(&format!("postgresql://a:b@h/d?sslmode={word}")), expected);
            assert_eq!(mode(&format!("host=h user=a sslmode = {word} dbname=d")), expected);
        }
        assert!(refusal("postgres://a:secret@h/d?sslmode=full").contains("sslmode"));
    }

    #[test]
    fn the_rest_of_the_url_reaches_the_driver() {
        let target = parse("postgres://a:p%40ss@h:6543/d?sslmode=verify-full&sslrootcert=%2Fca%20s.pem&options=-c%20x%3D1").unwrap();
        assert_eq!(target.config.get_user(), Some("a"));
        assert_eq!(target.config.get_password(), Some("p@ss".as_bytes()));
        assert_eq!(target.config.get_ports(), [6543]);
        assert_eq!(target.config.get_options(), Some("-c x=1"));
        assert_eq!(target.tls.root_file, Some("/ca s.pem".into()));
    }

    #[test]
    fn a_question_mark_in_a_password_is_no_query() {
        let target = parse("postgres://a:se?cret@h/d?sslmode=require").unwrap();
        assert_eq!(target.config.get_password(), Some("se?cret".as_bytes()));
        assert_eq!(target.tls.mode, TlsMode::Require);
    }

    #[test]
    fn an_at_sign_in_a_parameter_does_not_make_it_the_host() {
        let written = |at: &str| {
            format!("postgres://db.internal/app?sslmode=verify-full&user=me{at}127.0.0.1")
        };
        assert!(refusal(&written("@")).contains("an @ behind a ?"));
        let target = parse(&written("%40")).unwrap();
        assert_eq!(target.config.get_user(), Some("me@127.0.0.1"));
        assert_eq!(target.tls.mode, TlsMode::VerifyFull);
        let both = parse("postgres://me@db.internal/app?application_name=a@b&sslmode=verify-full");
        assert_eq!(both.unwrap().config.get_application_name(), Some("a@b"));
    }

    #[test]
    fn key_value_text_keeps_its_quotes() {
        let target =
            parse(r"host='h' password='it\'s x' sslrootcert='/a b' user=me sslmode=verify-ca")
                .unwrap();
        assert_eq!(target.config.get_password(), Some("it's x".as_bytes()));
        assert_eq!(target.config.get_user(), Some("me"));
        assert_eq!(target.tls.root_file, Some("/a b".into()));
        assert!(refusal("host=h password='secret").contains("cannot be read"));
    }

    #[test]
    fn certificates_strengthen_the_mode_as_in_libpq() {
        assert_eq!(mode("postgres://a@h/d?sslmode=require&sslrootcert=/ca"), TlsMode::VerifyCa);
        assert_eq!(mode("postgres://a@h/d?sslrootcert=system"), TlsMode::VerifyFull);
        assert!(
            refusal("postgres://a@h/d?sslrootcert=system&sslmode=require").contains("verify-full")
        );
        assert!(refusal("postgres://a@h/d?sslcert=/c").contains("sslkey"));
    }

    #[test]
    fn errors_name_the_parameter_and_never_the_password() {
        assert!(
            refusal("postgres://a:secret@h/d?pgbouncer=true")
                .contains("unknown parameter `pgbouncer`")
        );
        assert!(
            refusal("postgres://a:secret@h:port/d").contains("invalid value for parameter `port`")
        );
        assert!(refusal("mysql://a:secret@h/d").contains("cannot be read"));
        assert!(refusal("secret").contains("cannot be read"));
        assert!(refusal("postgres://a:secret@h/d?sslmode").contains("cannot be read"));
    }
}
