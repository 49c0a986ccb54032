//! `fairclaim doctor`, as an operator runs it: findings, exit codes, JSON.

use serde_json::Value;

use crate::support::{TestServer, fairclaim, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_what_is_wrong_and_what_to_do_and_its_exit_code_says_whether_it_is_bad() {
    let server = TestServer::bare().await;
    let early = server.fairclaim(["doctor"]).output().unwrap();
    assert_eq!(early.status.code(), Some(1));
    let text = String::from_utf8(early.stdout.clone()).unwrap();
    assert!(
        text.contains("error    schema: ") && text.contains("do: run `fairclaim migrate`"),
        "{text}"
    );
    assert!(stderr(&early).contains("error: the doctor found 1 error"), "{}", stderr(&early));
    assert!(stderr(&early).contains("hint: "), "{}", stderr(&early));

    server.run(["migrate", "--grant-self"]);
    server.dispatch("mail", 1).await;
    server.run(["work", "--drain", "--exec", "mail=cat"]);
    let healthy = server.run(["doctor"]);
    // the login may not see the transactions of others, and is told the grant
    assert_eq!(healthy.lines().filter(|line| line.starts_with("note")).count(), 1, "{healthy}");
    assert!(
        healthy.contains("pg_read_all_stats") && healthy.contains("0 errors, 0 warnings, 1 note"),
        "{healthy}"
    );

    let all = server.run(["doctor", "--verbose"]);
    assert!(all.lines().filter(|line| line.starts_with("ok ")).count() > 20, "{all}");
    assert!(!healthy.lines().any(|line| line.starts_with("ok ")), "{healthy}");

    let diagnosis: Value = serde_json::from_str(&server.run(["doctor", "--json"])).unwrap();
    assert_eq!(diagnosis["worst"], "note");
    let findings = diagnosis["findings"].as_array().unwrap();
    assert!(findings.len() > 20);
    for finding in findings {
        let is_ok = finding["level"] == "ok";
        assert!(finding["name"].is_string() && finding["seen"].is_string(), "{finding}");
        assert_eq!(finding["advice"].is_null(), is_ok, "{finding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_is_found_is_in_the_json_and_the_exit_code() {
    let server = TestServer::installed().await;
    let connection = server.client.pool().get().await.unwrap();
    connection
        .batch_execute("set role fairclaim_owner; alter table fairclaim_internal.job disable row level security; reset role")
        .await
        .unwrap();
    let output = server.fairclaim(["doctor", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(diagnosis["worst"], "error");
    let findings = diagnosis["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .any(|finding| finding["name"] == "row_security" && finding["level"] == "error")
    );
}

#[test]
fn without_a_database_the_doctor_says_how_to_name_one() {
    let none = fairclaim(["doctor"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    assert!(stderr(&none).contains("hint: set DATABASE_URL"), "{}", stderr(&none));
    let away =
        fairclaim(["doctor", "--database-url", "postgres://app@127.0.0.1:1/app"]).output().unwrap();
    assert_eq!(away.status.code(), Some(1));
    assert!(stderr(&away).contains("hint: check that PostgreSQL answers"), "{}", stderr(&away));
}
