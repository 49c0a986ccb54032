//! What a scenario consists of: who waits with what, and which bounds are set.

use std::ops::Range;

/// One of the situations that a scenario compares.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    /// Loaded in this order.
    pub(super) groups: Vec<Group>,
    /// Every tenant may have so many running jobs in the queue, unless it has a bound of its own.
    pub(super) default_limit: Option<i32>,
    pub(super) arrivals: Option<Arrivals>,
}

/// Tenants that are alike.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: String,
    /// Their numbers.
    pub(super) tenants: Range<u64>,
    pub(super) weight: i16,
    pub(super) waits: Waits,
    pub(super) way: Way,
    pub(super) bound: Option<Bound>,
    /// How long a job of theirs takes. It is not waited for: time is reckoned, not spent.
    pub(super) seconds: f64,
}

/// How much of a tenant waits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waits {
    /// More than the run takes, at least so many jobs. These are the tenants whose shares are
    /// compared.
    Backlog(u64),
    /// So many jobs once, of which bounds may hold all back.
    Once(u64),
}

/// How a tenant dispatches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Bulk,
    /// In turn over so many types.
    Types(u64),
    /// In turn over five priorities.
    Priorities,
    /// A call for each job.
    OneByOne,
    /// All of these together.
    Everything(u64),
}

/// What bounds each tenant of a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// So many running jobs.
    Running(i32),
    /// One running job, which is there before the run begins and stays.
    HeldAtOne,
    /// So many units in each period of seconds, and so many at once.
    Rate { units: i32, period: f64, burst: i32 },
}

/// Tenants that nobody has seen before, which come in the middle of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrivals {
    /// After each so many claimed jobs.
    pub(super) every: u64,
    pub(super) tenants: u64,
    /// Jobs of each, in one dispatch.
    pub(super) jobs: usize,
}

impl Case {
    pub(super) fn of(name: &str, groups: Vec<Group>) -> Self {
        Self { name: name.to_owned(), groups, default_limit: None, arrivals: None }
    }

    /// The groups whose shares are compared.
    pub(super) fn backlogged(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| matches!(group.waits, Waits::Backlog(_)))
    }

    /// Jobs that one round of the tenants with a backlog takes.
    pub(super) fn round(&self) -> u64 {
        self.backlogged().map(|group| group.size() * u64::from(group.weight.unsigned_abs())).sum()
    }

    /// Whether some tenant is bounded, so that a claim holds slots back from others.
    pub(super) fn is_bounded(&self) -> bool {
        self.default_limit.is_some() || self.groups.iter().any(|group| group.bound.is_some())
    }
}

impl Group {
    /// Tenants of weight 1 that keep a backlog.
    pub(super) fn backlog(name: &str, tenants: Range<u64>) -> Self {
        Self {
            name: name.to_owned(),
            tenants,
            weight: 1,
            waits: Waits::Backlog(0),
            way: Way::Bulk,
            bound: None,
            seconds: 1.0,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.tenants.end - self.tenants.start
    }
}
