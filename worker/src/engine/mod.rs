//! The container engine, as attempts see it. The only part that knows bollard.

mod body;
mod build;
mod connect;
mod container;
mod error;
mod image;
mod init_volume;
mod network;
mod plan;
mod progress;
mod pull;
mod session;
mod words;

pub(crate) use build::{BuildFailure, BuildPlan, BuildWord};
pub(crate) use connect::Engine;
pub(crate) use container::{Container, ImageConfig};
pub use error::{EngineError, Failure};
pub(crate) use plan::{ContainerPlan, Labels, label};
pub(crate) use pull::Wanted;
pub(crate) use session::{Session, unexpected};
