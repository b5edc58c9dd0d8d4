//! A folder, packed to be sent.

mod context;
mod dockerignore;
mod link;
mod pack;

pub(crate) use context::pack_context;
pub(crate) use pack::{PackError, Packed, pack};
