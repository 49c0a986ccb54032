//! Judges whether the schema is there, and has the version that this build needs.

use super::Finding;
use crate::schema;

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
            "it serves, since functions keep their signatures; bring this program up to date, and \
             do not migrate with it",
        ),
    }
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
