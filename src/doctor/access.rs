//! Who may do what: functions, tables, views, policies, as the catalog has them.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Row;

use super::{Check, Finding, finding::some};
use crate::{
    error::Result,
    schema,
    statements::doctor::{FUNCTIONS, RELATIONS},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "functions", statement: &FUNCTIONS, judge: functions },
    Check { about: "tables", statement: &RELATIONS, judge: relations },
];

const MIGRATE: &str =
    "run `fairclaim migrate` of the newest build in use: it puts functions and their grants back";

const REVOKE: &str = "as an administrator: set role fairclaim_owner; revoke execute on function … from …; `fairclaim migrate` puts \
                      grants of ours back that are missing";

/// What the functions of a schema have of trouble.
#[derive(Default)]
struct Troubles {
    changed: Vec<String>,
    foreign: Vec<String>,
    insecure: Vec<String>,
    /// Executable by somebody who should not.
    open: Vec<String>,
    /// Not executable by a role of ours that needs it.
    closed: Vec<String>,
}

fn functions(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut bodies: HashMap<&str, &str> = schema::bodies().collect();
    let grants: HashSet<(String, String)> = schema::executable().into_iter().collect();
    let mut troubles = Troubles::default();
    for row in rows {
        let name: &str = row.try_get("name")?;
        let body = bodies.remove(name);
        troubles.function(row, body)?;
        if body.is_some() {
            troubles.grants(name, &row.try_get::<_, Vec<String>>("roles")?, &grants);
        }
    }
    let mut found = vec![same_functions(&troubles.changed, bodies.keys().copied())];
    found.push(security(&troubles.insecure));
    found.push(executable(&troubles));
    if !troubles.foreign.is_empty() {
        found.push(Finding::warning(
            "foreign_function",
            format!("functions in schema fairclaim that are not of this build: {}", some(&troubles.foreign)),
            "a newer build's are fine; others do not belong here: move them to a schema of yours, or drop them",
        ));
    }
    Ok(found)
}

impl Troubles {
    fn function(&mut self, row: &Row, body: Option<&str>) -> Result<()> {
        let signature: String = row.try_get("signature")?;
        let (owned, definer, pinned): (Option<bool>, bool, bool) =
            (row.try_get("owned")?, row.try_get("definer")?, row.try_get("pinned")?);
        let strangers: Vec<String> = row.try_get("strangers")?;
        if !strangers.is_empty() {
            self.open.push(format!("{signature} by {}", strangers.join(", ")));
        }
        if (definer && !pinned) || (body.is_some() && owned != Some(true)) {
            self.insecure.push(signature.clone());
        }
        match body {
            None => self.foreign.push(signature),
            Some(body) if body != row.try_get::<_, &str>("body")? => self.changed.push(signature),
            Some(_) => {}
        }
        Ok(())
    }

    /// Compares who may execute a function with who should.
    fn grants(&mut self, name: &str, roles: &[String], grants: &HashSet<(String, String)>) {
        for role in
            roles.iter().filter(|role| !grants.contains(&(name.to_owned(), (*role).clone())))
        {
            self.open.push(format!("{name} by {role}"));
        }
        let expected = grants.iter().filter(|(function, _)| function == name);
        for (_, role) in expected.filter(|(_, role)| !roles.contains(role)) {
            self.closed.push(format!("{name} by {role}"));
        }
    }
}

fn executable(troubles: &Troubles) -> Finding {
    let mut seen = Vec::new();
    if !troubles.open.is_empty() {
        seen.push(format!("executable by who should not: {}", some(&troubles.open)));
    }
    if !troubles.closed.is_empty() {
        let mut closed = troubles.closed.clone();
        closed.sort();
        seen.push(format!("not executable by who needs it: {}", some(&closed)));
    }
    if seen.is_empty() {
        return Finding::ok(
            "function_access",
            "every function may be executed by the roles that need it and nobody else",
        );
    }
    Finding::error("function_access", seen.join("; "), REVOKE)
}

fn same_functions<'a>(changed: &[String], missing: impl Iterator<Item = &'a str>) -> Finding {
    let mut missing: Vec<String> = missing.map(str::to_owned).collect();
    missing.sort();
    if !missing.is_empty() {
        Finding::error("functions", format!("functions are missing: {}", some(&missing)), MIGRATE)
    } else if changed.is_empty() {
        Finding::ok("functions", "every function is the one of this build")
    } else {
        Finding::warning(
            "functions",
            format!("functions of another text than this build's: {}", some(changed)),
            "fine if another build migrated last; else run `fairclaim migrate`, which puts them back",
        )
    }
}

fn security(insecure: &[String]) -> Finding {
    if insecure.is_empty() {
        return Finding::ok(
            "function_security",
            "definer functions pin their search_path and are the owner's",
        );
    }
    Finding::error(
        "function_security",
        format!(
            "functions that run with another's rights on the caller's path, or belong to somebody else: {}",
            some(insecure)
        ),
        MIGRATE,
    )
}

fn relations(rows: &[Row]) -> Result<Vec<Finding>> {
    let (mut bare, mut open, mut policies) = (vec![], vec![], vec![]);
    for row in rows {
        let name: String = row.try_get("name")?;
        if !row.try_get::<_, bool>("forced")? {
            bare.push(name.clone());
        }
        let strangers: Vec<String> = row.try_get("strangers")?;
        if !strangers.is_empty() {
            open.push(format!("{name} (to {})", strangers.join(", ")));
        }
        let foreign: Vec<String> = row.try_get("policies")?;
        policies.extend(foreign.iter().map(|policy| format!("{policy} on {name}")));
    }
    let mut found = vec![if bare.is_empty() {
        Finding::ok("row_security", "enabled and forced on every table; views run as their caller")
    } else {
        Finding::error(
            "row_security",
            format!("not enabled and forced, or a view that runs as its owner: {}", some(&bare)),
            "run `fairclaim migrate`, which enables it again on the tables it knows; for others: alter table … enable row \
             level security, force row level security",
        )
    }];
    found.push(if open.is_empty() {
        Finding::ok("table_access", "no table, view or sequence is granted to a role that is not ours")
    } else {
        Finding::error(
            "table_access",
            format!("granted to strangers: {}", some(&open)),
            "as an administrator: set role fairclaim_owner; revoke all on … from …; give people our roles instead",
        )
    });
    if !policies.is_empty() {
        found.push(Finding::warning(
            "foreign_policy",
            format!("policies that are not of this build: {}", some(&policies)),
            "policies add up: look at each, and drop what fairclaim did not make",
        ));
    }
    Ok(found)
}
