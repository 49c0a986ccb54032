//! Results and errors of a settlement are read one by one: what cannot be stored ends its own attempt, and its neighbours settle.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    calls::{Claimed, claim_jobs, dispatch_many, refused, tenant},
    support::{Client, TestDb},
};

/// Texts that are no result, and what is wrong with each.
fn bad_results() -> Vec<(&'static str, String)> {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    vec![
        ("a NUL", r#"{"a": "\u0000"}"#.to_owned()),
        ("half a pair", r#""\ud834""#.to_owned()),
        ("the other half", r#""\udd1e""#.to_owned()),
        ("no JSON", "{secret".to_owned()),
        ("nothing", String::new()),
        ("two values", "1 2".to_owned()),
        ("a number out of range", format!("1e{}", "9".repeat(7))),
        ("too large as it is", format!("\"{}\"", "x".repeat(1_048_575))),
        ("too large as it is written", format!("[{}1]", "1e300,".repeat(5_000))),
        ("too deep", nested(129)),
        ("much too deep", nested(200_000)),
    ]
}

async fn claimed(n: i32) -> (TestDb, Client, Vec<Claimed>) {
    let db = TestDb::new().await;
    dispatch_many(&db.producer().await, tenant(1), "default", "mail", n).await;
    let worker = db.worker().await;
    let jobs = claim_jobs(&worker, n, &mut None).await;
    assert_eq!(jobs.len(), usize::try_from(n).expect("a count"));
    (db, worker, jobs)
}

/// Settles all; kind and status of each.
async fn settle(
    worker: &Client,
    jobs: &[Claimed],
    outcomes: &[&str],
    results: &[Option<&str>],
    errors: &[Option<&str>],
) -> Vec<(String, Option<String>)> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempts).collect();
    let tokens: Vec<Uuid> = jobs.iter().map(|job| job.token).collect();
    let sql =
        "select id, kind, status from fairclaim.settle_jobs('worker', $1, $2, $3, $4, $5, $6)";
    let rows = worker
        .query(sql, &[&ids, &attempts, &tokens, &outcomes, &results, &errors])
        .await
        .expect("settle_jobs");
    assert_eq!(rows.iter().map(|row| row.get::<_, Uuid>(0)).collect::<Vec<_>>(), ids);
    rows.iter().map(|row| (row.get(1), row.get(2))).collect()
}

fn as_status(status: &str) -> (String, Option<String>) {
    ("settled".to_owned(), Some(status.to_owned()))
}

