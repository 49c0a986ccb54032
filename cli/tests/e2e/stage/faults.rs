//! The faults. Each states its bound first; the audit judges what came of it.

pub(crate) mod clock;
pub(crate) mod controls;
pub(crate) mod disk;
pub(crate) mod errors;
pub(crate) mod frozen;
pub(crate) mod handlers;
pub(crate) mod kills;
pub(crate) mod neighbours;
pub(crate) mod network;
pub(crate) mod planted;
pub(crate) mod poison;
