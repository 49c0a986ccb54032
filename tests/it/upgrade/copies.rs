//! Two builds beside this one, made from its own script: an older one whose claims know fewer arguments, and a newer one with a
//! migration more. Until the first release there is no other build to upgrade from.

use fairclaim::{MigrateOptions, migration_script};

/// The functions that had an argument less in the older build.
const GROWN: [&str; 2] = ["claim_jobs", "settle_and_claim"];

/// The version of the newer build, and the tables that it changes.
pub(crate) const NEWER: i32 = 2;
const NEWER_TABLES: &str = "
    alter table fairclaim_internal.setting add column newer text;
    alter table fairclaim_internal.running add column newer boolean not null default false;";

/// The script of the older build: each of the functions that have grown lacks its last argument.
pub(crate) fn older() -> String {
    let mut script = migration_script(&MigrateOptions::default());
    for function in GROWN {
        script = without_last_argument(&script, function);
    }
    script
}

/// Takes the last argument of a function away and gives its body a variable of that name with the default value.
fn without_last_argument(script: &str, function: &str) -> String {
    let head = format!("create or replace function fairclaim.{function}(");
    let (before, rest) = script.split_once(&head).expect(function);
    let (arguments, rest) = rest.split_once("\n)").expect("arguments, one a line");
    let (kept, last) = arguments.rsplit_once(",\n").expect("more than one argument");
    let (name_and_type, default) = last.split_once(" default ").expect("a default");
    let kind = name_and_type.trim().split_once(' ').expect("name and type").1;
    let variable = format!("\ndeclare\n  {} := {default};", name_and_type.trim());
    let rest = rest.replacen("\ndeclare", &variable, 1);
    let comment = format!("comment on function fairclaim.{function}(");
    let (_, types) = rest.split_once(&comment).expect("its comment");
    let types = types.split_once(") is").expect("the types of the arguments").0;
    let fewer = types.strip_suffix(&format!(", {kind}")).expect("the last type");
    let rest = rest.replace(&format!("{function}({types})"), &format!("{function}({fewer})"));
    format!("{before}{head}{kept}\n){rest}")
}

/// The script of the newer build: it knows one migration more.
pub(crate) fn newer() -> String {
    let script = migration_script(&MigrateOptions::default());
    let known = NEWER - 1;
    let migration = format!(
        "do $newer$ begin
           if not exists (select from fairclaim_internal.migration m where m.version = {NEWER}) then
             {NEWER_TABLES}
             insert into fairclaim_internal.migration (version, name, checksum) values ({NEWER}, 'newer', 'x');
           end if;
         end $newer$;\n\n"
    );
    let functions = script.find("-- internal/").expect("functions after the tables");
    let (tables, functions) = script.split_at(functions);
    let guarded = tables
        .replace(&format!("v_found > {known}"), &format!("v_found > {NEWER}"))
        .replace(&format!("knows {known}"), &format!("knows {NEWER}"));
    assert_ne!(guarded, tables, "the guard names the version that the build knows");
    format!("{guarded}{migration}{functions}")
}
