//! Roles: which this login has, what ours may beyond what they should, and who shares them.

use tokio_postgres::Row;

use super::{Check, Finding, finding::some};
use crate::{
    error::Result,
    statements::doctor::{NEIGHBOURS, ROLES},
};

pub(super) const CHECKS: &[Check] = &[
    Check { about: "roles", statement: &ROLES, judge: roles },
    Check { about: "other databases", statement: &NEIGHBOURS, judge: neighbours },
];

fn roles(rows: &[Row]) -> Result<Vec<Finding>> {
    let (mut mine, mut strong, mut missing, mut web) = (vec![], vec![], vec![], vec![]);
    let (mut unbound, mut dormant) = (false, vec![]);
    for row in rows {
        let name: String = row.try_get("role")?;
        unbound |= row.try_get::<_, bool>("unbound")?;
        if !row.try_get::<_, bool>("there")? {
            missing.push(name.clone());
        }
        if row.try_get("strong")? {
            strong.push(name.clone());
        }
        let callers: Vec<String> = row.try_get("web")?;
        web.extend(callers.iter().map(|caller| format!("{caller} has {name}")));
        if row.try_get("dormant")? {
            dormant.push(name.clone());
        }
        if row.try_get("mine")? {
            mine.push(name);
        }
    }
    let mut found = vec![login(&mine, &dormant, unbound), attributes(&strong, &missing)];
    if !web.is_empty() {
        found.push(Finding::error(
            "web_roles",
            format!("callers of the REST interface have our roles: {}", some(&web)),
            "as an administrator: revoke that role from anon and authenticated; any visitor could use it",
        ));
    }
    Ok(found)
}

/// What this login may use, and what it is a member of without inheriting it: there a grant would change nothing.
fn login(mine: &[String], dormant: &[String], unbound: bool) -> Finding {
    if unbound {
        return Finding::warning(
            "login_roles",
            "this login is a superuser or passes row security: nothing keeps it from any tenant's rows",
            "give applications and workers a plain login with the role that they need",
        );
    }
    if mine.is_empty() && !dormant.is_empty() {
        return Finding::warning(
            "login_roles",
            format!(
                "this login has {} and does not inherit what that may do (NOINHERIT)",
                dormant.join(", ")
            ),
            "as an administrator: alter role … inherit, and from PostgreSQL 16 on grant it once more with inherit true; or have \
             the login's sessions begin as that role: alter role … set role fairclaim_worker",
        );
    }
    if mine.is_empty() {
        return Finding::warning(
            "login_roles",
            "this login has no role of fairclaim",
            "as an administrator grant it what it does: fairclaim_worker, fairclaim_producer, fairclaim_operator, fairclaim_observer",
        );
    }
    Finding::ok("login_roles", format!("this login has {}", mine.join(", ")))
}

fn attributes(strong: &[String], missing: &[String]) -> Finding {
    if !missing.is_empty() {
        return Finding::error(
            "role_attributes",
            format!("roles are missing: {}", some(missing)),
            "run `fairclaim migrate` as a login with CREATEROLE",
        );
    }
    if !strong.is_empty() {
        return Finding::error(
            "role_attributes",
            format!("roles that can log in, create roles, or pass row security: {}", some(strong)),
            "as an administrator: alter role … nologin nosuperuser nobypassrls nocreaterole",
        );
    }
    Finding::ok("role_attributes", "all are there, and none can log in or pass row security")
}

/// Roles belong to the cluster: who works there may work here.
fn neighbours(rows: &[Row]) -> Result<Vec<Finding>> {
    let names =
        rows.iter().map(|row| Ok(row.try_get("database")?)).collect::<Result<Vec<String>>>()?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::warning(
        "second_installation",
        format!(
            "other databases of this cluster have fairclaim too, and share its roles: {}",
            some(&names)
        ),
        "their workers are workers here where they may connect: revoke connect on this database from public, and grant it to \
         the logins that belong here",
    )])
}
