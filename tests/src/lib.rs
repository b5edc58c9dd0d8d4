//! What tests that cross crates share: real servers, real processes, and the waiting between them.

pub mod built;
pub mod client;
pub mod container;
pub mod docker;
pub mod engine_proxy;
pub mod fleet;
pub mod image;
pub mod laptop;
pub mod nats;
pub mod postgres;
pub mod process;
pub mod receiver;
pub mod registry;
pub mod table;
pub mod variant;
pub mod wait;
