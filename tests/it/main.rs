//! Behaviours against a real server. Each test has a database of its own; see `support`.

#![allow(unreachable_pub, reason = "the support modules are shared by two test programs")]

mod bad_input;
mod calls;
mod client;
mod contract;
mod contract_by_hand;
mod error_codes;
mod golden;
mod holes;
mod lanes_load;
mod lanes_stress;
mod migrate;
mod nobody_waits;
mod notify;
mod priorities;
mod private_server;
mod ranges;
mod settle_and_claim;
mod stale;
mod standing;
mod states;
mod support;
mod turns;
mod worker;
