//! Faults in small, as often as the everyday tests run; `cargo xtask test --slow` has them in full.

use std::time::Duration;

use fairclaim::Status;

use crate::stage::Size::Small;
use crate::stage::faults::{
    controls, errors, frozen, handlers, kills, neighbours, network, planted, poison,
};
use crate::support::{TestServer, start, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_and_servers_lose_and_double_nothing() {
    kills::everything_dies(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_goes_on_when_the_server_returns() {
    kills::the_server_restarts(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_in_the_middle_of_a_message_lose_and_double_nothing() {
    network::connections_are_cut(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stood_still_for_longer_than_its_lease_settles_nothing() {
    frozen::a_worker_freezes(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_pass_are_repeated() {
    errors::errors_that_pass(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_makes_everybody_wait_and_nobody_fail() {
    neighbours::tables_are_locked(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_handlers_harm_nobody_else() {
    handlers::handlers_misbehave(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_harms_its_own_tenant_only() {
    poison::poison_harms_its_own_tenant_only(Small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_rows_that_somebody_deleted() {
    controls::deleted_rows_are_found().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_everything_that_is_planted() {
    planted::every_finding_is_made().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_still_is_seen() {
    controls::who_stands_still_is_seen().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_is_lost_costs_no_lease() {
    network::a_claim_without_an_answer(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_is_lost_waits_where_nothing_is_given_back() {
    network::a_claim_without_an_answer(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_started_while_the_server_is_away_waits_for_it() {
    let server = TestServer::installed().await;
    server.dispatch("echo", 1).await;
    server.postgres.stop().await.unwrap();
    let worker = start(&mut server.fairclaim(["work", "--exec", "echo=cat"]));
    tokio::time::sleep(Duration::from_millis(600)).await;
    server.postgres.restart().await.unwrap();
    server.until(Status::Completed, 1).await;
    worker.signal("TERM");
    let output = worker.end();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("the database is not ready yet"), "{}", stderr(&output));
}
