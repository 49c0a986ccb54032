//! Queues that are fair by seconds: tenants with a backlog get as much time of handlers as their weights say.

mod changes;
mod shares;
mod simulation;
