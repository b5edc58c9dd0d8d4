//! The container engine, as attempts see it. The only part that knows bollard.

mod connect;
mod container;
mod error;
mod image;
mod init_volume;
mod network;
mod session;

pub(crate) use connect::Engine;
pub(crate) use container::{ContainerPlan, Labels, label};
pub use error::{EngineError, Failure};
pub(crate) use session::{Session, unexpected};
