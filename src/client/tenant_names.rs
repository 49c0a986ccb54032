//! The names of tenants, for programs that show a tenant and know only its uuid.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;
use uuid::Uuid;

use crate::{client::Client, error::Result, protocol::statements::TENANT_NAMES};

/// How many ids one call takes at most.
const IDS_MAX: usize = 10_000;
/// How many tenants are remembered. Then all are forgotten, and it begins again.
const KNOWN_MAX: usize = 10_000;
/// How long a tenant without a name is taken to have none, and how long a database that did not
/// answer is not asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How long a program that wants to show a tenant waits for its name.
const PATIENCE: Duration = Duration::from_secs(1);

impl Client {
    /// Asks for the names of these tenants. A tenant has one if a job was ever dispatched for it by
    /// name ([`Tenant::named`](crate::Tenant::named)).
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is
    /// neither worker nor operator.
    pub async fn tenant_names(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, String>> {
        let mut names = HashMap::new();
        for part in ids.chunks(IDS_MAX) {
            for row in self.rows(&TENANT_NAMES, &[&part]).await? {
                names.insert(row.try_get(0)?, row.try_get(1)?);
            }
        }
        Ok(names)
    }
}

/// Looks names up once each and remembers them, so that a line of a log may have the name of its
/// tenant.
///
/// It is only for showing: without the database, or without the right to ask, every tenant is shown
/// as its uuid.
#[derive(Debug)]
pub struct TenantNames {
    client: Client,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    names: HashMap<Uuid, Name>,
    silent_until: Option<Instant>,
}

#[derive(Debug)]
enum Name {
    Of(String),
    NoneUntil(Instant),
}

impl TenantNames {
    /// Begins without any name.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// Gives the tenant as a person reads it: `acme (b303f627-bcf6-820f-9644-854f0ca16765)`, or the
    /// uuid alone where it has no name. It asks the database for a tenant that it does not know
    /// yet, and waits for the answer for at most a second.
    pub async fn label(&self, tenant_id: Uuid) -> String {
        match self.name(tenant_id).await {
            Some(name) => format!("{name} ({tenant_id})"),
            None => tenant_id.to_string(),
        }
    }

    /// Gives the name alone, where there is one.
    pub async fn name(&self, tenant_id: Uuid) -> Option<String> {
        let now = Instant::now();
        if let Ok(known) = self.known().name(tenant_id, now) {
            return known;
        }
        let asked = timeout(PATIENCE, self.client.tenant_names(&[tenant_id])).await;
        let mut known = self.known();
        let Ok(Ok(mut names)) = asked else {
            known.silent_until = Some(now + ASK_AGAIN);
            return None;
        };
        let name = names.remove(&tenant_id);
        known.learn(tenant_id, name.clone(), now);
        name
    }

    /// Locks what is known. No holder of the lock panics, and its contents are true at any time.
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the database has to be asked.
#[derive(Debug, PartialEq, Eq)]
struct Unknown;

impl Known {
    /// Gives the name or its absence, where asking would bring nothing new.
    fn name(&self, tenant_id: Uuid, now: Instant) -> Result<Option<String>, Unknown> {
        match self.names.get(&tenant_id) {
            Some(Name::Of(name)) => Ok(Some(name.clone())),
            Some(Name::NoneUntil(until)) if *until > now => Ok(None),
            _ if self.silent_until.is_some_and(|until| until > now) => Ok(None),
            _ => Err(Unknown),
        }
    }

    fn learn(&mut self, tenant_id: Uuid, name: Option<String>, now: Instant) {
        if self.names.len() >= KNOWN_MAX {
            self.names.clear();
        }
        self.names.insert(tenant_id, name.map_or(Name::NoneUntil(now + ASK_AGAIN), Name::Of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_once_and_its_absence_again_after_a_while() {
        let (mut known, now) = (Known::default(), Instant::now());
        let tenant = Uuid::from_u128(1);
        assert_eq!(known.name(tenant, now), Err(Unknown));
        known.learn(tenant, None, now);
        assert_eq!(known.name(tenant, now), Ok(None));
        let later = now + ASK_AGAIN;
        assert_eq!(known.name(tenant, later), Err(Unknown));
        known.learn(tenant, Some("acme".into()), later);
        assert_eq!(known.name(tenant, later + ASK_AGAIN), Ok(Some("acme".into())));
    }

    #[test]
    fn a_database_that_does_not_answer_is_left_alone_for_a_while() {
        let now = Instant::now();
        let known = Known { silent_until: Some(now + ASK_AGAIN), ..Known::default() };
        assert_eq!(known.name(Uuid::nil(), now), Ok(None));
        assert_eq!(known.name(Uuid::nil(), now + ASK_AGAIN), Err(Unknown));
    }

    #[test]
    fn it_remembers_a_bounded_number_of_tenants() {
        let (mut known, now) = (Known::default(), Instant::now());
        for n in 0..KNOWN_MAX as u128 + 10 {
            known.learn(Uuid::from_u128(n), Some("x".into()), now);
        }
        assert_eq!(known.names.len(), 10);
    }
}
