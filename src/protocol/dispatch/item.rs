//! Writes a job as an item of the call that takes many.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Dispatch, Due};
use crate::protocol::{tenant::Tenant, timestamp};

/// Writes the job as an item of `dispatch_jobs`. Defaults are left out, to keep the list small.
impl Serialize for Dispatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut item = serializer.serialize_map(None)?;
        match self.tenant.0.as_ref().map(|tenant| (tenant, Tenant::name(tenant))) {
            Some((_, Some(name))) => item.serialize_entry("tenant", name)?,
            Some((tenant, None)) => item.serialize_entry("tenant_id", tenant)?,
            None => {}
        }
        item.serialize_entry("type", &self.job_type)?;
        item.serialize_entry("payload", &self.payload)?;
        if self.queue != "default" {
            item.serialize_entry("queue", &self.queue)?;
        }
        if self.priority != 0 {
            item.serialize_entry("priority", &self.priority)?;
        }
        match self.due {
            Due::Now => {}
            Due::At(at) => item.serialize_entry("run_at", &timestamp::rfc3339(at))?,
            Due::After(delay) => item.serialize_entry("delay", &delay.as_secs_f64())?,
        }
        if self.max_attempts != 25 {
            item.serialize_entry("max_attempts", &self.max_attempts)?;
        }
        if let Some(timeout) = self.timeout {
            item.serialize_entry("timeout", &timeout.as_secs_f64())?;
        }
        if !self.tags.is_empty() {
            item.serialize_entry("tags", &self.tags)?;
        }
        if !self.metadata.is_empty() {
            item.serialize_entry("metadata", &self.metadata)?;
        }
        if let Some(key) = &self.key {
            item.serialize_entry("key", key)?;
        }
        if self.keep_order {
            item.serialize_entry("keep_order", &true)?;
        }
        item.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::{Value, json};

    use uuid::Uuid;

    use super::*;

    fn job(payload: Value) -> Dispatch {
        Dispatch::raw(Uuid::nil(), "send_mail", payload).unwrap()
    }

    #[test]
    fn an_item_leaves_defaults_out() {
        let plain = serde_json::to_value(job(json!({"a": 1}))).unwrap();
        assert_eq!(
            plain,
            json!({"tenant_id": Uuid::nil(), "type": "send_mail", "payload": {"a": 1}})
        );
    }

    #[test]
    fn an_item_has_every_option() {
        let full = job(json!(null))
            .queue("mail")
            .priority(3)
            .run_at(SystemTime::UNIX_EPOCH)
            .max_attempts(2)
            .timeout(Duration::from_millis(1500))
            .tag("t")
            .metadata("k", 1)
            .key("a")
            .keep_order(true);
        let expected = json!({
            "tenant_id": Uuid::nil(), "type": "send_mail", "payload": null, "queue": "mail", "priority": 3,
            "run_at": "1970-01-01T00:00:00.000000Z", "max_attempts": 2, "timeout": 1.5, "tags": ["t"],
            "metadata": {"k": 1}, "key": "a", "keep_order": true
        });
        assert_eq!(serde_json::to_value(full.clone()).unwrap(), expected);
        let delayed = serde_json::to_value(full.delay(Duration::from_secs(2))).unwrap();
        assert_eq!(delayed["delay"], json!(2.0));
        assert_eq!(delayed.get("run_at"), None);
    }
}
