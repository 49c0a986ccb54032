//! One line as a job: an object with the names of `dispatch_jobs`, and what the flags say for names
//! that it lacks.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use fairclaim::{DefaultTenant, Dispatch, Error, ErrorKind, Owner, Tenant};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json, value::RawValue};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::value;

/// What a line may say. The first two exclude each other, as do `run_at` and `delay`.
const NAMES: [&str; 14] = [
    "tenant_id",
    "tenant",
    "type",
    "payload",
    "queue",
    "priority",
    "run_at",
    "delay",
    "max_attempts",
    "timeout",
    "tags",
    "metadata",
    "key",
    "keep_order",
];

/// Why a line is refused: never with anything of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) field: String,
    pub(super) code: String,
    pub(super) message: String,
}

impl Reason {
    /// A limit of the protocol, or the shape of the line.
    pub(super) fn bad(field: &str, rule: impl Into<String>) -> Self {
        Self { field: field.to_owned(), code: "JQ004".to_owned(), message: rule.into() }
    }

    /// What the library or the database said of one job. Which item of a batch it was is none of
    /// the file's business.
    pub(super) fn of(error: &Error) -> Self {
        let field = error.field().filter(|field| NAMES.contains(field)).unwrap_or("line");
        let code = error.code().or(error.sqlstate()).unwrap_or("JQ004");
        let message = if error.kind() == ErrorKind::TenantMissing && field == "tenant_id" {
            "is missing, --tenant is not given, and there is no default tenant"
        } else {
            error.message()
        };
        Self { field: field.to_owned(), code: code.to_owned(), message: message.to_owned() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.message, self.code)
    }
}

/// What the flags say, for lines that do not.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    pub(super) tenant: Option<Tenant>,
    pub(super) job_type: Option<String>,
    /// Sets the other flags.
    pub(super) job: super::JobOptions,
    /// A time that has passed by the clock of the database.
    pub(super) now: SystemTime,
}

impl Defaults {
    /// A digest of all that a line may get from the flags: with others, the same lines are other
    /// jobs.
    pub(super) fn digest(&self) -> [u8; 32] {
        let super::JobOptions {
            queue,
            priority,
            delay,
            run_at,
            max_attempts,
            timeout,
            tags,
            metadata,
            key,
            keep_order,
        } = &self.job;
        let since = run_at.map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let nanos = |span: &Option<Duration>| span.map(|span| span.as_nanos().to_string());
        let text = json!([
            self.tenant,
            self.job_type,
            queue,
            priority,
            nanos(delay),
            nanos(&since),
            max_attempts,
            nanos(timeout),
            tags,
            metadata,
            key,
            keep_order
        ]);
        Sha256::digest(text.to_string()).into()
    }
}

/// Reads one line.
pub(super) fn parse(line: &[u8], defaults: &Defaults) -> Result<Dispatch, Reason> {
    let text = std::str::from_utf8(line).map_err(|_| Reason::bad("line", "is not UTF-8"))?;
    let fields = Fields::of(text)?;
    let job_type: String = match (fields.read("type", "must be a text")?, &defaults.job_type) {
        (Some(job_type), _) => job_type,
        (None, Some(job_type)) => job_type.clone(),
        (None, None) => return Err(Reason::bad("type", "is missing, and --type is not given")),
    };
    let payload = fields.json("payload")?;
    let payload =
        payload.map_or_else(|| RawValue::from_string("{}".into()).ok(), |raw| Some(raw.to_owned()));
    let dispatch = Dispatch::raw(fields.tenant(defaults)?, job_type, payload)
        .map_err(|error| Reason::of(&error))?;
    let dispatch = options(dispatch, &fields, &defaults.job)?;
    dispatch.verify(defaults.now).map_err(|error| Reason::of(&error))?;
    Ok(dispatch)
}

