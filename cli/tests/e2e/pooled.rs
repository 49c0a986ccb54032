//! The built binary behind a transaction pooler that lends two sessions to everybody.

#[path = "../../../tests/it/support/pooler.rs"]
#[allow(unreachable_pub, reason = "shared with the tests of the library")]
mod pooler;

use serde_json::Value;

use self::pooler::Pooler;
use crate::support::{Place, fairclaim, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn install_dispatch_work_and_list_go_through_a_pooler() {
    let place = Place::bare().await;
    let pooler = Pooler::start(&place.url, &["app"], 2).unwrap_or_else(|why| panic!("{why}"));
    let url = pooler.through(&place.url);
    let run = |args: &[&'static str]| {
        let output = fairclaim(args.iter().copied()).env("DATABASE_URL", &url).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    assert!(run(&["migrate", "--grant-self"]).0.starts_with("installed the schema"));
    for tenant in ["acme", "bolt", "acme"] {
        run(&["dispatch", "--tenant", tenant, "--type", "greet", "--payload", "{\"n\": 1}"]);
    }
    // four handlers and their worker's own connections share the two sessions
    let (_, said) = run(&["work", "--drain", "--queue", "default:4", "--exec", "greet=cat"]);
    assert!(said.contains("polling"), "it does not listen: {said}");
    let (page, _) = run(&["jobs", "list", "--json"]);
    let page: Value = serde_json::from_str(&page).unwrap();
    let jobs = page["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 3);
    assert!(jobs.iter().all(|job| job["status"] == "completed" && job["attempts"] == 1), "{page}");

    let direct = fairclaim(["jobs", "list", "--connection", "direct"])
        .env("DATABASE_URL", &url)
        .output()
        .unwrap();
    assert_eq!(direct.status.code(), Some(2), "{}", stderr(&direct));
    assert!(stderr(&direct).contains("transaction pooler"), "{}", stderr(&direct));
    assert!(stderr(&direct).contains("hint: connect to the server's own port"));
    // the control: the same flag, by the environment, without the pooler
    let direct = place.fairclaim(["jobs", "list"]).env("FAIRCLAIM_CONNECTION", "direct").output();
    assert!(direct.unwrap().status.success());
}
