//! A folder, packed to be sent.

mod link;
mod pack;

pub(crate) use pack::{PackError, Packed, pack};