/// What may be left out.
fn options(
    mut dispatch: Dispatch,
    fields: &Fields<'_>,
    defaults: &super::JobOptions,
) -> Result<Dispatch, Reason> {
    let (tags, metadata) =
        (fields.read::<Vec<String>>("tags", "must be a list of texts")?, fields.json("metadata")?);
    dispatch = defaults.apply(dispatch, tags.is_none(), metadata.is_none());
    if let Some(queue) = fields.read::<String>("queue", "must be a text")? {
        dispatch = dispatch.queue(queue);
    }
    if let Some(priority) = fields.read("priority", "must be a whole number from -100 to 100")? {
        dispatch = dispatch.priority(priority);
    }
    if let Some(attempts) = fields.read("max_attempts", "must be a whole number from 1 to 100")? {
        dispatch = dispatch.max_attempts(attempts);
    }
    if let Some(timeout) = fields.seconds("timeout", "must be from 1 ms to 24 h")? {
        dispatch = dispatch.timeout(timeout);
    }
    let run_at = fields.read_by("run_at", value::moment)?;
    let delay = fields.seconds("delay", "must be from 0 to 5 years")?;
    dispatch = match (run_at, delay) {
        (Some(_), Some(_)) => return Err(Reason::bad("delay", "excludes run_at")),
        (Some(at), None) => dispatch.run_at(at),
        (None, Some(delay)) => dispatch.delay(delay),
        (None, None) => dispatch,
    };
    if let Some(key) = fields.read::<String>("key", "must be a text")? {
        dispatch = dispatch.key(key);
    }
    if let Some(keep) = fields.read("keep_order", "must be true or false")? {
        dispatch = dispatch.keep_order(keep);
    }
    for tag in tags.unwrap_or_default() {
        dispatch = dispatch.tag(tag);
    }
    if let Some(metadata) = metadata {
        let metadata: Map<String, Value> = serde_json::from_str(metadata.get())
            .map_err(|_| Reason::bad("metadata", "must be an object of plain values"))?;
        for (key, value) in metadata {
            dispatch = dispatch.metadata(key, value);
        }
    }
    Ok(dispatch)
}

/// The values of a line, by their names. One that is null is as good as left out.
#[derive(Default)]
struct Fields<'a> {
    values: [Option<&'a RawValue>; NAMES.len()],
    fault: Option<&'static str>,
}

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Result<Self, Reason> {
        let fields: Self = serde_json::from_str(text).map_err(|error| {
            let rule = match error.classify() {
                serde_json::error::Category::Eof => "ends too early",
                serde_json::error::Category::Data => "must be a JSON object",
                _ => "is not JSON",
            };
            Reason::bad("line", format!("{rule} (column {})", error.column()))
        })?;
        match fields.fault {
            Some(fault) => Err(Reason::bad("line", fault)),
            None => Ok(fields),
        }
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let at = NAMES.iter().position(|known| *known == name)?;
        self.values[at].filter(|value| value.get() != "null")
    }

    /// A value of a plain shape.
    fn read<T: DeserializeOwned>(&self, name: &str, rule: &str) -> Result<Option<T>, Reason> {
        let read = |raw: &RawValue| serde_json::from_str(raw.get());
        self.get(name).map(read).transpose().map_err(|_| Reason::bad(name, rule))
    }

    /// A text, or a number, as a flag would take it.
    fn read_by<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Reason> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let text = match raw.get().as_bytes().first() {
            Some(b'"') => {
                serde_json::from_str(raw.get()).map_err(|_| Reason::bad(name, "is not a text"))?
            }
            Some(b'-' | b'0'..=b'9') => raw.get().to_owned(),
            _ => return Err(Reason::bad(name, "must be a text or a number")),
        };
        parse(&text).map(Some).map_err(|rule| Reason::bad(name, rule))
    }

    /// A number of seconds.
    fn seconds(&self, name: &str, bounds: &str) -> Result<Option<Duration>, Reason> {
        let seconds: Option<f64> = self.read(name, "must be a number of seconds")?;
        let span = seconds.map(Duration::try_from_secs_f64).transpose();
        span.map_err(|_| Reason::bad(name, bounds))
    }

    /// Any JSON in which no key comes twice.
    fn json(&self, name: &str) -> Result<Option<&'a RawValue>, Reason> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        value::check_strict(raw).map_err(|fault| Reason::bad(name, fault))?;
        Ok(Some(raw))
    }

    /// Whose job it is; the database knows whether there is a default tenant.
    fn tenant(&self, defaults: &Defaults) -> Result<Owner, Reason> {
        let named = self.read_by("tenant", |name| {
            Tenant::named(name)
                .map_err(|_| "must be 1 to 255 bytes without control characters".to_owned())
        })?;
        let id: Option<String> = self.read("tenant_id", "must be a uuid")?;
        let id = id
            .map(|id| Uuid::try_parse(&id).map_err(|_| Reason::bad("tenant_id", "must be a uuid")))
            .transpose()?;
        match (named, id) {
            (Some(_), Some(_)) => Err(Reason::bad("tenant", "excludes tenant_id")),
            (Some(tenant), None) => Ok(tenant.into()),
            (None, Some(id)) => Ok(id.into()),
            (None, None) => {
                Ok(defaults.tenant.as_ref().map_or_else(|| DefaultTenant.into(), Owner::from))
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = entries.next_key::<String>()? {
            let Some(at) = NAMES.iter().position(|name| **name == key) else {
                fields.fault = Some(
                    "has an unknown name; the names are tenant_id, tenant, type, payload, queue, priority, run_at, delay, \
                     max_attempts, timeout, tags, metadata, key, keep_order",
                );
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if fields.values[at].replace(entries.next_value()?).is_some() {
                fields.fault = Some("has the same name twice");
            }
        }
        Ok(fields)
    }
}
