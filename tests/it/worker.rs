//! The worker of the library against a real server, as a login that may do nothing but work.

mod claims;
mod connections;
mod endings;
mod handlers;
mod idle;
mod leases;
mod lines;
mod outcomes;
mod own_transaction;
mod refused;
mod rights;
mod run_alone;
mod sleep;
pub(crate) mod stage;
mod traces;
