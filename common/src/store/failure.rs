//! What goes wrong inside an implementation, before it is known what it means to the caller.

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

use super::StoreError;

/// A statement failed, or a row makes no sense.
#[derive(Debug)]
pub(super) enum Failure {
    Sql(sqlx::Error),
    Corrupt(String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Where a database is, and how it says that it can't serve now.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// The address, without credentials.
    pub(super) address: String,
    /// Whether an error of the database may go away by itself.
    pub(super) passing: fn(&dyn DatabaseError) -> bool,
}

impl Site {
    pub(super) fn error(&self, failure: Failure) -> StoreError {
        use sqlx::Error as E;
        match failure {
            Failure::Corrupt(what) => StoreError::Corrupt { what },
            Failure::Sql(error) => match &error {
                E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                    self.unavailable(error)
                }
                E::Database(said) if (self.passing)(said.as_ref()) => self.unavailable(error),
                E::ColumnDecode { .. } | E::Decode(_) => StoreError::Corrupt { what: error.to_string() },
                _ => StoreError::Internal { cause: error.into() },
            },
        }
    }

    pub(super) fn unavailable(
        &self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Unavailable { address: self.address.clone(), cause: cause.into() }
    }

    pub(super) fn migration(&self, error: MigrateError) -> StoreError {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                match self.error(Failure::Sql(error)) {
                    StoreError::Internal { cause } => self.cannot_migrate(cause),
                    known => known,
                }
            }
            other => self.cannot_migrate(other.into()),
        }
    }

    fn cannot_migrate(&self, cause: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
        StoreError::Migration { address: self.address.clone(), cause }
    }
}
