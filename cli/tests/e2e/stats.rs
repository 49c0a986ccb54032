//! Figures of tenants and queues, and why a job waits, as an operator types them.

use serde_json::Value;

use crate::support::{TestServer, stderr};

fn json(server: &TestServer, args: &[&str]) -> Value {
    let answer = server.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{args:?}: {error}: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_reasons_are_told_in_tables_and_in_json() {
    let server = TestServer::installed().await;
    let ids = server.dispatch("mail", 40).await; // for acme and bolt, in turn
    let session = server.client.pool().get().await.unwrap();
    session.batch_execute("select fairclaim.tick()").await.unwrap();

    let queues = server.run(["queues", "stats"]);
    let heading = "QUEUE    WAITING  OLDEST  RUNNING  IN  DONE  FAILED  WAIT  RUN  FAIR\n";
    assert!(queues.starts_with(heading), "{queues}");
    let line = queues.lines().nth(1).expect("a queue");
    assert!(line.starts_with("default  40  "), "{queues}");
    assert_eq!(json(&server, &["queues", "stats", "default"])["queues"][0]["waiting"], 40);
    assert_eq!(server.run(["queues", "stats", "nothing"]), "no queues\n");

    let tenants = server.run(["tenants", "list", "--sort", "waiting"]);
    assert!(tenants.starts_with("TENANT"), "{tenants}");
    assert_eq!(tenants.lines().count(), 3, "{tenants}");
    assert_eq!(
        tenants.lines().filter(|line| line.contains("  default  1       20  ")).count(),
        2,
        "{tenants}"
    );
    let page = json(&server, &["tenants", "list", "--limit", "1"]);
    let next = page["next"].as_str().expect("there is more");
    let rest = json(&server, &["tenants", "list", "--limit", "1", "--after", next]);
    assert_eq!((page["tenants"][0]["waiting"].as_i64(), &rest["next"]), (Some(20), &Value::Null));
    assert_ne!(page["tenants"][0]["tenant_id"], rest["tenants"][0]["tenant_id"]);
    assert_eq!(server.run(["tenants", "list", "--search", "nobody"]), "no tenants\n");

    let id = ids[0].to_string();
    let why = server.run(["jobs", "why", &id]);
    assert_eq!(
        why,
        "REASON  DETAIL\nbehind  no job is ahead of it: the next worker that is free takes it\n"
    );
    server.run(["queues", "pause", "default"]);
    let reasons = json(&server, &["jobs", "why", &id, "--tenant", "acme"]);
    assert_eq!(reasons["reasons"][0]["reason"], "queue_paused");
    assert_eq!(reasons["reasons"][1]["position"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_wrong_flags_are_refused() {
    let server = TestServer::installed().await;
    for (args, code) in [
        (vec!["jobs", "why", "00000000-0000-7000-8000-000000000000"], 1),
        (vec!["jobs", "why", "7"], 2),
        (vec!["tenants", "list", "--sort", "name"], 2),
        (vec!["tenants", "list", "--limit", "0"], 2),
        (vec!["tenants", "list", "--after", "x"], 2),
    ] {
        let output = server.fairclaim(args.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty(), "{args:?}");
    }
}
