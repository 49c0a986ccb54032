//! A whole run of `work` with the most talkative log, on jobs that end in every way there is: the
//! mark of their payloads, results and errors is in the database, and in nothing that anybody else
//! sees.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fairclaim::{Dispatch, Status, Tenant};
use serde_json::json;
use tokio_postgres::{AsyncMessage, NoTls};
use uuid::Uuid;

use super::{
    MARK, quotes_nothing,
    support::{PATIENCE, TestServer, start},
};

/// Types, and the commands that run them. Each has the payload, with its mark, on stdin.
const HANDLERS: &[&str] = &[
    "--exec=json=cat",
    "--exec=text=sed s/pin/word/ | tr -d '{}'",
    "--exec=hopeless=cat >&2; exit 65",
    "--exec=again=cat >&2; exit 75",
    "--exec=odd=cat; cat >&2; exit 3",
    "--exec=crash=cat; kill -SEGV $$",
    "--exec=abort=p=$(cat); echo \"$p\" >&2; kill -ABRT $$",
    "--exec=nap=cat >&2; echo 900; exit 99",
    "--exec=nul=cat; printf '\\000'",
    "--exec=latin=cat; printf '\\377'",
    "--exec=huge=cat; head -c 2000000 /dev/zero | tr '\\0' m",
    // a megabyte to the database only, which refuses it
    "--exec=digits=p=$(cat); printf '[%s' \"$p\"; yes ,1e300 | head -n 4000 | tr -d '\\n'; printf ']'",
    "--exec=slow=cat; sleep 300",
    "--exec=unwanted=cat; sleep 300",
    "--exec=stolen=cat; until [ -e \"$GO\" ]; do sleep 0.05; done",
    "--exec=left=cat; sleep 300",
];

/// What a command writes to stderr is its own, and in the log unless somebody says no.
const FLAGS: [&str; 11] = [
    "work",
    "--queue",
    "default:32",
    "--worker-id",
    "w-1",
    "--lease",
    "3s",
    "--grace",
    "1s",
    "--show-output",
    "none",
];

const FAILED: &[&str] =
    &["hopeless", "again", "odd", "crash", "abort", "nul", "latin", "huge", "digits", "slow"];

fn job(job_type: &str) -> Dispatch {
    let tenant = Tenant::named("acme").unwrap();
    let job = Dispatch::raw(tenant, job_type, json!({"pin": MARK})).unwrap();
    job.metadata("note", MARK).tag(MARK).max_attempts(1)
}

/// Everything that is notified on our channel.
async fn listen(url: &str) -> (tokio_postgres::Client, Arc<Mutex<Vec<String>>>) {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                kept.lock().unwrap().push(notification.payload().to_owned());
            }
        }
    });
    client.batch_execute("listen fairclaim").await.unwrap();
    (client, heard)
}

/// Waits until a job has a status.
async fn until(server: &TestServer, id: Uuid, status: Status) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let job = server.job(id).await;
        if job.status == status {
            return;
        }
        assert!(Instant::now() < deadline, "{} is never {status}: {}", job.job_type, job.status);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ends a running attempt behind its worker's back.
async fn steal(server: &TestServer, id: Uuid) {
    let sql = format!(
        "select lease_token, attempt::int from fairclaim_internal.running where id = '{id}'"
    );
    let running = server.read(&sql).await;
    let (token, attempt): (Uuid, i32) = (running[0].get(0), running[0].get(1));
    let connection = server.client.pool().get().await.unwrap();
    let sql = "select kind = 'settled' from fairclaim.settle_jobs('thief', array[$1::uuid], array[$2::int], array[$3::uuid], array['cancel'])";
    let row = connection.query_one(sql, &[&id, &attempt, &token]).await.unwrap();
    assert!(row.get::<_, bool>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_run_says_nothing_of_what_is_in_the_jobs() {
    let server = TestServer::installed().await;
    let (listener, heard) = listen(&server.url).await;
    let mut failed = Vec::new();
    for job_type in FAILED {
        let job = job(job_type);
        let job = if *job_type == "slow" { job.timeout(Duration::from_millis(300)) } else { job };
        failed.push(server.client.dispatch(job).await.unwrap());
    }
    let done = [
        server.client.dispatch(job("json")).await.unwrap(),
        server.client.dispatch(job("text")).await.unwrap(),
    ];
    let nap = server.client.dispatch(job("nap")).await.unwrap();
    let [unwanted, stolen, left] = [
        server.client.dispatch(job("unwanted")).await.unwrap(),
        server.client.dispatch(job("stolen")).await.unwrap(),
        server.client.dispatch(job("left")).await.unwrap(),
    ];
    let go = server.postgres.directory().with_extension("go");
    let mut work = server.fairclaim(FLAGS.into_iter().chain(HANDLERS.iter().copied()));
    let worker = start(work.env("RUST_LOG", "trace").env("GO", &go));

    for id in [unwanted, stolen, left] {
        until(&server, id, Status::Processing).await;
    }
    server.client.cancel(None, &[unwanted]).await.unwrap();
    steal(&server, stolen).await;
    std::fs::write(&go, "").unwrap();
    for &id in &failed {
        until(&server, id, Status::Failed).await;
    }
    for id in done {
        until(&server, id, Status::Completed).await;
    }
    until(&server, unwanted, Status::Cancelled).await;
    until(&server, nap, Status::Scheduled).await;
    // only an idle worker is woken, so it may take some
    let deadline = Instant::now() + PATIENCE;
    while heard.lock().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "no dispatch woke anybody");
        server.client.dispatch(job("json")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        listener.batch_execute("select 1").await.unwrap();
    }
    let names = server.read("select application_name from pg_stat_activity").await;
    worker.signal("TERM");
    let ended = worker.end();
    std::fs::remove_file(&go).unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{said}");
    assert_eq!(server.job(left).await.status, Status::Pending);

    quotes_nothing("the log", &said);
    quotes_nothing("its output", &String::from_utf8(ended.stdout).unwrap());
    for name in names {
        quotes_nothing("application_name", name.get::<_, Option<&str>>(0).unwrap_or_default());
    }
    for payload in heard.lock().unwrap().iter() {
        assert!(["", "due", "cancel"].contains(&payload.as_str()), "{payload}");
    }
    was_what_it_was_meant_to_be(&server, &said, done).await;
}

/// The jobs ended in all these ways, and the mark is in the database.
async fn was_what_it_was_meant_to_be(server: &TestServer, said: &str, done: [Uuid; 2]) {
    for line in ["Claimed job", "code=\"result_invalid\"", "lease lost", "is to be cancelled"] {
        assert!(said.contains(line), "{line:?} is missing: {said}");
    }
    assert_eq!(server.job(done[0]).await.result, Some(json!({"pin": MARK})));
    assert!(server.job(done[1]).await.result.unwrap().to_string().contains(MARK));
    let sql = format!(
        "select count(*) from fairclaim_internal.finished f where f.error::text like '%{MARK}%'"
    );
    let told: i64 = server.read(&sql).await[0].get(0);
    assert!(told >= 3, "{told} errors hold the mark");
}
