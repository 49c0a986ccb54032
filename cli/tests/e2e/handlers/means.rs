//! A worker and what is around it: signals, its shell, its files, a database that takes no writes. And what goes through it whole.

use std::time::Duration;

use fairclaim::Status;
use serde_json::json;
use serde_json::value::RawValue;

use crate::support::{Place, start, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_ends_a_worker_as_sigterm_does() {
    let place = Place::installed().await;
    let id = place.dispatch("slow", 1).await[0];
    let worker = start(&mut place.fairclaim(["work", "--exec", "slow=sleep 2; echo done"]));
    place.until(Status::Processing, 1).await;
    worker.signal("HUP");
    // a terminal may say it twice, and that is no wish for an end at once
    tokio::time::sleep(Duration::from_millis(300)).await;
    worker.signal("HUP");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(place.job(id).await.result, Some(json!("done")), "it was not waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_nohup_started_outlives_a_hangup() {
    let place = Place::installed().await;
    let program = env!("CARGO_BIN_EXE_fairclaim");
    let mut command = std::process::Command::new("sh");
    command.env("DATABASE_URL", &place.url);
    command.args(["-c", &format!("trap '' HUP; exec {program} work --exec slow=true")]);
    let worker = start(&mut command);
    let first = place.dispatch("slow", 1).await[0];
    place.until(Status::Completed, 1).await;
    worker.signal("HUP");
    let second = place.dispatch("slow", 1).await[0];
    place.until(Status::Completed, 2).await;
    assert_ne!(first, second);
    worker.signal("TERM");
    assert!(worker.end().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_shell_ends_before_it_claims_anything() {
    let place = Place::installed().await;
    let id = place.dispatch("fine", 1).await[0];
    let output =
        place.fairclaim(["work", "--exec", "fine=true"]).env("PATH", "/nonexistent").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("error: sh cannot be used") && said.contains("hint: "), "{said}");
    assert_eq!((place.job(id).await.attempts, place.job(id).await.status), (0, Status::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_short_of_files_charges_no_job_for_it_and_completes_them_all() {
    const JOBS: usize = 60;
    let place = Place::installed().await;
    let ids = place.dispatch("slow", JOBS).await;
    let program = env!("CARGO_BIN_EXE_fairclaim");
    let script = format!(
        "ulimit -n 60; exec {program} work --queue default:50 --exec slow='sleep 0.2; echo done'"
    );
    let mut command = std::process::Command::new("sh");
    let worker = start(command.env("DATABASE_URL", &place.url).args(["-c", &script]));
    place.until(Status::Completed, JOBS).await;
    worker.signal("TERM");
    let said = stderr(&worker.end());
    assert!(said.contains("short of its own means") && said.contains("ulimit"), "{said}");
    for id in ids {
        let row = place.job(id).await;
        assert_eq!((row.status, row.errors), (Status::Completed, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_digit_of_a_number_goes_the_whole_way_and_back() {
    let place = Place::installed().await;
    let numbers = [
        "\"big\": 123456789012345678901234567890",
        "\"dec\": 0.1000000000000000055511151231257827",
        "\"money\": 1.10",
        "\"u64\": 18446744073709551615",
    ];
    let document = format!("{{{}}}", numbers.join(", "));
    let dispatch = ["dispatch", "--tenant", "acme", "--type", "echo", "--payload", &document];
    let id = place.run(dispatch);
    place.run(["work", "--drain", "--exec", "echo=cat"]);
    let shown = place.run(["jobs", "show", id.trim(), "--json"]);
    let all: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&shown).unwrap();
    for part in ["payload", "result"] {
        for number in numbers {
            assert!(
                all[part].get().replace(": ", ":").contains(&number.replace(": ", ":")),
                "{part}: {shown}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_of_no_time_is_no_hot_loop() {
    let place = Place::installed().await;
    let id = place.dispatch("nap", 1).await[0];
    let worker = start(&mut place.fairclaim([
        "work",
        "--exec",
        "nap=[ $FAIRCLAIM_ATTEMPT -ge 4 ] || { echo 0; exit 99; }",
    ]));
    place.until(Status::Completed, 1).await;
    worker.signal("TERM");
    worker.end();
    let row = place.job(id).await;
    let took = row.completed_at.unwrap().duration_since(row.created_at).unwrap();
    // three pauses by the database's clock: a bound of the rule, and none of the machine
    assert!(row.attempts == 4 && took >= Duration::from_millis(300), "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_may_not_write_ends_and_says_why() {
    let place = Place::installed().await;
    let drain = || place.fairclaim(["work", "--drain", "--exec", "fine=true"]).output().unwrap();
    let superuser = async |sql: &str| {
        place.server.execute_as_superuser("app", sql).await.unwrap();
    };
    superuser("alter role app set default_transaction_read_only = on").await;
    let output = drain();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("reset default_transaction_read_only"), "{}", stderr(&output));

    superuser("alter role app reset default_transaction_read_only").await;
    superuser("copy (select) to program 'cat > standby.signal'").await;
    place.server.restart().await.unwrap();
    let output = drain();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("standby"), "{}", stderr(&output));
}
