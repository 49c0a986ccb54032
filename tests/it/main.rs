//! Behaviours against a real server. Each test has a database of its own; see `support`.

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
