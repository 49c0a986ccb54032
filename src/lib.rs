//! fairclaim
