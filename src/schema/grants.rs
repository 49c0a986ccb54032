//! Reads from the files of the functions which role may execute which, so that a database can be
//! compared with it.

use super::files::FUNCTIONS;

/// Lists every function and role of a `grant execute` of this build.
pub(super) fn executable() -> Vec<(String, String)> {
    let code: String = FUNCTIONS
        .iter()
        .flat_map(|file| file.text.lines())
        .map(|line| line.split("--").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = Vec::new();
    for statement in code.split(';') {
        let Some(grant) = statement.trim().strip_prefix("grant execute on function ") else {
            continue;
        };
        let Some((functions, roles)) = grant.rsplit_once(" to ") else { continue };
        for function in functions.split("fairclaim.").skip(1) {
            let name = function.split(|c: char| !c.is_alphanumeric() && c != '_').next();
            for role in roles.split(',') {
                found.extend(name.map(|name| (name.to_owned(), role.trim().to_owned())));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grants_of_every_role_are_read() {
        let found = executable();
        let has = |function: &str, role: &str| {
            found.iter().any(|(name, to)| name == function && to == role)
        };
        assert!(has("claim_jobs", "fairclaim_worker") && has("dispatch_job", "fairclaim_producer"));
        assert!(has("tenant_uuid", "fairclaim_tenant") && has("prune", "fairclaim_operator"));
        assert!(
            has("doctor_findings", "fairclaim_observer") && has("show_job", "fairclaim_auditor")
        );
        assert!(!has("claim_jobs", "fairclaim_tenant") && !has("tick", "fairclaim_tenant"));
        assert!(found.iter().all(|(_, role)| role.starts_with("fairclaim_")), "{found:?}");
    }
}
