//! What tenants are called, for those who show a tenant that they know by its uuid only.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;
use uuid::Uuid;

use crate::{client::Client, error::Result, statements::TENANT_NAMES};

/// How many ids one call takes.
const IDS_MAX: usize = 10_000;
/// How many tenants are remembered; then it begins again.
const KNOWN_MAX: usize = 10_000;
/// How long a tenant without a name is taken to have none, and how long a database that did not answer is left alone.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How long whoever wants to show a tenant waits for its name.
const PATIENCE: Duration = Duration::from_secs(1);

impl Client {
    /// What these tenants are called: those for whom a job was dispatched by name ([`Tenant::named`](crate::Tenant::named)).
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is neither worker nor operator.
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

/// Looks names up once each and remembers them, so that a line of a log may have the name of its tenant.
///
/// It is for showing only: without the database, or without the right to ask, every tenant is its uuid.
#[derive(Debug)]
pub struct TenantNames {
    client: Client,
    state: Mutex<Known>,
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
    /// Knows none yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, state: Mutex::default() }
    }

    /// The tenant as a person reads it: `acme (b303f627-bcf6-820f-9644-854f0ca16765)`, or the uuid alone where it has no name.
    /// Asks the database for a tenant that it does not know yet, and waits a second for the answer at most.
    pub async fn label(&self, tenant_id: Uuid) -> String {
        match self.name(tenant_id).await {
            Some(name) => format!("{name} ({tenant_id})"),
            None => tenant_id.to_string(),
        }
    }

    /// The name alone, where there is one.
    pub async fn name(&self, tenant_id: Uuid) -> Option<String> {
        let now = Instant::now();
        if let Ok(known) = self.state().known(tenant_id, now) {
            return known;
        }
        let asked = timeout(PATIENCE, self.client.tenant_names(&[tenant_id])).await;
        let mut state = self.state();
        let Ok(Ok(mut names)) = asked else {
            state.silent_until = Some(now + ASK_AGAIN);
            return None;
        };
        let name = names.remove(&tenant_id);
        state.learn(tenant_id, name.clone(), now);
        name
    }

    /// Nobody panics while holding it, and what is in it is true at any time.
    fn state(&self) -> std::sync::MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The database has to be asked.
#[derive(Debug, PartialEq, Eq)]
struct Unknown;

impl Known {
    /// The name or its absence, where asking would bring nothing new.
    fn known(&self, tenant_id: Uuid, now: Instant) -> Result<Option<String>, Unknown> {
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
        assert_eq!(known.known(tenant, now), Err(Unknown));
        known.learn(tenant, None, now);
        assert_eq!(known.known(tenant, now), Ok(None));
        let later = now + ASK_AGAIN;
        assert_eq!(known.known(tenant, later), Err(Unknown));
        known.learn(tenant, Some("acme".into()), later);
        assert_eq!(known.known(tenant, later + ASK_AGAIN), Ok(Some("acme".into())));
    }

    #[test]
    fn a_database_that_does_not_answer_is_left_alone_for_a_while() {
        let now = Instant::now();
        let known = Known { silent_until: Some(now + ASK_AGAIN), ..Known::default() };
        assert_eq!(known.known(Uuid::nil(), now), Ok(None));
        assert_eq!(known.known(Uuid::nil(), now + ASK_AGAIN), Err(Unknown));
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
