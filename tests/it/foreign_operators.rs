//! Whoever may create in a schema of the search path can make operators that fit an untyped literal better than the server's own.
//! The library's statements must not meet them.

use std::time::Duration;

use fairclaim::{Client, Dispatch};
use serde_json::json;

use crate::{
    calls::{claim_job, tick},
    support::TestDb,
    worker::stage::acme,
};

/// For `jsonb` and a literal without a type, each of these is preferred to the server's `(jsonb, text)`; all of them fail.
const TRAPS: &str = "
    create schema traps;
    create function traps.trap(jsonb, jsonb) returns jsonb language plpgsql as $$ begin raise 'trapped'; end $$;
    create function traps.trap_yes(jsonb, jsonb) returns boolean language plpgsql as $$ begin raise 'trapped'; end $$;
    create operator traps.? (leftarg = jsonb, rightarg = jsonb, function = traps.trap_yes);
    create operator traps.- (leftarg = jsonb, rightarg = jsonb, function = traps.trap);
    create operator traps.->> (leftarg = jsonb, rightarg = jsonb, function = traps.trap);
    grant usage on schema traps to public";

#[tokio::test(flavor = "multi_thread")]
async fn delayed_jobs_are_dispatched_beside_operators_that_fit_better() {
    let db = TestDb::with_test_clock().await;
    db.session("test_installer").await.batch_execute(TRAPS).await.expect("the traps");
    // as a login may be set up whose own objects come first
    let url =
        format!("{}?options=-csearch_path%3Dtraps%2Cpg_catalog", db.direct_url("test_producer"));
    let client = Client::connect(&url).await.expect("connect");
    let job = || Dispatch::raw(acme(), "mail", json!({})).expect("a payload");
    let jobs = [job().delay(Duration::from_secs(2)), job()];
    assert_eq!(client.dispatch_many(jobs).await.expect("dispatch_many").len(), 2);
    client.dispatch(job().delay(Duration::from_secs(2))).await.expect("dispatch");
    let worker = db.worker().await;
    assert!(claim_job(&worker, "w").await.is_some(), "what is not delayed");
    assert!(claim_job(&worker, "w").await.is_none(), "the others are");
    db.advance("3 s").await;
    tick(&worker).await;
    for _ in 0..2 {
        assert!(claim_job(&worker, "w").await.is_some());
    }
}
