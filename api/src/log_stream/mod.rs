//! Sends a job's log to a client: as server-sent events while it grows, or what there is of it.
//!
//! Each client has a task of its own that reads the log from the bus, or from the run layout once it is there,
//! and hands encoded batches to the connection through a channel of a few places. A slow client thus slows only
//! its own reader, and memory for each client is bounded whatever the job prints.

mod end;
mod follow;
mod output;
mod replay;
mod so_far;
mod start;
mod streams;

pub(crate) use start::{Format, Start, Wanted};
pub(crate) use streams::{LogStreams, Pieces};