/// Result and error of each job.
async fn kept(db: &TestDb) -> BTreeMap<Uuid, (Option<Value>, Option<Value>)> {
    let sql = "select id, result, error from fairclaim_internal.finished";
    let rows = db.owner().await.query(sql, &[]).await.expect("finished");
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

#[tokio::test]
async fn a_bad_result_among_a_thousand_fails_its_own_job_and_no_other() {
    for (what, bad) in bad_results() {
        let (db, worker, jobs) = claimed(1_000).await;
        let outcomes = vec!["complete"; jobs.len()];
        let mut results = vec![Some(r#"{"ok": 1.10}"#); jobs.len()];
        results[499] = Some(&bad);
        results[7] = None;
        let answers = settle(&worker, &jobs, &outcomes, &results, &vec![None; jobs.len()]).await;
        for (n, answer) in answers.iter().enumerate() {
            let expected = if n == 499 { "failed" } else { "completed" };
            assert_eq!(*answer, as_status(expected), "{n} beside {what}");
        }
        let kept = kept(&db).await;
        let (result, error) = &kept[&jobs[499].id];
        assert_eq!(
            (result, &error.as_ref().expect(what)["code"]),
            (&None, &json!("result_invalid"))
        );
        assert!(!error.as_ref().expect(what).to_string().contains("secret"), "{what}");
        assert_eq!(kept[&jobs[498].id].0.as_ref().expect("a result").to_string(), r#"{"ok":1.1}"#);
        assert_eq!(kept[&jobs[7].id], (None, None));
        // the same settlement once more: its answer was lost
        let again = settle(&worker, &jobs, &outcomes, &results, &vec![None; jobs.len()]).await;
        assert!(again.iter().all(|(kind, _)| kind == "already"), "{what}: {:?}", again[499]);
    }
}

#[tokio::test]
async fn a_bad_result_of_a_single_job_fails_it() {
    for (what, bad) in bad_results() {
        let (db, worker, jobs) = claimed(1).await;
        let answers = settle(&worker, &jobs, &["complete"], &[Some(&bad)], &[None]).await;
        assert_eq!(answers, [as_status("failed")], "{what}");
        let history = "select error ->> 'code' from fairclaim_internal.attempt_error";
        let row = db.owner().await.query_one(history, &[]).await.expect("its history");
        assert_eq!(row.get::<_, &str>(0), "result_invalid", "{what}");
    }
}

#[tokio::test]
async fn what_may_be_a_result_is_kept() {
    let deep = "[".repeat(128) + &"]".repeat(128);
    let largest = format!("\"{}\"", "x".repeat(1_048_574));
    let spaced = format!("[1{}, 2]", " ".repeat(2_000_000));
    let good =
        ["null", "\"\\\\u0000\"", "[]", deep.as_str(), largest.as_str(), spaced.as_str(), "\"😀\""];
    let (db, worker, jobs) = claimed(i32::try_from(good.len()).expect("a few")).await;
    let results: Vec<Option<&str>> = good.iter().map(|text| Some(*text)).collect();
    let outcomes = vec!["complete"; jobs.len()];
    let answers = settle(&worker, &jobs, &outcomes, &results, &vec![None; jobs.len()]).await;
    assert!(answers.iter().all(|answer| *answer == as_status("completed")), "{answers:?}");
    // compared by the database: so deep a value is more than a client's parser takes
    let same = "select result = $2::text::jsonb from fairclaim_internal.finished where id = $1";
    let owner = db.owner().await;
    for (job, text) in jobs.iter().zip(good) {
        let row = owner.query_one(same, &[&job.id, &text]).await.expect("finished");
        assert!(row.get::<_, bool>(0), "{}", &text[..text.len().min(20)]);
    }
}

#[tokio::test]
async fn an_unstorable_error_is_replaced_and_its_outcome_stands() {
    let bad: Vec<_> =
        bad_results().into_iter().filter(|(what, _)| !what.starts_with("too ")).collect();
    for (what, bad) in bad {
        let (db, worker, jobs) = claimed(4).await;
        let errors = [
            Some(bad.as_str()),
            Some(bad.as_str()),
            Some(bad.as_str()),
            Some(r#"{"code": "good"}"#),
        ];
        let outcomes = ["fail", "cancel", "retry", "fail"];
        let answers = settle(&worker, &jobs, &outcomes, &[None; 4], &errors).await;
        let expected = ["failed", "cancelled", "scheduled", "failed"].map(as_status);
        assert_eq!(answers, expected, "{what}");
        let kept = kept(&db).await;
        let invalid = json!({"code": "error_invalid"});
        assert_eq!(kept[&jobs[0].id].1, Some(invalid.clone()), "{what}");
        assert_eq!(kept[&jobs[1].id].1, Some(invalid), "{what}");
        assert_eq!(kept[&jobs[3].id].1, Some(json!({"code": "good"})), "{what}");
    }
}

/// A bad result and a bad error beside each other, and outcomes of all kinds.
#[tokio::test]
async fn every_item_is_judged_by_itself() {
    let (db, worker, jobs) = claimed(6).await;
    let outcomes = ["complete", "fail", "complete", "release", "retry", "snooze"];
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let tokens: Vec<Uuid> = jobs.iter().map(|job| job.token).collect();
    let results = [Some("{"), None, Some("7"), None, None, None];
    let errors = [None, Some("}"), None, None, Some("\"in words\""), None];
    let delays = [None, None, None, None, Some(5.0), Some(5.0)];
    let sql = "select kind, status from fairclaim.settle_and_claim('worker', $1, array_fill(1, array[6]), $2, $3, $4, $5, $6, null, 0)";
    let rows = worker
        .query(
            sql,
            &[
                &ids,
                &tokens,
                &outcomes.as_slice(),
                &results.as_slice(),
                &errors.as_slice(),
                &delays.as_slice(),
            ],
        )
        .await
        .expect("settle_and_claim");
    let answers: Vec<(&str, Option<&str>)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = ["failed", "failed", "completed", "pending", "scheduled", "scheduled"];
    assert_eq!(answers[..6], expected.map(|status| ("settled", Some(status))));
    assert_eq!(answers[6].0, "next");
    let sql = "select error from fairclaim_internal.attempt_error where id = $1";
    let row = db.owner().await.query_one(sql, &[&ids[4]]).await.expect("its history");
    assert_eq!(row.get::<_, Value>(0), json!({"message": "in words"}));
}

/// A text that is none is the call's own fault: no item could be told from another.
#[tokio::test]
async fn bad_encoding_refuses_the_whole_call() {
    let (_db, worker, jobs) = claimed(2).await;
    let sql = "select * from fairclaim.settle_jobs('worker', $1, array[1, 1], $2, array['complete', 'complete'],
                 array[convert_from('\\xff', 'UTF8'), '1'])";
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let tokens: Vec<Uuid> = jobs.iter().map(|job| job.token).collect();
    refused(worker.query(sql, &[&ids, &tokens]).await, "22021");
}
