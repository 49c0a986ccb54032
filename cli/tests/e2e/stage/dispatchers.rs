//! Applications that dispatch all the time. A call whose outcome nobody knows is looked up before
//! it is repeated.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fairclaim::{Client, Dispatch, Tenant};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;
use uuid::Uuid;

use super::{PATIENCE, Stage, ask_once};

/// An application gives a call up after so long; then its outcome is unknown.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// How often is looked whether they are too far ahead of the workers, and how long that may take.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_LIMIT: Duration = Duration::from_secs(5);
const NOT_ENDED: &str =
    "select (select count(*) from fairclaim_internal.ready) + (select count(*) from fairclaim_internal.scheduled)
  + (select count(*) from fairclaim_internal.running)";

/// What they have met.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Jobs whose dispatch is known to have happened.
    pub(crate) answered: AtomicUsize,
    /// Calls that broke: what they dispatched may be there.
    pub(crate) unknown: AtomicUsize,
    /// Of those, how many turned out to have happened.
    pub(crate) happened: AtomicUsize,
}

pub(crate) struct Dispatchers {
    stop: Arc<AtomicBool>,
    pub(crate) tally: Arc<Tally>,
    handles: Vec<JoinHandle<()>>,
    /// Somebody wants to see an answer now, however much there is to do already.
    urged: Arc<AtomicUsize>,
    watcher: Option<JoinHandle<()>>,
}

/// How they dispatch.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    pub(crate) url: String,
    pub(crate) count: usize,
    /// Between two calls of one of them.
    pub(crate) pause: Duration,
    /// Jobs of a call: one to this many.
    pub(crate) most: usize,
    /// What is dispatched at first, so that there is always something to do.
    pub(crate) backlog: usize,
    /// They wait while more jobs than this have not ended: else the workers, who die all the time,
    /// would never be done in the end.
    pub(crate) ahead: Option<usize>,
    /// They look whether a call without an answer has happened; those of a negative control just
    /// repeat it.
    pub(crate) careful: bool,
}

impl Pace {
    pub(crate) fn gentle(stage: &Stage) -> Self {
        let pause = Duration::from_millis(120);
        Self {
            url: stage.server.url.clone(),
            count: 2,
            pause,
            most: 3,
            backlog: 100,
            ahead: Some(300),
            careful: true,
        }
    }
}

struct Dispatcher {
    name: String,
    pace: Pace,
    /// Past the proxy, for looking things up.
    direct: String,
    answered: std::fs::File,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    /// There is enough to do.
    enough: Arc<AtomicBool>,
    urged: Arc<AtomicUsize>,
}

