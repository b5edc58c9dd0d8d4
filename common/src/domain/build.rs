//! An image to build.

mod name;
mod request;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use request::{BuildRequest, ParameterError};

/// An image to build from a folder that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Name of the uploaded tar that holds the context.
    pub context: String,
    /// The Dockerfile's path within the context.
    pub dockerfile: String,
    /// The names that the image gets, at least one.
    pub tags: Vec<String>,
    /// Values of the Dockerfile's `ARG`s.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub args: BTreeMap<String, String>,
    /// Whether the image is pushed to where its names say, with the job's `registry_auth`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub push: bool,
}
