//! The path of a fault in a document, as an error tells it: keys of the protocol by name, and keys
//! of the caller by their place among the keys of their object.

use serde_json::Value;

/// Spells the path with the names that the document has. The database keeps the keys of an object
/// by length and then by bytes, and counts them from 0.
pub(super) fn spelled(path: &[Value], document: &Value) -> Option<String> {
    let mut at = Some(document);
    let mut names = Vec::new();
    for step in path {
        let name = match step {
            Value::String(name) => name.clone(),
            Value::Number(place) => {
                let mut keys: Vec<&String> = at?.as_object()?.keys().collect();
                keys.sort_by_key(|key| (key.len(), key.as_bytes()));
                (*keys.get(usize::try_from(place.as_u64()?).ok()?)?).clone()
            }
            _ => return None,
        };
        at = at.and_then(|held| held.get(&name));
        names.push(name);
    }
    Some(names.join("."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_spelled_with_the_names_of_the_document() {
        let document =
            json!({"tenants": {"b": {}, "acme": {}, "a": {"queues": {"mail": {"weight": 0}}}}});
        let path = |steps: Value| spelled(steps.as_array().unwrap(), &document);
        let weight = json!(["tenants", 0, "queues", 0, "weight"]);
        assert_eq!(path(weight).as_deref(), Some("tenants.a.queues.mail.weight"));
        assert_eq!(path(json!(["tenants", 2])).as_deref(), Some("tenants.acme"));
        assert_eq!(path(json!([])).as_deref(), Some(""));
        for strange in [json!(["tenants", 3]), json!([0, 0, 0, 0, 0, 0]), json!([null])] {
            assert_eq!(path(strange), None);
        }
    }
}
