//! What becomes of the code of an attempt's error: a short word that may be shown to operators who see no payload, or nothing.

use serde_json::{Value, json};

use crate::{
    calls::{claim_job, dispatch, tenant},
    support::TestDb,
};

#[tokio::test]
async fn an_errors_code_is_a_short_word_or_dropped() {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let long = "m".repeat(20_000);
    let of = |code: &str| json!({"code": code, "message": "it failed", "more": 1});
    let dropped = json!({"message": "it failed", "more": 1});
    let cut =
        |code: Value| json!({"code": code, "message": &long[..900], "trace": null, "cut": true});
    let table: Vec<(Value, Value)> = vec![
        (of("a"), of("a")),
        (of("SMTP.5xx_a:b-c"), of("SMTP.5xx_a:b-c")),
        (of(&"c".repeat(64)), of(&"c".repeat(64))),
        (of(&"c".repeat(65)), dropped.clone()),
        (of(""), dropped.clone()),
        (of("two words"), dropped.clone()),
        (of("a\n"), dropped.clone()),
        (of("ä"), dropped.clone()),
        (of("\u{1b}[31m"), dropped.clone()),
        (json!({"code": 7, "message": "it failed", "more": 1}), of("7")),
        (json!({"code": -1.5, "message": "it failed", "more": 1}), of("-1.5")),
        (json!({"code": null, "message": "it failed", "more": 1}), dropped.clone()),
        (json!({"code": {"secret": "x"}, "message": "it failed", "more": 1}), dropped.clone()),
        (dropped.clone(), dropped.clone()),
        (json!({"code": "smtp", "message": long}), cut(json!("smtp"))),
        (json!({"code": "s".repeat(12_000), "message": long}), cut(Value::Null)),
        // short enough once the code is gone
        (
            json!({"code": "s".repeat(20_000), "message": "it failed"}),
            json!({"message": "it failed"}),
        ),
    ];
    for (given, kept) in table {
        for outcome in ["fail", "retry"] {
            let id = dispatch(&producer, tenant(1), "mail").await;
            let job = claim_job(&worker, "w").await.expect("a job");
            let sql = "select kind = 'settled' from fairclaim.settle_jobs('w', array[$1::uuid], array[1], array[$2::uuid], array[$3::text],
                         null, array[$4::jsonb::text])";
            let row = worker.query_one(sql, &[&job.id, &job.token, &outcome, &given]).await;
            assert!(row.expect("settle_jobs").get::<_, bool>(0), "an error is never refused");
            let sql = "select error from fairclaim_internal.attempt_error where id = $1";
            let row = owner.query_one(sql, &[&id]).await.expect("attempt_error");
            assert_eq!(row.get::<_, Value>(0), kept, "{outcome} with {given}");
        }
    }
}
