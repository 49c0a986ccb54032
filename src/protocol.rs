//! The values of the protocol and the texts of its calls, without I/O.
//!
//! Nothing here sends anything. A program with another driver would need this part and no other: it
//! can bind a [`Dispatch`](crate::Dispatch) as one item of `dispatch_jobs`.

pub(crate) mod bound;
pub(crate) mod dispatch;
pub(crate) mod job;
pub(crate) mod job_brief;
pub(crate) mod job_filter;
pub(crate) mod job_row;
pub(crate) mod json;
pub(crate) mod outcome;
pub(crate) mod statements;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod tenant;
pub(crate) mod timestamp;
