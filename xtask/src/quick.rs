//! `--quick`: the inner loop, under two minutes once everything is built.

/// The profile of nextest that leaves out what takes long.
pub(crate) const PROFILE: &str = "quick";

/// How the names of the tests begin that it leaves out, for the runner of cargo.
pub(crate) const LEFT_OUT: &[&str] = &[
    "bad_input::claim::a_claim_is_",
    "bad_input::dispatch::a_job_is_",
    "bad_input::dispatch_many::",
    "bad_input::settle::a_settlement_is_",
    "commands::migrate_says_",
    "config::",
    "contract::race::",
    "demo::",
    "doctor::",
    "examples::",
    "faults::",
    "filters::pages_",
    "handlers::",
    "holes::",
    "installs::",
    "interleavings::jobs::",
    "interleavings::lanes::",
    "interleavings::limits::",
    "interleavings::maintenance::",
    "interleavings::prepared::",
    "lanes_stress::",
    "late_claims::",
    "lines::",
    "marks::",
    "model_mutants::",
    "model_steps::",
    "nobody_waits::ticks::",
    "operate::",
    "pooled::",
    "private_server::",
    "ranges::retention_",
    "rare_lanes::loads::",
    "sleep::",
    "survival::",
    "terminal::",
    "tls::",
    "turns::a_chain_",
    "turns::bound::",
    "turns::every_tenant_",
    "turns::unhandled::",
    "turns::weights_",
    "upgrade::",
    "worker::claims::a_dispatch_wakes_",
    "worker::connections::",
    "worker::endings::",
    "worker::leases::",
    "worker::solo::",
];

/// The test programs for the runner of cargo: all but `bench`, whose tests have names that others begin with too.
pub(crate) const PROGRAMS: &[&str] = &[
    "--lib",
    "--bins",
    "--test",
    "it",
    "--test",
    "command_line",
    "--test",
    "bad_input",
    "--test",
    "e2e",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pooled;

    #[test]
    fn both_runners_leave_out_the_same() {
        let config = include_str!("../../.config/nextest.toml");
        for (profile, left_out) in [(PROFILE, LEFT_OUT), (pooled::PROFILE, pooled::LEFT_OUT)] {
            let profile = format!("[profile.{profile}]");
            let (_, filter) = config.split_once(&profile).expect("the profile");
            let (_, names) = filter.split_once("test(/^(").expect("names of tests");
            let (names, _) = names.split_once(")/)").expect("their end");
            let joined: String = names.lines().map(|line| line.trim_end_matches('\\')).collect();
            assert_eq!(joined.split('|').collect::<Vec<_>>(), left_out);
        }
        assert!(config.contains("not binary(bench)") && !PROGRAMS.contains(&"bench"));
    }

    /// A name that no test has any more would make the inner loop slow again, and nobody would see why.
    #[test]
    fn whatever_is_left_out_exists() {
        let root = crate::root();
        for start in LEFT_OUT.iter().chain(pooled::LEFT_OUT) {
            let (module, test) = start.rsplit_once("::").expect("a module");
            let file = module.replace("::", "/");
            let places = ["tests/it", "cli/tests/e2e", "cli/tests/bad_input"];
            let found = places
                .iter()
                .flat_map(|place| [format!("{place}/{file}.rs"), format!("{place}/{file}/mod.rs")]);
            let texts: Vec<String> =
                found.filter_map(|path| std::fs::read_to_string(root.join(path)).ok()).collect();
            assert!(!texts.is_empty(), "no module {module}");
            // a module may be nothing but a list of others
            let named = |text: &String| test.is_empty() || text.contains(&format!("fn {test}"));
            assert!(texts.iter().any(named), "no {start}");
        }
    }
}
