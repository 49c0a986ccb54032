//! One case in a database: its tenants' jobs, kept up between runs.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use uuid::Uuid;

use crate::claimer::Claimer;
use crate::load::{Batch, Kind, load, tenant};
use crate::target::Site;
use crate::ticker;

use super::case::{Arrivals, Bound, Case, Group, Waits, Way};
use super::run::{Board, Combination, Ran, Runner};
use super::settings;

/// The number of the first tenant that arrives in the middle of a run.
const NEWCOMERS: u64 = 1_000_000;
/// Rounds of each claimer in a run.
const ROUNDS: u64 = 10;
/// A run is no longer than this. With more tenants than fit, it is about cost alone.
const MOST_JOBS: u64 = 400_000;
/// Whether a job waits in a shared lane.
const IS_SHARED: &str = "select exists (
  select from fairclaim_internal.lane
   where lane.queue = $1 and lane.tenant_id is null
     and exists (select from fairclaim_internal.ready where ready.lane_id = lane.lane_id))";
/// Longer than any run.
const LONG_LEASE: f64 = 86_400.0;
/// With so many rows, a tenant's batch gets a lane of its own.
const LANE: u64 = 10;

pub(super) struct Ground {
    pub(super) case: Case,
    site: Site,
    /// What waits of each tenant with a backlog.
    left: HashMap<Uuid, u64>,
    /// What was claimed of each tenant in all runs.
    claimed: HashMap<Uuid, u64>,
    newcomers: u64,
    /// Holds the jobs of tenants that stay at their limits.
    _holder: Option<Claimer>,
}

impl Ground {
    pub(super) async fn prepare(site: Site, case: Case) -> Result<Self> {
        settings::apply(&site, &case).await?;
        let holder = hold(&site, &case).await?;
        for group in &case.groups {
            if let (Waits::Once(jobs), false) = (group.waits, is_held(group)) {
                dispatch(&site, group, |_| jobs).await?;
            }
        }
        let (left, claimed) = (HashMap::new(), HashMap::new());
        Ok(Self { case, site, left, claimed, newcomers: NEWCOMERS, _holder: holder })
    }

    /// The most that was claimed of one of these tenants in all runs together.
    pub(super) fn most_claimed(&self, group: &Group) -> u64 {
        let claimed = group.tenants.clone().filter_map(|who| self.claimed.get(&tenant(who)));
        claimed.max().copied().unwrap_or(0)
    }

    /// How many jobs a run takes: at least so many claims, and ten rounds of each claimer.
    pub(super) fn jobs_for(&self, of: Combination, claims: u64) -> u64 {
        let rounds = ROUNDS * self.case.round() * of.claimers as u64;
        rounds.min(MOST_JOBS).max(claims * of.claim as u64)
    }

    /// Whether such a run has ten rounds of each claimer.
    pub(super) fn has_rounds(&self, ran: &Ran) -> bool {
        let rounds = ROUNDS * self.case.round() * ran.combination.claimers as u64;
        ran.served.len() as u64 >= rounds
    }

    /// Lets so many connections claim and settle until so many jobs are claimed.
    pub(super) async fn run(&mut self, of: Combination, jobs: u64) -> Result<Ran> {
        self.fill(of, jobs).await?;
        self.pass_shared().await?;
        let ticker = ticker::start(&self.site).await?;
        let board = Board::new(of);
        let mut runners = Runner::several(&self.site, of).await?;
        let step = self.case.arrivals.map_or(jobs, |arrivals| arrivals.every);
        let mut until = 0;
        while until < jobs {
            until = (until + step).min(jobs);
            runners = board.run(runners, until).await?;
            if let Some(arrivals) = self.case.arrivals.filter(|_| until < jobs) {
                self.arrive(&board, arrivals).await?;
            }
        }
        ticker.stop().await?;
        let ran = board.ran();
        self.took(&ran)?;
        Ok(ran)
    }

    /// New tenants come, each with its jobs in one dispatch.
    async fn arrive(&mut self, board: &Board, arrivals: Arrivals) -> Result<()> {
        let numbers = self.newcomers..self.newcomers + arrivals.tenants;
        self.newcomers = numbers.end;
        let batches = numbers.clone().map(|who| vec![tenant(who); arrivals.jobs]).collect();
        load(&self.site, batches, Kind::default()).await?;
        board.arrived(numbers.map(tenant));
        Ok(())
    }

    /// Dispatches what the tenants with a backlog need for a run, and a reserve.
    async fn fill(&mut self, of: Combination, jobs: u64) -> Result<()> {
        let round = self.case.round().max(1);
        let all = jobs + 2 * of.claim as u64 * of.claimers as u64;
        for group in &self.case.groups {
            let Waits::Backlog(least) = group.waits else { continue };
            let share = (all * u64::from(group.weight.unsigned_abs())).div_ceil(round);
            // a claim beside another one takes more of the tenants whose limits that one does not hold
            let reserve = if self.case.is_bounded() { 2 * share } else { share / 4 };
            // those that spread have more lanes to open, and some of it passes before the run
            let lanes = if group.way == Way::Bulk { 2 } else { 8 };
            let need = (share + reserve + lanes * LANE).max(least);
            let left = &mut self.left;
            dispatch(&self.site, group, |who| {
                let left = left.entry(who).or_default();
                let more = if *left >= need { 0 } else { (need - *left).max(LANE) };
                *left += more;
                more
            })
            .await?;
        }
        Ok(())
    }

