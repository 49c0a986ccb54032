//! Jobs that kill their worker, among those of somebody else.

use std::time::{Duration, Instant};

use fairclaim::{Dispatch, Tenant};
use serde_json::json;

use super::super::audit::{Audit, MayFail};
use super::super::workers::{Orders, Workers, booked};
use super::super::{Size, Stage};

const LIMIT: Duration = Duration::from_secs(1500);

/// Bound: every job of the innocent tenant completes, and every poison job fails as lost after
/// killing three workers.
pub(crate) async fn poison_harms_its_own_tenant_only(size: Size) {
    let stage = Stage::new().await;
    let (poison, innocent) = size.of((3, 60), (200, 10_000));
    let dispatch = async |name: &str, job_type: &str, count: usize| {
        let tenant = Tenant::named(name).unwrap();
        let jobs = (0..count)
            .map(|n| Dispatch::raw(&tenant, job_type, json!({ "n": n })).unwrap().max_attempts(1));
        stage.server.client.dispatch_many(jobs).await.unwrap();
    };
    dispatch("poisoner", "poison", poison).await;
    dispatch("innocent", "job", innocent).await;
    let mut orders = Orders::plain(&stage, "1s");
    // 10,000 of them: what they do must not be what takes the time
    orders.handlers = vec![format!("job={}", booked(&stage, ":"))];
    orders.handlers.push(format!(
        "poison=echo $FAIRCLAIM_JOB_ID $FAIRCLAIM_ATTEMPT >> {}; kill -9 $PPID",
        stage.starts.display()
    ));
    orders.concurrency = 8;
    let began = Instant::now();
    let mut workers = Workers::start(&stage, size.of(2, 4), orders);
    let total = i64::try_from(poison + innocent).unwrap();
    while stage.number("select count(*) from fairclaim_internal.finished").await < total {
        assert!(began.elapsed() < LIMIT, "{}", Audit::of(&stage).await);
        for _ in 0..10 {
            workers.revive();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    println!(
        "poison: {poison} among {innocent}, {} workers died, all over after {:.0?}",
        workers.deaths,
        began.elapsed()
    );
    workers.stop();
    Audit::of(&stage).await.pass("poison", MayFail::Poison(poison));
    let ends = "select j.type || ' ' || f.status || coalesce(' ' || (f.error ->> 'code'), ''), count(*), max(f.attempts)
      from fairclaim_internal.finished f join fairclaim_internal.job j using (id) group by 1 order by 1";
    let rows = stage.ask(ends, &[]).await;
    let found: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    println!(
        "poison: {found:?}, at most {:?} claims",
        rows.iter().map(|row| row.get(2)).collect::<Vec<i32>>()
    );
    let count = |count: usize| i64::try_from(count).unwrap();
    assert_eq!(
        found,
        [
            ("job completed".to_owned(), count(innocent)),
            ("poison failed lost".to_owned(), count(poison))
        ]
    );
}