impl Dispatchers {
    pub(crate) fn start(stage: &Stage, pace: &Pace) -> Self {
        let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
        let (enough, urged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let watcher = pace
            .ahead
            .map(|most| tokio::spawn(watch(stage.server.url.clone(), most, Arc::clone(&enough))));
        let open = || std::fs::OpenOptions::new().create(true).append(true).open(&stage.answered);
        let handles = (0..pace.count).map(|index| {
            let dispatcher = Dispatcher {
                name: format!("dispatcher-{index}"),
                pace: pace.clone(),
                direct: stage.server.url.clone(),
                answered: open().unwrap(),
                tally: Arc::clone(&tally),
                stop: Arc::clone(&stop),
                enough: Arc::clone(&enough),
                urged: Arc::clone(&urged),
            };
            tokio::spawn(dispatcher.run())
        });
        Self { handles: handles.collect(), stop, tally, urged, watcher }
    }

    /// As long as what this returns lives they dispatch, however far ahead they are.
    pub(crate) fn urge(&self) -> Urge {
        self.urged.fetch_add(1, Ordering::SeqCst);
        Urge(Arc::clone(&self.urged))
    }

    pub(crate) async fn finish(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for handle in std::mem::take(&mut self.handles) {
            handle.await.expect("a dispatcher failed");
        }
        let (unknown, happened) = (&self.tally.unknown, &self.tally.happened);
        println!(
            "dispatchers: {unknown:?} calls without an answer, {happened:?} of them had happened"
        );
    }

    /// All of them are gone in the middle of what they do.
    pub(crate) fn kill(&self) {
        self.handles.iter().for_each(JoinHandle::abort);
    }

    pub(crate) fn answered(&self) -> usize {
        self.tally.answered.load(Ordering::SeqCst)
    }
}

impl Drop for Dispatchers {
    fn drop(&mut self) {
        self.handles.iter().chain(&self.watcher).for_each(JoinHandle::abort);
    }
}

pub(crate) struct Urge(Arc<AtomicUsize>);

impl Drop for Urge {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Beside the dispatchers, so that what stops these looks (a lock, a server that is away) does not
/// stop them.
async fn watch(url: String, most: usize, enough: Arc<AtomicBool>) {
    loop {
        let look = tokio::time::timeout(LOOK_LIMIT, ask_once(&url, NOT_ENDED, &[])).await;
        if let Ok(Ok(rows)) = look {
            let not_ended = usize::try_from(rows[0].get::<_, i64>(0)).unwrap();
            enough.store(not_ended > most, Ordering::SeqCst);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Dispatcher {
    async fn run(mut self) {
        let separator = if self.pace.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}application_name={}", self.pace.url, self.name);
        let client = self.connect(&url).await;
        for call in 0.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let count = if call == 0 { self.pace.backlog } else { 1 + call % self.pace.most };
            self.call(&client, call, count).await;
            tokio::time::sleep(self.pace.pause).await;
            while self.is_far_ahead() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    fn is_far_ahead(&self) -> bool {
        self.enough.load(Ordering::SeqCst)
            && self.urged.load(Ordering::SeqCst) == 0
            && !self.stop.load(Ordering::SeqCst)
    }

    /// The server may be away just then.
    async fn connect(&self, url: &str) -> Client {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Client::connect(url).await {
                Ok(client) => return client,
                Err(error) => assert!(
                    error.is_transient() && Instant::now() < deadline,
                    "{}: {error:?}",
                    self.name
                ),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// One batch, as often as it takes; it is there once in the end.
    async fn call(&mut self, client: &Client, call: usize, count: usize) {
        let mark = format!("{} {call}", self.name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let jobs = (0..count).map(|n| {
                let tenant = Tenant::named(["acme", "bolt", "cove"][(call + n) % 3]).unwrap();
                Dispatch::raw(tenant, "job", json!({ "mark": format!("{mark} {n}") })).unwrap()
            });
            match tokio::time::timeout(CALL_LIMIT, client.dispatch_many(jobs)).await {
                Ok(Ok(ids)) => return self.note(&ids),
                Ok(Err(error)) if !error.is_transient() => panic!("{}: {error:?}", self.name),
                Ok(Err(_)) | Err(_) => {}
            }
            assert!(Instant::now() < deadline, "{mark} cannot be dispatched");
            self.tally.unknown.fetch_add(1, Ordering::SeqCst);
            if !self.pace.careful {
                continue;
            }
            if let Some(ids) = self.look_up(&mark, count).await {
                self.tally.happened.fetch_add(1, Ordering::SeqCst);
                return self.note(&ids);
            }
        }
    }

    fn note(&mut self, ids: &[Uuid]) {
        let lines: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        // in one piece: others write into the same file
        self.answered.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
        self.tally.answered.fetch_add(ids.len(), Ordering::SeqCst);
    }

    /// Whether a call has happened. Its session is ended first: a statement that is still under way
    /// could commit after the look.
    async fn look_up(&self, mark: &str, count: usize) -> Option<Vec<Uuid>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(ids) = self.try_look_up(mark).await {
                assert!(ids.is_empty() || ids.len() == count, "half a batch is there: {mark}");
                return (!ids.is_empty()).then_some(ids);
            }
            assert!(Instant::now() < deadline, "the server stayed away");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn try_look_up(&self, mark: &str) -> Result<Vec<Uuid>, tokio_postgres::Error> {
        let (client, link) = tokio_postgres::connect(&self.direct, NoTls).await?;
        let link = tokio::spawn(link);
        let end =
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1";
        while !client.query(end, &[&self.name]).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(client);
        link.abort();
        let find =
            "select id from fairclaim_internal.job where payload ->> 'mark' like $1 order by id";
        let rows = ask_once(&self.direct, find, &[&format!("{mark} %")]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
