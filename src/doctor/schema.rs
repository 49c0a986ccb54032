//! The schema: its version, its migrations, its functions.

use tokio_postgres::Row;

use super::{Check, Finding, finding::some};
use crate::{error::Result, schema, statements::doctor::MIGRATIONS};

pub(super) const CHECKS: &[Check] =
    &[Check { about: "migrations", statement: &MIGRATIONS, judge: checksums }];

pub(super) fn missing() -> Finding {
    Finding::error(
        "schema",
        "there is no schema fairclaim in this database",
        "run `fairclaim migrate` as a login with CREATEROLE and CREATE on the database",
    )
}

pub(super) fn version(found: i32) -> Finding {
    let known = schema::version();
    let seen = format!("the schema has version {found}, this build knows {known}");
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Finding::ok("schema", format!("version {found}")),
        std::cmp::Ordering::Less => Finding::error(
            "schema",
            seen,
            "run `fairclaim migrate`; workers of this build do not start before",
        ),
        std::cmp::Ordering::Greater => Finding::warning(
            "schema",
            seen,
            "it serves, since functions keep their signatures; bring this program up to date, and do not migrate with it",
        ),
    }
}

/// A migration of another text means another build, or an edited file: what is in the tables is then anybody's guess.
fn checksums(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut other = Vec::new();
    for (version, name, sum) in schema::checksums() {
        for row in rows {
            if row.try_get::<_, i32>("version")? == version
                && row.try_get::<_, &str>("checksum")? != sum
            {
                other.push(format!("{version} ({name})"));
            }
        }
    }
    Ok(vec![if other.is_empty() {
        Finding::ok("checksum", "every migration is the one of this build")
    } else {
        Finding::error(
            "checksum",
            format!("migrations of another text than this build's: {}", some(&other)),
            "use the build that migrated this database, or a newer one; a migration never changes once it is released",
        )
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn an_older_schema_is_an_error_and_a_newer_one_serves() {
        let known = schema::version();
        let levels = [known - 1, known, known + 1].map(|found| version(found).level);
        assert_eq!(levels, [Level::Error, Level::Ok, Level::Warning]);
    }
}
