//! The built binary against real servers: every test starts a private PostgreSQL of its own, works
//! as a login without privileges, and looks at what is left in the end.

mod commands;
mod config;
mod contract;
mod demo;
mod doctor;
mod examples;
mod faults;
mod handlers;
mod jobs;
mod lines;
mod operate;
mod pooled;
mod settings;
mod sleep;
mod slow;
mod stage;
mod stats;
mod supabase;
mod survival;
mod tenant_settings;
mod tenants;
mod terminal;
mod voice;

use test_support::binary as support;
