//! Crates that must not come in, whoever depends on them.

use super::tree::{Finding, Tree};

/// The crate, and why not.
const FORBIDDEN: &[(&str, &str)] = &[
    ("openssl", "TLS is rustls, so that a build needs no C library"),
    ("openssl-sys", "TLS is rustls, so that a build needs no C library"),
    ("native-tls", "TLS is rustls, so that a build needs no C library"),
    ("aws-lc-rs", "the cryptography is ring, which builds without cmake"),
    ("aws-lc-sys", "the cryptography is ring, which builds without cmake"),
    ("chrono", "time is jiff, or the database's"),
    ("sqlx", "the driver is tokio-postgres: one round trip, and right behind a pooler"),
    ("sqlx-core", "the driver is tokio-postgres: one round trip, and right behind a pooler"),
];

/// Forbidden crates in the lock file of the workspace.
pub(super) fn forbidden(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| file.path == "Cargo.lock") {
        for (number, line) in file.text.lines().enumerate() {
            let name = line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'));
            let why = FORBIDDEN.iter().find(|(crate_name, _)| name == Some(crate_name));
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
}
