//! Behaviours against a real server. Each test has a database of its own; see `support`.

#![allow(unreachable_pub, reason = "the support modules are shared by two test programs")]

mod calls;
mod contract;
mod golden;
mod holes;
mod lanes_load;
mod lanes_stress;
mod limits_of_input;
mod migrate;
mod nobody_waits;
mod private_server;
mod ranges;
mod stale;
mod states;
mod support;
mod turns;
