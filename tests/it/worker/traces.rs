//! What the worker logs: which job, never what is in it.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use fairclaim::{Attempt, Dispatch, JobError, Outcome, Status};
use serde_json::{Value, json};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use uuid::Uuid;

use super::stage::{Running, Stage, job};

/// What no line may hold.
const SECRET: &str = "secret-4711";

/// One span or event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    level: String,
    target: String,
    name: String,
    fields: BTreeMap<String, String>,
    /// The spans that it stands in, from the outermost.
    inside: Vec<u64>,
}

impl Entry {
    pub(crate) fn says(&self, message: &str) -> bool {
        self.field("message") == Some(message)
    }

    pub(crate) fn is_of(&self, target: &str) -> bool {
        self.target == target
    }

    pub(crate) fn level_is(&self, level: &str) -> bool {
        self.level == level
    }

    /// Whether it is a line of this level whose sentence begins so.
    pub(crate) fn begins(&self, level: &str, words: &str) -> bool {
        self.level == level && self.field("message").is_some_and(|told| told.starts_with(words))
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        write!(text, "{value:?}").expect("into memory");
        self.fields.insert(field.name().to_owned(), text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}

/// Keeps everything. For one thread: what is entered is entered there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Log>);

#[derive(Debug, Default)]
struct Log {
    ids: AtomicU64,
    spans: Mutex<BTreeMap<u64, Entry>>,
    events: Mutex<Vec<Entry>>,
    entered: Mutex<Vec<u64>>,
}

impl Recorder {
    fn entry(&self, metadata: &Metadata<'_>) -> Entry {
        Entry {
            level: metadata.level().to_string(),
            target: metadata.target().to_owned(),
            name: metadata.name().to_owned(),
            inside: self.0.entered.lock().expect("a lock").clone(),
            ..Entry::default()
        }
    }

    pub(crate) fn spans(&self, name: &str) -> Vec<(u64, Entry)> {
        let spans = self.0.spans.lock().expect("a lock");
        let named = spans.iter().filter(|(_, entry)| entry.name == name);
        named.map(|(id, entry)| (*id, entry.clone())).collect()
    }

    pub(crate) fn events(&self) -> Vec<Entry> {
        self.0.events.lock().expect("a lock").clone()
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut entry = self.entry(attributes.metadata());
        attributes.record(&mut entry);
        let id = self.0.ids.fetch_add(1, SeqCst) + 1;
        self.0.spans.lock().expect("a lock").insert(id, entry);
        span::Id::from_u64(id)
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        let mut spans = self.0.spans.lock().expect("a lock");
        values.record(spans.get_mut(&id.into_u64()).expect("a span"));
    }

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut entry = self.entry(event.metadata());
        event.record(&mut entry);
        self.0.events.lock().expect("a lock").push(entry);
    }

    fn enter(&self, id: &span::Id) {
        self.0.entered.lock().expect("a lock").push(id.into_u64());
    }

    fn exit(&self, id: &span::Id) {
        let mut entered = self.0.entered.lock().expect("a lock");
        assert_eq!(entered.pop(), Some(id.into_u64()), "spans end in the order of a stack");
    }
}

/// Says something, over a pause, and ends as its job says.
async fn speak(how: Value, attempt: Attempt) -> Result<Outcome, JobError> {
    tracing::info!(number = attempt.number(), "the handler begins");
    tokio::task::yield_now().await;
    tracing::info!("the handler ends");
    match how["end"].as_str() {
        Some("complete") => Ok(Outcome::CompleteWith(how)),
        Some("panic") => panic!("it cannot be done"),
        _ => Err(JobError::retry("it was not done")),
    }
}

async fn read(_job: u64, _attempt: Attempt) -> Result<(), JobError> {
    Ok(())
}

/// The tenant of these jobs, which has no name.
const NAMELESS: Uuid = Uuid::from_u128(4711);

/// The fields that name an attempt.
fn identity(id: Uuid) -> BTreeMap<String, String> {
    let fields = [
        ("id", id.to_string()),
        ("type", "speak".into()),
        ("tenant", NAMELESS.to_string()),
        ("queue", "mail".into()),
        ("attempt", "1".into()),
    ];
    fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

// one thread, whose default the recorder is
#[tokio::test]
async fn spans_and_lines_name_the_job_and_never_hold_its_payload() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for end in ["complete", "panic", "retry"] {
        let payload = json!({"end": end, "pin": SECRET});
        let dispatch = Dispatch::raw(NAMELESS, "speak", payload).expect("a payload").queue("mail");
        ids.push(stage.send(dispatch.metadata("note", SECRET).tag(SECRET)).await);
    }
    stage.send(job("read", SECRET.into()).queue("mail")).await;
    let worker = stage.worker().await.queue("mail", 2).drain(true);
    let worker = worker.handler_for::<Value, _>("speak", speak).handler_for::<u64, _>("read", read);
    let report = Running::start(worker).ended().await;
    assert_eq!((report.completed, report.retried, report.panicked), (1, 3, 1));
    assert_eq!(stage.job(ids[0]).await.status, Status::Completed);

    let (spans, events) = (recorder.spans("attempt"), recorder.events());
    for id in ids {
        let of_job = |entry: &Entry| entry.fields.get("id") == Some(&id.to_string());
        let (span, entry) = spans.iter().find(|(_, entry)| of_job(entry)).expect("a span");
        assert_eq!((&entry.fields, entry.target.as_str()), (&identity(id), "fairclaim::worker"));
        let said = |text: &str| {
            let mut lines = events.iter().filter(|event| event.inside.contains(span));
            lines.any(|event| event.fields["message"] == text)
        };
        assert!(said("the handler begins") && said("the handler ends"), "lines of {id}");
        let claimed = events.iter().find(|event| of_job(event)).expect("a line about the claim");
        let mut fields = claimed.fields.clone();
        assert_eq!(fields.remove("message").as_deref(), Some("Claimed job"));
        assert_eq!((fields, claimed.target.as_str()), (identity(id), "fairclaim::claim"));
    }
    assert_eq!(spans.len(), 4);
    let all = format!("{spans:?} {events:?}");
    assert!(!all.contains(SECRET), "{all}");
}
