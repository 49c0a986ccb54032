//! Jobs that kill their worker, among those of somebody else.

use std::time::{Duration, Instant};

use fairclaim::{Dispatch, Tenant};
use serde_json::json;

use super::super::audit::{Audit, MayFail};
use super::super::crew::{Crew, Orders, booked};
use super::super::{Rig, Size};

const LIMIT: Duration = Duration::from_secs(1500);

/// Bound: every job of the innocent tenant completes, and every poison job fails as lost after killing three workers.
pub(crate) async fn poison_harms_its_own_tenant_only(size: Size) {
    let rig = Rig::new().await;
    let (poison, innocent) = size.of((3, 60), (200, 10_000));
    let dispatch = async |name: &str, job_type: &str, count: usize| {
        let tenant = Tenant::named(name).unwrap();
        let jobs = (0..count)
            .map(|n| Dispatch::raw(&tenant, job_type, json!({ "n": n })).unwrap().max_attempts(1));
        rig.place.client.dispatch_many(jobs).await.unwrap();
    };
    dispatch("poisoner", "poison", poison).await;
    dispatch("innocent", "job", innocent).await;
    let mut orders = Orders::plain(&rig, "1s");
    // 10,000 of them: what they do must not be what takes the time
    orders.handlers = vec![format!("job={}", booked(&rig, ":"))];
    orders.handlers.push(format!(
        "poison=echo $FAIRCLAIM_JOB_ID $FAIRCLAIM_ATTEMPT >> {}; kill -9 $PPID",
        rig.starts.display()
    ));
    orders.concurrency = 8;
    let began = Instant::now();
    let mut crew = Crew::start(&rig, size.of(2, 4), orders);
    let total = i64::try_from(poison + innocent).unwrap();
    while rig.number("select count(*) from fairclaim_internal.finished").await < total {
        assert!(began.elapsed() < LIMIT, "{}", Audit::of(&rig).await);
        for _ in 0..10 {
            crew.revive();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    println!(
        "poison: {poison} among {innocent}, {} workers died, all over after {:.0?}",
        crew.deaths,
        began.elapsed()
    );
    crew.stop();
    Audit::of(&rig).await.pass("poison", MayFail::Poison(poison));
    let ends = "select j.type || ' ' || f.status || coalesce(' ' || (f.error ->> 'code'), ''), count(*), max(f.attempts)
      from fairclaim_internal.finished f join fairclaim_internal.job j using (id) group by 1 order by 1";
    let rows = rig.ask(ends, &[]).await;
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
