//! Who may do what: functions, tables, views, policies, as the catalog has them.

use std::collections::HashMap;

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

fn functions(rows: &[Row]) -> Result<Vec<Finding>> {
    let mut bodies: HashMap<&str, &str> = schema::bodies().collect();
    let (mut changed, mut foreign, mut unsafe_ones, mut open) = (vec![], vec![], vec![], vec![]);
    for row in rows {
        let signature: String = row.try_get("signature")?;
        let known = bodies.remove(row.try_get::<_, &str>("name")?);
        match known {
            None => foreign.push(signature.clone()),
            Some(body) if body != row.try_get::<_, &str>("body")? => {
                changed.push(signature.clone())
            }
            Some(_) => {}
        }
        let (owned, definer, pinned): (Option<bool>, bool, bool) =
            (row.try_get("owned")?, row.try_get("definer")?, row.try_get("pinned")?);
        if (definer && !pinned) || (known.is_some() && owned != Some(true)) {
            unsafe_ones.push(signature.clone());
        }
        let strangers: Vec<String> = row.try_get("strangers")?;
        if !strangers.is_empty() {
            open.push(format!("{signature} (by {})", strangers.join(", ")));
        }
    }
    let mut found = vec![same_functions(&changed, bodies.keys().copied())];
    found.push(security(&unsafe_ones));
    found.push(if open.is_empty() {
        Finding::ok("function_access", "no function may be executed by a role that is not ours")
    } else {
        Finding::error(
            "function_access",
            format!("functions that strangers may execute: {}", some(&open)),
            MIGRATE,
        )
    });
    if !foreign.is_empty() {
        found.push(Finding::warning(
            "foreign_function",
            format!("functions in schema fairclaim that are not of this build: {}", some(&foreign)),
            "a newer build's are fine; others do not belong here: move them to a schema of yours, or drop them",
        ));
    }
    Ok(found)
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

fn security(unsafe_ones: &[String]) -> Finding {
    if unsafe_ones.is_empty() {
        return Finding::ok(
            "function_security",
            "definer functions pin their search_path and are the owner's",
        );
    }
    Finding::error(
        "function_security",
        format!(
            "functions that run with another's rights on the caller's path, or belong to somebody else: {}",
            some(unsafe_ones)
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
