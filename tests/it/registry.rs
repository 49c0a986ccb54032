//! The registry of workers: who lives, with how many slots, and for which types.

mod reports;
mod workers;
