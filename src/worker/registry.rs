//! Which handler runs which type.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::worker::handler::Bound;

/// A handler under the name that its jobs carry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) job_type: Arc<str>,
    /// The time-out of jobs whose row has none of its own.
    pub(crate) timeout: Option<Duration>,
    pub(crate) handler: Bound,
}

/// The handlers of one worker.
#[derive(Debug, Default)]
pub(crate) struct Registry(HashMap<Arc<str>, Arc<Entry>>);

impl Registry {
    /// Adds a handler. False when the type has one already.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        let job_type = Arc::clone(&entry.job_type);
        self.0.insert(job_type, Arc::new(entry)).is_none()
    }

    pub(crate) fn get(&self, job_type: &str) -> Option<&Arc<Entry>> {
        self.0.get(job_type)
    }

    /// The types of all handlers, in order: what claims ask for.
    pub(crate) fn types(&self) -> Vec<String> {
        let mut types: Vec<String> = self.0.keys().map(ToString::to_string).collect();
        types.sort_unstable();
        types
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(job_type: &str) -> Entry {
        let handler = Bound(Arc::new(|_, _| Box::pin(async { Ok(crate::Outcome::Complete) })));
        Entry { job_type: job_type.into(), timeout: None, handler }
    }

    #[test]
    fn claims_ask_for_the_registered_types_only() {
        let mut registry = Registry::default();
        assert!(registry.add(entry("send_mail")) && registry.add(entry("bill")));
        assert!(!registry.add(entry("bill")));
        assert_eq!(registry.types(), ["bill", "send_mail"]);
        assert!(registry.get("other").is_none());
    }
}
