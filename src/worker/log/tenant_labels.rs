//! What the log calls a tenant: its name, or its uuid where it has none or the name is not known
//! yet.
//!
//! A line never waits for the database. A tenant that is not known is noted, and
//! `tasks/learn_names.rs` asks for all that were noted together, now and then.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use uuid::Uuid;

/// How many tenants are remembered; then it begins again.
const KNOWN_MAX: usize = 10_000;
/// How many tenants are asked for together. Further ones are noted when they are wanted again.
const WANTED_MAX: usize = 1_000;
/// How long a tenant without a name is taken to have none.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// The names of tenants that the lines of one worker need.
#[derive(Debug, Default)]
pub(crate) struct TenantLabels {
    names: Mutex<Names>,
    /// Notified when a tenant was noted.
    pub(crate) noted: Notify,
}

#[derive(Debug, Default)]
struct Names {
    known: HashMap<Uuid, Known>,
    wanted: HashSet<Uuid>,
}

#[derive(Debug)]
struct Known {
    /// The name, or the uuid where there is none.
    label: Arc<str>,
    /// When a tenant without a name may have got one.
    ask_again: Option<Instant>,
}

impl TenantLabels {
    /// What a line calls the tenant, as far as that is known now.
    pub(crate) fn of(&self, tenant: Uuid) -> Arc<str> {
        let mut names = self.names();
        let label = names.known.get(&tenant).map(|known| Arc::clone(&known.label));
        let noted = names.want(tenant, Instant::now());
        drop(names);
        if noted {
            self.noted.notify_one();
        }
        label.unwrap_or_else(|| tenant.to_string().into())
    }

    /// Notes tenants that a line may show soon.
    pub(crate) fn want(&self, tenants: impl Iterator<Item = Uuid>) {
        let (mut names, now, mut noted) = (self.names(), Instant::now(), false);
        for tenant in tenants {
            noted |= names.want(tenant, now);
        }
        drop(names);
        if noted {
            self.noted.notify_one();
        }
    }

    /// Takes the tenants that were noted.
    pub(crate) fn take_wanted(&self) -> Vec<Uuid> {
        self.names().wanted.drain().collect()
    }

    /// Learns the names of these tenants; those that are not among the names have none.
    pub(crate) fn learn(&self, tenants: &[Uuid], found: &HashMap<Uuid, String>, now: Instant) {
        let mut names = self.names();
        if names.known.len() + tenants.len() > KNOWN_MAX {
            names.known.clear();
        }
        for tenant in tenants {
            let known = match found.get(tenant) {
                Some(name) => Known { label: name.as_str().into(), ask_again: None },
                None => {
                    Known { label: tenant.to_string().into(), ask_again: Some(now + ASK_AGAIN) }
                }
            };
            names.known.insert(*tenant, known);
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// Notes a tenant if asking for it may bring something new. Answers whether it was noted.
    fn want(&mut self, tenant: Uuid, now: Instant) -> bool {
        let known = self.known.get(&tenant);
        let answered = known.is_some_and(|known| known.ask_again.is_none_or(|at| at > now));
        !answered && self.wanted.len() < WANTED_MAX && self.wanted.insert(tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_its_uuid_until_its_name_is_learnt() {
        let (labels, now) = (TenantLabels::default(), Instant::now());
        let (named, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(*labels.of(named), *named.to_string());
        labels.want([named, other].into_iter());
        let mut wanted = labels.take_wanted();
        wanted.sort_unstable();
        assert_eq!(wanted, [named, other], "each once");
        labels.learn(&wanted, &HashMap::from([(named, "acme".to_owned())]), now);
        assert_eq!(&*labels.of(named), "acme");
        assert_eq!(*labels.of(other), *other.to_string());
        assert!(labels.take_wanted().is_empty(), "it has none for a while");
        labels.learn(&[other], &HashMap::new(), now.checked_sub(ASK_AGAIN).unwrap_or(now));
        labels.of(other);
        assert_eq!(labels.take_wanted(), [other], "and may have one later");
    }

    #[test]
    fn what_is_noted_and_what_is_remembered_is_bounded() {
        let (labels, now) = (TenantLabels::default(), Instant::now());
        let tenants: Vec<Uuid> = (0..3 * KNOWN_MAX as u128).map(Uuid::from_u128).collect();
        labels.want(tenants.iter().copied());
        assert_eq!(labels.take_wanted().len(), WANTED_MAX);
        for tenants in tenants.chunks(WANTED_MAX) {
            labels.learn(tenants, &HashMap::new(), now);
        }
        assert!(labels.names().known.len() <= KNOWN_MAX);
    }
}
