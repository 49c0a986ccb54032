//! What the files of `sql/` say of themselves: the numbers of migrations, the names and bodies of
//! functions, and the checksums of both.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::files::{FUNCTIONS, MIGRATIONS, SqlFile};

/// Gives the version of the schema that this build installs and needs.
pub fn version() -> i32 {
    migrations().map(|migration| migration.version).max().unwrap_or(0)
}

/// One numbered file of tables.
pub(super) struct Migration {
    pub(super) version: i32,
    pub(super) name: &'static str,
    pub(super) file: &'static SqlFile,
}

/// Lists the migrations in their order.
pub(super) fn migrations() -> impl Iterator<Item = Migration> {
    MIGRATIONS.iter().filter_map(|file| {
        let (number, name) = file.path.rsplit('/').next()?.strip_suffix(".sql")?.split_once('_')?;
        Some(Migration { version: number.parse().ok()?, name, file })
    })
}

/// Lists number, name and checksum of every migration that this build has.
pub(super) fn checksums() -> impl Iterator<Item = (i32, &'static str, String)> {
    migrations().map(|migration| (migration.version, migration.name, checksum(migration.file.text)))
}

/// Lists name and body of every function that this build installs. The body is what the server
/// keeps of the text.
pub(crate) fn bodies() -> impl Iterator<Item = (&'static str, &'static str)> {
    FUNCTIONS.iter().filter_map(|file| {
        let name = file.path.rsplit('/').next()?.strip_suffix(".sql")?;
        let (_, rest) = file.text.split_once("as $$")?;
        Some((name, rest.rsplit_once("$$")?.0))
    })
}

/// Computes the checksum that is recorded beside a migration or a function, so that an edited one
/// is noticed.
pub(super) fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_body_to_compare() {
        assert_eq!(bodies().count(), FUNCTIONS.len());
    }

    #[test]
    fn every_migration_has_its_own_version() {
        let versions: Vec<i32> = migrations().map(|migration| migration.version).collect();
        assert_eq!(versions.len(), MIGRATIONS.len());
        assert_eq!(versions, (1..=version()).collect::<Vec<_>>());
    }

    #[test]
    fn a_checksum_is_sha_256_in_hex() {
        assert_eq!(
            checksum(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
