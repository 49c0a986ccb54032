//! Crates that must not come in, whoever depends on them.

use super::tree::{Finding, Tree};

/// The crate, and why not.
const FORBIDDEN: &[(&[&str], &str)] = &[
    (
        &[
            "openssl",
            "openssl-sys",
            "native-tls",
            "tokio-native-tls",
            "postgres-openssl",
            "postgres-native-tls",
        ],
        "TLS is rustls, so that a build needs no C library",
    ),
    (
        &["aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys"],
        "the cryptography is ring, which builds without cmake",
    ),
    (&["chrono", "chrono-tz"], "time is jiff, or the database's"),
    (
        &["sqlx", "sqlx-core", "sqlx-postgres"],
        "the driver is tokio-postgres: one round trip, and right behind a pooler",
    ),
    (&["figment"], "nobody tends it; settings are read by toml and serde"),
    (&["governor"], "its limits hold for one process; ours are the database's"),
    (&["standardwebhooks"], "nobody tends it; a signature is a few lines of hmac"),
];

/// Forbidden crates in the lock file of the workspace.
pub(super) fn forbidden(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| file.path == "Cargo.lock") {
        for (number, line) in file.text.lines().enumerate() {
            let name = line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'));
            let why = FORBIDDEN
                .iter()
                .find_map(|(names, why)| name.filter(|name| names.contains(name)).zip(Some(*why)));
            found.extend(
                why.map(|(name, why)| file.finding(number + 1, format!("crate `{name}`: {why}"))),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    #[test]
    fn a_forbidden_crate_is_found() {
        let text = "[[package]]\nname = \"chrono\"\nversion = \"0.4.0\"\n\n[[package]]\nname = \"chronology\"\ndependencies = [\n \"chrono\",\n]\n";
        let lines: Vec<usize> =
            found(forbidden, "Cargo.lock", text).iter().map(|f| f.line).collect();
        assert_eq!(lines, [2]);
    }

    #[test]
    fn every_crate_that_was_decided_against_is_found() {
        for name in [
            "sqlx",
            "figment",
            "governor",
            "standardwebhooks",
            "chrono",
            "openssl",
            "aws-lc-rs",
            "aws-lc-sys",
            "native-tls",
        ] {
            let text = format!("[[package]]\nname = \"{name}\"\n");
            assert_eq!(found(forbidden, "Cargo.lock", &text).len(), 1, "{name}");
        }
        // it looks for certificates and links nothing
        assert!(found(forbidden, "Cargo.lock", "name = \"openssl-probe\"\n").is_empty());
    }
}
