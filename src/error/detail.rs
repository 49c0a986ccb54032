//! The DETAIL of the protocol's own errors: one JSON object that names what is at fault.

use serde::Deserialize;
use serde_json::Value;

use super::{Error, Inner};

/// The bounds of a field, as far as an error knows them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Bounds {
    /// The greatest number of characters, bytes, items or levels.
    pub limit: Option<f64>,
    /// The least number that is allowed; of a time, in seconds from now.
    pub minimum: Option<f64>,
    /// The greatest number that is allowed; of a time, in seconds from now.
    pub maximum: Option<f64>,
    /// The names that are allowed.
    pub allowed: Vec<String>,
}

#[derive(Deserialize)]
struct Detail {
    argument: Option<String>,
    field: Option<String>,
    item: Option<usize>,
    path: Option<Vec<Value>>,
    #[serde(flatten)]
    bounds: Bounds,
}

impl Error {
    /// Takes what the DETAIL of one of the protocol's own errors says. A later version may say
    /// more. Nothing is taken from a text that is no such object.
    pub(super) fn with_detail(mut self, text: &str) -> Self {
        let Ok(detail) = serde_json::from_str::<Detail>(text) else { return self };
        let inner: &mut Inner = &mut self.0;
        let place = place(&detail);
        if let Some(rule) = inner.message.strip_prefix(&place) {
            inner.message = rule.to_owned();
        }
        inner.argument = detail.argument;
        inner.field = detail.field;
        inner.item = detail.item;
        inner.path = detail.path;
        inner.bounds = detail.bounds;
        self
    }
}

/// Gives the words that the server's message begins with. An error shows them in front of the rule
/// again, with the item as the caller counts it.
fn place(detail: &Detail) -> String {
    let field = detail.field.as_deref().unwrap_or_default();
    let Some(argument) = &detail.argument else { return format!("{field}: ") };
    let item = detail.item.map(|item| format!("[{item}]")).unwrap_or_default();
    let inside = argument.strip_prefix("p_") != Some(field);
    if inside { format!("{argument}{item}.{field}: ") } else { format!("{argument}{item}: ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn told(message: &str, detail: &str) -> Error {
        Error::new(ErrorKind::InvalidArgument, message).with_detail(detail)
    }

    #[test]
    fn everything_that_a_detail_says_is_there() {
        let error = told(
            "p_jobs[7].queue: must be short",
            r#"{"argument": "p_jobs", "field": "queue", "item": 7, "limit": 64, "allowed": ["a", "b"]}"#,
        );
        assert_eq!((error.argument(), error.field()), (Some("p_jobs"), Some("queue")));
        assert_eq!((error.item(), error.message()), (Some(7), "must be short"));
        assert_eq!(error.bounds().limit, Some(64.0));
        assert_eq!(error.bounds().allowed, ["a", "b"]);
        assert_eq!(error.to_string(), "bad argument: jobs[7].queue: must be short");
        let range = told(
            "p_lease: must be short",
            r#"{"argument": "p_lease", "field": "lease", "minimum": 1, "maximum": 86400, "new": [1]}"#,
        );
        assert_eq!((range.bounds().minimum, range.bounds().maximum), (Some(1.0), Some(86_400.0)));
        assert_eq!(range.to_string(), "bad argument: lease: must be short");
        let list = told(
            "p_results[3]: too deep",
            r#"{"argument": "p_results", "field": "results", "item": 3}"#,
        );
        assert_eq!(list.to_string(), "bad argument: results[3]: too deep");
        let session = told("tenant: this session has none", r#"{"field": "tenant"}"#);
        assert_eq!((session.argument(), session.message()), (None, "this session has none"));
    }

    #[test]
    fn what_is_no_object_of_ours_tells_nothing() {
        for detail in ["", "Key (id)=(7) exists", "[1]", r#"{"field": 7}"#] {
            let error = told("it failed", detail);
            assert_eq!((error.field(), error.item(), error.message()), (None, None, "it failed"));
        }
    }

    #[test]
    fn a_message_that_does_not_begin_with_the_place_stays_whole() {
        let error = told("no such luck", r#"{"argument": "p_queue", "field": "queue"}"#);
        assert_eq!(error.message(), "no such luck");
    }
}
