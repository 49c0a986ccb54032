//! The built binary behind a transaction pooler that lends two sessions to everybody. What a
//! command did is looked up in the tables, on the way past the pooler.

use std::process::Output;

use serde_json::{Value, json};

use test_support::pooler::Pooler;

use crate::lines::{Folder, numbers, payloads};
use crate::support::{TestServer, fairclaim, stderr};

/// A database, and a pooler before it.
struct Behind {
    url: String,
    _pooler: Pooler,
    server: TestServer,
}

impl Behind {
    fn of(server: TestServer) -> Self {
        let pooler = Pooler::start(&server.url, &["app"], 2).unwrap_or_else(|why| panic!("{why}"));
        Self { url: pooler.through(&server.url), _pooler: pooler, server }
    }

    async fn installed() -> Self {
        Self::of(TestServer::installed().await)
    }

    fn output(&self, args: &[&str]) -> Output {
        let mut command = fairclaim(args.iter().copied());
        command.env("DATABASE_URL", &self.url).output().unwrap()
    }

    /// Runs a command that must succeed; answers its stdout.
    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[args, &["--json"]].concat())).unwrap()
    }

    /// The ids that a list has.
    fn listed(&self, flags: &[&str]) -> Vec<String> {
        let page = self.json(&[&["jobs", "list"], flags].concat());
        let ids = page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    }

    async fn number(&self, sql: &str) -> i64 {
        self.server.read(sql).await[0].get(0)
    }

    /// How many jobs of a type wait, and how many were cancelled.
    async fn waiting_and_cancelled(&self, job_type: &str) -> (i64, i64) {
        let of = |table: &str, more: &str| {
            format!(
                "select count(*) from fairclaim_internal.job j join fairclaim_internal.{table} z using (tenant_id, id)
                  where j.type = '{job_type}'{more}"
            )
        };
        let cancelled = of("finished", " and z.status = 'cancelled'");
        (self.number(&of("ready", "")).await, self.number(&cancelled).await)
    }

    /// Changes something as the owner of the tables.
    async fn as_owner(&self, sql: &str) {
        let session = self.server.client.pool().get().await.unwrap();
        let sql = format!("begin; set local role fairclaim_owner; {sql}; commit");
        session.batch_execute(&sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn install_dispatch_work_and_list_go_through_a_pooler() {
    let behind = Behind::of(TestServer::bare().await);
    assert!(behind.run(&["migrate", "--grant-self"]).starts_with("installed the schema"));
    for tenant in ["acme", "bolt", "acme"] {
        behind.run(&["dispatch", "--tenant", tenant, "--type", "greet", "--payload", "{\"n\": 1}"]);
    }
    // four handlers and their worker's own connections share the two sessions
    let worked = behind.output(&["work", "--drain", "--queue", "default:4", "--exec", "greet=cat"]);
    assert!(worked.status.success(), "{}", stderr(&worked));
    assert!(stderr(&worked).contains("polling"), "it does not listen: {}", stderr(&worked));
    let page = behind.json(&["jobs", "list"]);
    let jobs = page["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 3);
    assert!(jobs.iter().all(|job| job["status"] == "completed" && job["attempts"] == 1), "{page}");

    let direct = behind.output(&["jobs", "list", "--connection", "direct"]);
    assert_eq!(direct.status.code(), Some(2), "{}", stderr(&direct));
    assert!(stderr(&direct).contains("transaction pooler"), "{}", stderr(&direct));
    assert!(stderr(&direct).contains("hint: connect to the server's own port"));
    // the control: the same flag, by the environment, without the pooler
    let mut direct = behind.server.fairclaim(["jobs", "list"]);
    assert!(direct.env("FAIRCLAIM_CONNECTION", "direct").output().unwrap().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_goes_through_a_pooler_twice_is_sent_once() {
    let (behind, folder) = (Behind::installed().await, Folder::new());
    // only the database refuses it, so lines are rehearsed in transactions that are rolled back
    let far = "{\"tenant\":\"a\",\"type\":\"mail\",\"run_at\":\"2099-01-01T00:00:00Z\"}\n";
    let file = folder.write("jobs.jsonl", numbers(0..1500) + far + &numbers(1500..2500));
    let refused = folder.path("refused.jsonl");
    for before in [0, 2500] {
        let output = behind.output(&["dispatch", "--json", "--file", &file, "--refused", &refused]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let totals: Value = serde_json::from_slice(&output.stdout).unwrap();
        let counts = (&totals["dispatched"], &totals["refused"], &totals["before"]["dispatched"]);
        assert_eq!(counts, (&json!(2500), &json!(1), &json!(before)), "{totals}");
        let mut sent: Vec<u64> = payloads(&behind.server)
            .await
            .iter()
            .map(|payload| payload.as_u64().unwrap())
            .collect();
        sent.sort_unstable();
        assert_eq!(sent, (0..2500).collect::<Vec<u64>>());
        assert_eq!(folder.read("refused.jsonl"), far);
    }
    let rows = behind
        .server
        .read("select p.lines, p.dispatched, p.refused from fairclaim_internal.dispatch_progress p")
        .await;
    let noted: Vec<(i64, i64, i64)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(noted, [(2501, 2500, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_found_and_shown_through_a_pooler() {
    let behind = Behind::installed().await;
    let mail: Vec<String> =
        behind.server.dispatch("mail", 1100).await.iter().map(ToString::to_string).collect();
    let newest_first =
        |step: usize| -> Vec<String> { mail.iter().step_by(step).rev().cloned().collect() };
    behind.server.dispatch("bill", 2).await;
    assert_eq!(behind.listed(&["--type", "mail", "--all"]), newest_first(1), "two pages");
    let of_acme = ["--type", "mail", "--tenant", "acme", "--status", "pending", "--all"];
    assert_eq!(behind.listed(&of_acme), newest_first(2));
    let here = ["--queue", "default", "--newer-than", "1h", "--limit", "7", "--before", &mail[0]];
    assert_eq!(behind.listed(&here), [""; 0], "nothing is older than the first");
    assert_eq!(behind.listed(&["--older-than", "1h"]), [""; 0]);

    behind.run(&["work", "--drain", "--exec", "bill=echo the mast broke >&2; exit 65"]);
    let failed = behind
        .server
        .read("select f.id::text from fairclaim_internal.finished f where f.status = 'failed' order by f.id desc")
        .await;
    let failed: Vec<String> = failed.iter().map(|row| row.get(0)).collect();
    assert_eq!(failed.len(), 2);
    assert_eq!(behind.listed(&["--error", "exit_65"]), failed);

    let row = behind
        .server
        .read(&format!(
            "select j.tenant_id::text, j.payload from fairclaim_internal.job j where j.id = '{}'",
            mail[7]
        ))
        .await;
    let shown = behind.json(&["jobs", "show", &mail[7]]);
    assert_eq!(shown["tenant_id"], row[0].get::<_, &str>(0));
    assert_eq!(shown["payload"], row[0].get::<_, Value>(1));
    assert_eq!(shown["payload"], json!({"n": 7}));
    assert_eq!(behind.json(&["jobs", "show", &failed[0]])["error"]["code"], "exit_65");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_cancelled_and_retried_through_a_pooler() {
    let behind = Behind::installed().await;
    let one = behind.server.dispatch("mail", 1200).await[1].to_string();
    behind.server.dispatch("bill", 2).await;
    let unsaid = behind.output(&["jobs", "cancel", "--type", "mail"]);
    assert_eq!(unsaid.status.code(), Some(2), "{}", stderr(&unsaid));
    assert_eq!(behind.waiting_and_cancelled("mail").await, (1200, 0), "without a yes");
    // more than a page, each a transaction of its own
    assert_eq!(behind.run(&["jobs", "cancel", "--type", "mail", "--yes"]), "1,200 cancelled\n");
    assert_eq!(behind.waiting_and_cancelled("mail").await, (0, 1200));
    assert_eq!(behind.waiting_and_cancelled("bill").await, (2, 0), "jobs of another type");

    let retry = ["jobs", "retry", "--status", "cancelled", "--tenant", "acme", "--yes"];
    let totals = json!({"matched": 600, "changed": 600, "asked": 0, "unchanged": 0});
    assert_eq!(behind.json(&retry), totals);
    assert_eq!(behind.waiting_and_cancelled("mail").await, (600, 600));
    assert_eq!(behind.json(&["jobs", "retry", &one])["jobs"][0]["status"], "pending");
    assert_eq!(behind.waiting_and_cancelled("mail").await, (601, 599));
    assert_eq!(behind.json(&["jobs", "cancel", &one])["jobs"][0]["status"], "cancelled");
    assert_eq!(behind.waiting_and_cancelled("mail").await, (600, 600));
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_are_listed_paused_and_resumed_through_a_pooler() {
    const PAUSED: &str = "select count(*) from fairclaim_internal.queue q where q.name = 'default' and q.paused_at is not null";
    const ENDED: &str = "select count(*) from fairclaim_internal.finished";
    let behind = Behind::installed().await;
    behind.server.dispatch("mail", 3).await;
    let work = ["work", "--drain", "--exec", "mail=true"];
    assert!(behind.run(&["queues", "pause", "default"]).starts_with("paused default;"));
    assert_eq!(behind.number(PAUSED).await, 1);
    behind.run(&work);
    assert_eq!(behind.number(ENDED).await, 0, "the queue is paused");
    let row = &behind.json(&["queues", "list"])["queues"][0];
    assert_eq!(
        (&row["queue"], &row["waiting"], &row["tenants_waiting"]),
        (&json!("default"), &json!(3), &json!(2))
    );
    assert!(row["paused_at"].is_string(), "{row}");
    assert_eq!(behind.run(&["queues", "resume", "default"]), "resumed default\n");
    assert_eq!(behind.number(PAUSED).await, 0);
    behind.run(&work);
    assert_eq!(behind.number(ENDED).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_pruned_through_a_pooler() {
    const JOBS: &str = "select count(*) from fairclaim_internal.job";
    const ENDED: &str = "select count(*) from fairclaim_internal.finished";
    let behind = Behind::installed().await;
    behind.as_owner(include_str!("../../../sql/testing/clock.sql")).await;
    behind.server.dispatch("mail", 3).await;
    behind.run(&["work", "--drain", "--exec", "mail=true"]);
    assert!(behind.run(&["prune"]).starts_with("nothing is past retention"));
    behind.as_owner("update fairclaim_internal.test_clock set shift = '15 days'").await;
    behind.as_owner("select fairclaim.tick()").await;
    behind.server.dispatch("mail", 1).await;
    let kept = behind.json(&["prune", "--retention", "30d"]);
    assert_eq!((&kept["ranges_dropped"], &kept["rows_deleted"]), (&json!(0), &json!(0)));
    assert_eq!((behind.number(JOBS).await, behind.number(ENDED).await), (4, 3));

    let pruned = behind.json(&["prune"]);
    assert!(pruned["ranges_dropped"].as_i64().unwrap() > 0, "{pruned}");
    assert_eq!((behind.number(JOBS).await, behind.number(ENDED).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_the_pooler_and_everything_behind_it() {
    let behind = Behind::installed().await;
    let levels = |diagnosis: &str| -> Vec<(String, String)> {
        let diagnosis: Value = serde_json::from_str(diagnosis).unwrap();
        let findings = diagnosis["findings"].as_array().unwrap().iter();
        let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
        findings.map(|finding| (text(finding, "name"), text(finding, "level"))).collect()
    };
    let pooled = levels(&behind.run(&["doctor", "--json"]));
    let mut direct = levels(&behind.server.run(["doctor", "--json"]));
    let of_it = direct.iter_mut().find(|(name, _)| name == "pooler").unwrap();
    assert_eq!(of_it.1, "ok");
    of_it.1 = "note".to_owned();
    assert_eq!(pooled, direct, "nothing else looks other through a pooler");
}
