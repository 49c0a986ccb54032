//! Limits of running jobs, as the program knows them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::state::{Known, Model, Place};
use crate::calls;

/// What a limit counts: the jobs of one tenant, those of each tenant that has none of its own, or those of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Tenant(Uuid),
    EachTenant,
    AllTenants,
}

/// A limit, by what it counts, in one queue or in all.
pub(super) type Key = (Of, Option<&'static str>);

/// How many jobs may run. It is in force after the second tick that saw it, and after the third if it is of more than one
/// tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) max: i32,
    ticks: u32,
}

impl Limit {
    fn is_active(self, of: Of) -> bool {
        self.ticks >= if matches!(of, Of::Tenant(_)) { 2 } else { 3 }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    all: BTreeMap<Key, Limit>,
}

impl Limits {
    /// Sets a limit, or takes it away. One that is changed stays in force.
    pub(super) fn set(&mut self, key: Key, max: Option<i32>) {
        let Some(max) = max else {
            self.all.remove(&key);
            return;
        };
        self.all.entry(key).or_insert(Limit { max, ticks: 0 }).max = max;
    }

    pub(super) fn tick(&mut self) {
        self.all.values_mut().for_each(|limit| limit.ticks += 1);
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.all.keys().copied().collect()
    }

    /// Those that count a job: of its tenant, or else the default, over all queues and in its own; and that of its queue.
    fn over(&self, job: &Known) -> impl Iterator<Item = (Key, Limit)> {
        let queue = Some(job.queue);
        let found = [None, queue].map(|place| {
            let own = (Of::Tenant(job.tenant), place);
            let key = if self.all.contains_key(&own) { own } else { (Of::EachTenant, place) };
            self.all.get_key_value(&key)
        });
        let of_all = self.all.get_key_value(&(Of::AllTenants, queue));
        found.into_iter().chain([of_all]).flatten().map(|(key, limit)| (*key, *limit))
    }
}

/// Whether limits let a job be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    None(&'static str),
    /// A limit of several tenants that is not in force yet counts some of what runs.
    Unknown,
}

impl Model {
    pub(super) fn room_for(&self, job: &Known) -> Room {
        let mut room = Room::Enough;
        for ((of, queue), limit) in self.limits.over(job) {
            let counts = |other: &&Known| {
                matches!(other.place, Place::Running { .. })
                    && (of == Of::AllTenants || other.tenant == job.tenant)
                    && queue.is_none_or(|queue| other.queue == queue)
            };
            let count = self.jobs.values().filter(counts).count();
            let is_full = i32::try_from(count).expect("a few") >= limit.max;
            match (limit.is_active(of), of) {
                (false, Of::Tenant(_)) => return Room::None("its tenant's limit is not in force"),
                (true, _) if is_full => return Room::None("a limit leaves no room for it"),
                (false, _) if limit.max == 0 => return Room::None("a limit lets nothing run"),
                (false, _) if is_full => room = Room::Unknown,
                _ => {}
            }
        }
        room
    }

    /// Whether a running job must be marked as limited, and with its queue.
    pub(super) fn must_be_marked(&self, job: &Known) -> (bool, bool) {
        let in_force = |(key, limit): &(Key, Limit)| limit.is_active(key.0);
        let keys: Vec<Key> = self.limits.over(job).filter(in_force).map(|(key, _)| key).collect();
        (!keys.is_empty(), keys.iter().any(|(_, queue)| queue.is_some()))
    }
}

/// The same limit, as it is set.
pub(super) fn bound((of, queue): Key) -> calls::Bound<'static> {
    use calls::Bound;
    match (of, queue) {
        (Of::Tenant(tenant), None) => Bound::Tenant(tenant),
        (Of::Tenant(tenant), Some(queue)) => Bound::TenantIn(tenant, queue),
        (Of::EachTenant, None) => Bound::Default,
        (Of::EachTenant, Some(queue)) => Bound::DefaultIn(queue),
        (Of::AllTenants, Some(queue)) => Bound::Queue(queue),
        (Of::AllTenants, None) => unreachable!("a limit of everything is not drawn"),
    }
}
