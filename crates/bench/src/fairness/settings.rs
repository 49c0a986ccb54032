//! Sets weights, limits and rates for a scenario, and waits until they are in force.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::load::tenant;
use crate::target::{Session, Site};

use super::case::{Bound, Case};

const WEIGHT: &str = "with set_now as (
    insert into fairclaim_internal.tenant_weight (tenant_id, queue, weight) values ($1, '', $2)
    on conflict (tenant_id, queue) do update set weight = excluded.weight
    returning tenant_id, queue)
  insert into fairclaim_internal.weight_note (tenant_id, queue)
  select set_now.tenant_id, set_now.queue from set_now";
const LIMIT: &str =
    "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running)
  values ('tenant', $1, $2, $3)";
const RATE: &str =
    "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, units, period, burst)
  values ('tenant', $1, $2, $3, $4, $5)";
const DEFAULT_LIMIT: &str =
    "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running)
  values ('default', '00000000-0000-0000-0000-000000000000', $1, $2)";
const NOTE: &str = "insert into fairclaim_internal.limit_note default values";
const NOT_YET: &str =
    "select count(*) from fairclaim_internal.running_limit where queue = $1 and not active";
const AT_LIMIT: &str =
    "select count(*) from fairclaim_internal.at_limit where queue = $1 and is_stable";
const CLEAR: &str = "delete from fairclaim_internal.running_limit where queue = $1";
const CLEAR_WEIGHT: &str = "delete from fairclaim_internal.tenant_weight where tenant_id = $1";

/// Enough of the shortest pauses between looks for a claim of ten seconds to end.
const LOOKS: u32 = 1_200;
const PAUSE: Duration = Duration::from_millis(50);

/// Sets what the case says, and waits until all of it is in force.
pub(super) async fn apply(site: &Site, case: &Case) -> Result<()> {
    let owner = site.owner().await?;
    owner.batch_execute("begin").await?;
    for group in &case.groups {
        for who in group.tenants.clone().map(tenant) {
            if group.weight != 1 {
                owner.execute(WEIGHT, &[&who, &group.weight]).await?;
            }
            match group.bound {
                None => 0,
                Some(Bound::Running(most)) => {
                    owner.execute(LIMIT, &[&who, &site.queue, &most]).await?
                }
                Some(Bound::HeldAtOne) => {
                    owner.execute(LIMIT, &[&who, &site.queue, &1_i32]).await?
                }
                Some(Bound::Rate { units, period, burst }) => {
                    owner.execute(RATE, &[&who, &site.queue, &units, &period, &burst]).await?
                }
            };
        }
    }
    if let Some(most) = case.default_limit {
        owner.execute(DEFAULT_LIMIT, &[&site.queue, &most]).await?;
    }
    owner.execute(NOTE, &[]).await?;
    owner.batch_execute("commit").await?;
    let in_force = until(site, &owner, NOT_YET, |not_yet| not_yet == 0).await?;
    ensure!(in_force, "limits that were set are not in force after a minute");
    Ok(owner.batch_execute("reset role").await?)
}

/// Waits until ticks have found out that so many tenants stay at their limits.
pub(super) async fn until_at_limit(site: &Site, tenants: u64) -> Result<()> {
    let owner = site.owner().await?;
    let found = until(site, &owner, AT_LIMIT, |there| there as u64 >= tenants).await?;
    ensure!(found, "ticks have not found {tenants} tenants at their limits within a minute");
    Ok(owner.batch_execute("reset role").await?)
}

/// Ticks until the count of a query is as it should be; false if it never is.
async fn until(
    site: &Site,
    owner: &Session,
    count: &str,
    enough: impl Fn(i64) -> bool,
) -> Result<bool> {
    for _ in 0..LOOKS {
        if enough(owner.query_one(count, &[&site.queue]).await?.get(0)) {
            return Ok(true);
        }
        site.control.query("select busy from fairclaim.tick()", &[]).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(false)
}

/// Takes away what the case has set, since a database that was named outlives the scenario.
pub(super) async fn clear(site: &Site, case: &Case) -> Result<()> {
    let owner = site.owner().await?;
    owner.execute(CLEAR, &[&site.queue]).await?;
    for group in case.groups.iter().filter(|group| group.weight != 1) {
        for who in group.tenants.clone().map(tenant) {
            owner.execute(CLEAR_WEIGHT, &[&who]).await?;
        }
    }
    Ok(owner.batch_execute("reset role").await?)
}