    /// Lets what tenants that spread have in shared lanes be served, before anything is counted: the
    /// first jobs of a tenant stand there, before it has a backlog, and shares are those of
    /// backlogs.
    async fn pass_shared(&mut self) -> Result<()> {
        if self.case.backlogged().all(|group| group.way == Way::Bulk) {
            return Ok(());
        }
        let owner = self.site.owner().await?;
        let mut claimer = Claimer::open(&self.site, "bench-first".to_owned(), 10).await?;
        while owner.query_one(IS_SHARED, &[&self.site.queue]).await?.get(0) {
            for job in claimer.claim().await? {
                if let Some(left) = self.left.get_mut(&job.tenant) {
                    *left = left.saturating_sub(1);
                }
            }
            claimer.settle().await?;
        }
        Ok(owner.batch_execute("reset role").await?)
    }

    /// Notes what is gone. A tenant that ran dry had no backlog, and the run means nothing.
    fn took(&mut self, ran: &Ran) -> Result<()> {
        for who in &ran.served {
            *self.claimed.entry(*who).or_default() += 1;
            if let Some(left) = self.left.get_mut(who) {
                *left = left.saturating_sub(1);
            }
        }
        let dry = self.left.values().filter(|left| **left == 0).count();
        ensure!(
            dry == 0,
            "{}: {dry} tenants ran dry, so their shares cannot be compared",
            self.case.name
        );
        if let Some(most) = self.case.default_limit {
            ensure!(
                ran.most_at_once <= most as u64,
                "a tenant had {} jobs at once under a limit of {most}",
                ran.most_at_once
            );
        }
        Ok(())
    }

    pub(super) async fn close(self) -> Result<()> {
        settings::clear(&self.site, &self.case).await?;
        self.site.close().await
    }
}

fn is_held(group: &Group) -> bool {
    matches!(group.bound, Some(Bound::HeldAtOne))
}

/// Brings the tenants that are to stand at their limits there, before anything else waits.
async fn hold(site: &Site, case: &Case) -> Result<Option<Claimer>> {
    let mut tenants = 0;
    for group in case.groups.iter().filter(|group| is_held(group)) {
        let Waits::Once(jobs) = group.waits else { continue };
        dispatch(site, group, |_| jobs).await?;
        tenants += group.size();
    }
    if tenants == 0 {
        return Ok(None);
    }
    let mut holder =
        Claimer::open(site, "bench-holder".to_owned(), 100).await?.with_lease(LONG_LEASE);
    let mut held = 0;
    loop {
        let claimed = holder.claim().await?.len() as u64;
        held += claimed;
        if claimed == 0 {
            break;
        }
    }
    ensure!(held == tenants, "{held} jobs were claimed of {tenants} tenants with a limit of one");
    settings::until_at_limit(site, tenants).await?;
    Ok(Some(holder))
}

/// Dispatches so many jobs for each tenant of a group, its way.
async fn dispatch(site: &Site, group: &Group, mut jobs: impl FnMut(Uuid) -> u64) -> Result<()> {
    let wanted: Vec<(Uuid, u64)> =
        group.tenants.clone().map(tenant).map(|who| (who, jobs(who))).collect();
    let types = match group.way {
        Way::Types(types) | Way::Everything(types) => types,
        Way::Bulk | Way::Priorities | Way::OneByOne => 1,
    };
    let priorities = match group.way {
        Way::Priorities | Way::Everything(_) => vec![-10, -1, 0, 1, 10],
        Way::Bulk | Way::Types(_) | Way::OneByOne => vec![0],
    };
    let size = match group.way {
        Way::OneByOne => 1,
        // each call has a few of the types, and other ones than the call before
        Way::Everything(types) => usize::try_from(types)?,
        Way::Bulk | Way::Types(_) | Way::Priorities => 1_000,
    };
    for priority in &priorities {
        let part = |jobs: u64| jobs.div_ceil(priorities.len() as u64);
        let mut batches: Vec<Batch> = vec![Vec::new()];
        for (who, jobs) in &wanted {
            let mut left = usize::try_from(part(*jobs))?;
            // even parts: a short rest could stand in a shared lane beside the tenant's own
            let even = left.div_ceil(left.div_ceil(size).max(1));
            while left > 0 {
                let some = even.min(left);
                match batches.last_mut() {
                    Some(last) if last.len() + some <= size => last.extend(vec![*who; some]),
                    _ => batches.push(vec![*who; some]),
                }
                left -= some;
            }
        }
        batches.retain(|batch| !batch.is_empty());
        load(site, batches, Kind { types, priority: *priority, bytes: None }).await?;
    }
    Ok(())
}
