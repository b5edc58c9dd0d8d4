//! Names of things: jobs, attempts, workers, pools.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name is not acceptable, in words for the person who chose it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub String);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::NewType))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest name allowed, in characters.
            pub const MAX_LENGTH: usize = $max;

            /// Checks and wraps a name: letters, digits, `_` and `-`, not starting with `_` or `-`.
            ///
            /// # Errors
            /// Says what is wrong with the name and how to mend it.
            pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
                let name = name.into();
                check_name(&name, $what, $max)?;
                Ok(Self(name))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(s: &str) -> Result<Self, InvalidName> {
                Self::new(s)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(s: String) -> Result<Self, InvalidName> {
                Self::new(s)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name!(
    /// Identifies a job, and names its folder in the run layout.
    JobId, "job id", 128
);
name!(
    /// The name of a worker, unique in its fleet.
    WorkerName, "worker name", 128
);
name!(
    /// A group of workers that a job may be sent to.
    PoolName, "pool name", 64
);

impl JobId {
    /// A fresh id that sorts by the time it was made.
    #[must_use]
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }
}

impl Default for PoolName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

fn check_name(name: &str, what: &str, max: usize) -> Result<(), InvalidName> {
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > max {
        format!("has {} characters; at most {max} are allowed", name.len())
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "must start with a letter or a digit".to_owned()
    } else if let Some(bad) = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_' && *c != '-') {
        format!("contains {bad:?}; use letters, digits, `_` and `-` only")
    } else {
        return Ok(());
    };
    Err(InvalidName(format!("the {what} {problem}")))
}

/// One execution of a job, and its fencing token.
///
/// `dispatch` counts how often the scheduler handed the job to the bus, `delivery` how often the bus handed
/// that message to a worker. Compared in this order the pair grows with every execution, even when the bus
/// lost all its data, so a later attempt always outranks an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// How often the job was put on the bus, from 1.
    pub dispatch: u32,
    /// How often the bus delivered that message, from 1.
    pub delivery: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.dispatch, self.delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_path_separators_or_a_leading_dash_are_refused() {
        for bad in ["", "-a", "_a", "a/b", "a b", "ä", "..", &"x".repeat(129)] {
            assert!(JobId::new(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["a", "0", "a-b_c", &"x".repeat(128)] {
            assert!(JobId::new(good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn a_later_dispatch_outranks_any_delivery_of_an_earlier_one() {
        let old = AttemptId { dispatch: 1, delivery: 9 };
        let new = AttemptId { dispatch: 2, delivery: 1 };
        assert!(new > old);
    }

    #[test]
    fn generated_ids_sort_by_time() {
        let ids: Vec<_> = (0..100).map(|_| JobId::generate()).collect();
        assert!(ids.is_sorted());
    }
}
