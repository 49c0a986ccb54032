//! What the demo dispatches, and for whom. It has no effects.

use fairclaim::Tenant;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many jobs each tenant has that does not flood: a few.
const SMALL_JOBS: usize = 20;

/// The demo's one type of job. What it does is wait a few milliseconds, as a call to another
/// service would.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DemoJob {
    /// The number of the job among its tenant's.
    pub(super) number: usize,
}

impl fairclaim::Job for DemoJob {
    const TYPE: &'static str = "demo";
}

/// One tenant and how many jobs it dispatches.
#[derive(Debug, Clone)]
pub(super) struct Share {
    pub(super) name: String,
    pub(super) tenant: Tenant,
    pub(super) jobs: usize,
}

/// Everything one run will dispatch. The first tenant is the one that floods.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) queue: String,
    pub(super) shares: Vec<Share>,
}

impl Plan {
    /// Makes a plan. `run` makes the tenants this run's own, so that nothing else in the database
    /// is counted.
    pub(super) fn new(
        run: &str,
        queue: String,
        tenants: usize,
        flood: usize,
    ) -> fairclaim::Result<Self> {
        let share = |n: usize| {
            let name = format!("tenant-{:02}", n + 1);
            let tenant = Tenant::named(format!("{run}/{name}"))?;
            Ok(Share { name, tenant, jobs: if n == 0 { flood } else { SMALL_JOBS } })
        };
        Ok(Self { queue, shares: (0..tenants).map(share).collect::<fairclaim::Result<_>>()? })
    }

    pub(super) fn flood(&self) -> &Share {
        &self.shares[0]
    }

    pub(super) fn small(&self) -> &[Share] {
        &self.shares[1..]
    }

    pub(super) fn small_jobs(&self) -> usize {
        self.small().iter().map(|share| share.jobs).sum()
    }

    /// Answers how many jobs each tenant has that does not flood.
    pub(super) fn few(&self) -> usize {
        self.small().iter().map(|share| share.jobs).max().unwrap_or(0)
    }

    pub(super) fn total(&self) -> usize {
        self.flood().jobs + self.small_jobs()
    }

    pub(super) fn tenant_ids(&self) -> Vec<Uuid> {
        self.shares.iter().map(|share| share.tenant.uuid()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_floods_and_the_others_have_a_few() {
        let plan = Plan::new("run", "demo".to_owned(), 50, 100_000).unwrap();
        assert_eq!(plan.total(), 100_000 + 49 * SMALL_JOBS);
        assert_eq!(plan.small().len(), 49);
        let mut ids = plan.tenant_ids();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 50);
    }

    #[test]
    fn two_runs_have_no_tenant_in_common() {
        let ids = |run| Plan::new(run, "demo".to_owned(), 3, 1).unwrap().tenant_ids();
        assert!(ids("a").iter().all(|id| !ids("b").contains(id)));
    }
}
