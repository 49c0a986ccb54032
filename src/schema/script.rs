//! Writes the script of a migration: one transaction of plain SQL without commands of psql, so that
//! `psql -f`, a folder of migrations and [`Client::migrate`](crate::Client::migrate) all do the
//! same.

use std::fmt::Write;

use super::{
    MigrateOptions, build,
    files::{ACCESS, BOOTSTRAP, FUNCTIONS, ROLES, SqlFile, VIEWS},
    parts::{Migration, checksum, migrations, version},
};

/// Writes the script that installs or updates the schema.
///
/// A second run changes nothing. It refuses a database that a newer build has migrated.
pub fn script(options: &MigrateOptions) -> String {
    let mut text = format!(
        "-- fairclaim: installs or updates the schema `fairclaim` to version {}. Run it as often \
         as you like,\n\
         -- as a login with CREATEROLE and CREATE on the database. One transaction.\n\nbegin;\n\n",
        version()
    );
    file(&mut text, &ROLES);
    file(&mut text, &BOOTSTRAP);
    guard(&mut text);
    for migration in migrations() {
        migration.write(&mut text);
    }
    for part in [FUNCTIONS, VIEWS, ACCESS].into_iter().flatten() {
        file(&mut text, part);
    }
    text.push_str(&build::statement());
    text.push_str(REPORT);
    text.push_str("\nreset role;\n");
    if options.grant_self {
        text.push_str(GRANT_SELF);
    }
    text.push_str("\ncommit;\n");
    text
}

impl Migration {
    /// Executes the file if the database does not have it, and records it.
    fn write(&self, text: &mut String) {
        let Self { version, name, file } = self;
        let (body, sum) = (tag(file.text, "sql"), checksum(file.text));
        let block = format!(
            "declare\n  v_sum text := (select m.checksum from fairclaim_internal.migration m \
             where m.version = {version});\nbegin\n  \
             if v_sum is null then\n    execute {body}\n{sql}{body};\n    \
             insert into fairclaim_internal.migration (version, name, checksum) values \
             ({version}, '{name}', '{sum}');\n    \
             perform pg_catalog.set_config('fairclaim.applied', \
             pg_catalog.current_setting('fairclaim.applied') || '{name},', true);\n  \
             elsif v_sum <> '{sum}' then\n    \
             raise exception 'migration {version} ({name}) in this database is not the one of \
             this build'\n      \
             using errcode = 'JQ006', detail = '{{\"field\": \"schema\"}}', hint = 'use the build \
             that migrated it, or a newer one; migrations never change';\n  \
             end if;\nend\n",
            sql = ended(file.text),
        );
        let outer = tag(&block, "migration");
        let _ = write!(text, "-- {}\ndo {outer}\n{block}{outer};\n\n", file.path);
    }
}

fn file(text: &mut String, file: &SqlFile) {
    let _ = write!(text, "-- {}\n{}\n", file.path, ended(file.text));
}

/// Ends a text with one line end, whether its file has one or not.
fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

/// Refuses a database that knows more than this build, before anything is replaced by something
/// older.
fn guard(text: &mut String) {
    let known = version();
    let _ = write!(
        text,
        "do $guard$\ndeclare\n  \
         v_found int := (select coalesce(pg_catalog.max(m.version), 0) from \
         fairclaim_internal.migration m);\nbegin\n  \
         if v_found > {known} then\n    \
         raise exception 'the database has schema version %, this build knows {known}', \
         v_found\n      \
         using errcode = 'JQ006', detail = '{{\"field\": \"schema\"}}', hint = 'use a build of \
         fairclaim as new as the one that migrated the database';\n  \
         end if;\n  perform pg_catalog.set_config('fairclaim.migrated_from', v_found::text, \
         true),\n          \
         pg_catalog.set_config('fairclaim.applied', '', true);\nend\n$guard$;\n\n"
    );
}

/// The query at the end, which tells what the script did.
const REPORT: &str = "select pg_catalog.current_setting('fairclaim.migrated_from') as from_version,
       (select pg_catalog.max(m.version) from fairclaim_internal.migration m) as to_version,
       pg_catalog.current_setting('fairclaim.applied') as applied;
";

/// The roles of an installer that grants them to itself.
pub(crate) const SELF_ROLES: [&str; 4] =
    ["fairclaim_worker", "fairclaim_producer", "fairclaim_operator", "fairclaim_auditor"];

const GRANT_SELF: &str = "
-- one login for everything: for trying out
do $grant$
declare
  v_role text;
begin
  foreach v_role in array array['fairclaim_worker', 'fairclaim_producer', 'fairclaim_operator', 'fairclaim_auditor'] loop
    if not pg_catalog.pg_has_role(current_user, v_role, 'USAGE') then
      execute pg_catalog.format('grant %I to %I', v_role, current_user);
    end if;
  end loop;
exception
  when insufficient_privilege then
    raise exception '% may not grant itself the roles of fairclaim', current_user using errcode = 'JQ007',
      detail = '{\"field\": \"role\"}', hint = pg_catalog.format('as an administrator: grant fairclaim_worker, fairclaim_producer, fairclaim_operator, fairclaim_auditor to %I', current_user);
end
$grant$;
";

/// Finds a dollar quote that the text cannot end.
fn tag(text: &str, word: &str) -> String {
    let mut tag = format!("${word}$");
    let mut number = 0_u32;
    while text.contains(&tag) {
        number += 1;
        tag = format!("${word}_{number}$");
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::files::MIGRATIONS;

    #[test]
    fn the_script_is_one_transaction_without_psql_commands() {
        let text = script(&MigrateOptions::default());
        let statements: Vec<&str> = text.lines().collect();
        assert_eq!(statements.iter().filter(|line| **line == "begin;").count(), 1);
        assert_eq!(statements.iter().filter(|line| **line == "commit;").count(), 1);
        assert_eq!(statements.last(), Some(&"commit;"));
        assert!(!statements.iter().any(|line| line.starts_with('\\')));
    }

    #[test]
    fn every_file_is_in_the_script_in_order() {
        let text = script(&MigrateOptions::default());
        let mut from = 0;
        for file in
            [&[ROLES, BOOTSTRAP], MIGRATIONS, FUNCTIONS, VIEWS, ACCESS].into_iter().flatten()
        {
            let at =
                text[from..].find(file.text.trim_end()).unwrap_or_else(|| panic!("{}", file.path));
            from += at;
        }
    }

    #[test]
    fn roles_are_granted_to_the_installer_only_on_request() {
        let list = format!("array['{}']", SELF_ROLES.join("', '"));
        assert!(GRANT_SELF.contains(&list), "the report names what is granted");
        assert!(!script(&MigrateOptions::default()).contains("$grant$"));
        assert!(script(&MigrateOptions::default().grant_self(true)).contains("$grant$"));
    }

    #[test]
    fn a_dollar_quote_is_never_ended_by_its_text() {
        assert_eq!(tag("select 1", "sql"), "$sql$");
        assert_eq!(tag("do $sql$ x $sql$; $sql_1$", "sql"), "$sql_2$");
    }
}
