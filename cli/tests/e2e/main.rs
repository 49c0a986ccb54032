//! The built binary against real servers: every test starts a private PostgreSQL of its own, works
//! as a login without privileges, and looks at what is left in the end.

mod commands;
mod config;
mod contract;
mod demo;
mod doctor;
mod handlers;
mod lines;
mod pooled;
mod examples;
mod handlers;
mod operate;
mod faults;
mod handlers;
#[path = "../rig/mod.rs"]
mod rig;
mod support;
mod survival;
