//! The faults in full: minutes of killed processes, broken networks, full disks. `cargo xtask test
//! --slow` runs them.

mod memory;

use crate::stage::Size::Large;
use crate::stage::faults::{
    clock, controls, disk, errors, frozen, handlers, kills, neighbours, network, planted, poison,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn killed_workers_lose_and_double_nothing() {
    kills::workers_die(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn killed_workers_and_servers_lose_and_double_nothing() {
    kills::everything_dies(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn everybody_goes_on_when_the_server_returns() {
    kills::the_server_restarts(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn connections_cut_in_the_middle_of_a_message_lose_and_double_nothing() {
    network::connections_are_cut(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_slow_a_silent_and_a_refusing_network_lose_and_double_nothing() {
    network::the_network_is_ill(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_server_that_stood_still_for_longer_than_a_lease_loses_nothing() {
    frozen::the_server_freezes(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_worker_that_stood_still_for_longer_than_its_lease_settles_nothing() {
    frozen::a_worker_freezes(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_machine_whose_clock_is_wrong_by_an_hour_works_in_time() {
    clock::clocks_are_wrong(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_full_disk_loses_nothing() {
    disk::the_disk_is_full(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_server_without_free_connections_is_waited_for() {
    errors::no_more_connections(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn errors_that_pass_are_repeated() {
    errors::errors_that_pass(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_locked_table_makes_everybody_wait_and_nobody_fail() {
    neighbours::tables_are_locked(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn rebuilding_and_dumping_tables_disturbs_nobody() {
    neighbours::tables_are_rebuilt(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn bad_handlers_harm_nobody_else() {
    handlers::handlers_misbehave(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn poison_harms_its_own_tenant_only() {
    poison::poison_harms_its_own_tenant_only(Large).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn the_audit_finds_answers_that_a_crash_took_back() {
    controls::answers_before_the_disk_has_them_are_lost().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn the_audit_finds_settlements_that_nobody_checked() {
    controls::settlements_without_a_check_are_found().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn the_audit_finds_jobs_that_were_returned_twice() {
    controls::jobs_that_are_returned_twice_are_found().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn the_audit_finds_rows_that_somebody_deleted() {
    controls::deleted_rows_are_found().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn the_audit_finds_everything_that_is_planted() {
    planted::every_finding_is_made().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn the_audit_finds_dispatches_that_were_repeated() {
    controls::repeated_dispatches_are_found().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn who_stands_still_is_seen() {
    controls::who_stands_still_is_seen().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn the_audit_finds_poison_that_is_never_done() {
    controls::poison_without_an_end_is_found().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --slow"]
async fn a_clock_that_is_believed_is_seen() {
    clock::a_clock_that_is_believed_is_seen().await;
}
