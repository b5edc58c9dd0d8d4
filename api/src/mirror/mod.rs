//! Moves what ended runs left on the bus into the run layout: record, steps, log and artifacts.
//!
//! What runs for longer is written while it runs, too: its record and the steps it has ended so far.
//!
//! The mirror runs on the replica that holds its lease. A run stays unmirrored until all of it is on disk, so
//! that a failure, a full disk included, means a later try and nothing else.

mod copy;
mod forget;
mod live;
mod log;
mod run;

pub(crate) use run::Mirror;
