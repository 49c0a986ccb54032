//! Behaviours against a real server. Each test has a database of its own; see `support`.

#![allow(unreachable_pub, reason = "the support modules are shared by two test programs")]

mod bad_input;
mod calls;
mod client;
mod contract;
mod contract_by_hand;
mod coverage;
mod dispatch_lines;
mod doctor;
mod error_codes;
mod filters;
mod golden;
mod holes;
mod installs;
mod interleavings;
mod lanes_load;
mod lanes_stress;
mod late_claims;
mod migrate;
mod model;
mod model_mutants;
mod model_steps;
mod nobody_waits;
mod notify;
mod pooled;
mod priorities;
mod private_server;
mod queues;
mod ranges;
mod release_claims;
mod settle_and_claim;
mod show_job;
mod stale;
mod standing;
mod states;
mod support;
mod tls;
mod turns;
mod upgrade;
mod worker;
