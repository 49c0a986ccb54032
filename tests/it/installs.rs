//! Installations and sessions that are not the default: publications of everything, settings of logins and databases, encodings,
//! standbys, hardened servers.

mod alone;
mod notifications;
mod publications;
mod sessions;
