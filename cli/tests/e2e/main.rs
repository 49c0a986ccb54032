//! The built binary against real servers: every test starts a private PostgreSQL of its own, works
//! as a login without privileges, and looks at what is left in the end.

mod commands;
mod contract;
mod demo;
mod examples;
mod handlers;
mod operate;
mod support;
mod survival;
