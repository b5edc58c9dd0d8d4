//! Settings: what may be set, where each layer of it is read, and the home folder.
//!
//! A [`Layer`] holds what one source says. Flags lie over the environment, the environment over the file;
//! what no layer says is a default of whoever uses it.

mod address;
mod credentials;
mod error;
mod file;
mod home;
mod layer;
mod list;
mod size;

pub(crate) use address::bare;
pub use address::without_credentials;
pub use credentials::{Credential, Credentials};
pub use error::ConfigError;
pub use home::Home;
pub use layer::Layer;
pub use list::List;
pub use size::ByteSize;
