//! Reaching the database, and noticing when it can't be reached.

use std::str::FromStr;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::store::StoreError;
use crate::store::connect::without_credentials;
use crate::store::failure::{Failure, Site};

/// How many connections one process holds at most.
const CONNECTIONS: u32 = 16;
/// How long to wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait for all of an operation. Longer than the limits in [`SESSION`], which tell why.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// How long migrations may take, waiting for other replicas' included.
const MIGRATE_WITHIN: Duration = Duration::from_secs(15 * 60);
/// A connection idle for longer is tried before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(2);
/// No statement may hold up others for ever.
const SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
     SET idle_in_transaction_session_timeout = '30s'";

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// The store in Postgres.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pub(super) pool: PgPool,
    site: Site,
}

impl PostgresStore {
    /// Connects to `postgres://USER:PASSWORD@HOST:PORT/DATABASE` and brings its tables up to date. Safe when
    /// several processes do so at once.
    ///
    /// # Errors
    /// The address can't be read, the database does not answer within five seconds, or its tables are of
    /// another version.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Address {
            address: without_credentials(url),
            problem: format!("{error}; write `postgres://USER:PASSWORD@HOST:PORT/DATABASE`"),
        })?;
        let options = options.application_name("orcaops");
        let site = Site { address: address(&options), passing };
        migrate(&options, &site).await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_WITHIN)
            .test_before_acquire(false)
            .before_acquire(|connection, known: PoolConnectionMetadata| {
                Box::pin(async move {
                    if known.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(SESSION).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool, site })
    }

    /// Waits for an operation, but not for ever, and says what its failure means.
    pub(super) async fn bounded<T>(
        &self,
        operation: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(ANSWER_WITHIN, operation).await {
            Ok(result) => result.map_err(|failure| self.site.error(failure)),
            Err(elapsed) => Err(self.site.unavailable(elapsed)),
        }
    }
}

/// The first connection is not one of the pool, whose limits migrations may exceed and which would hide why
/// it can't be made.
async fn migrate(options: &PgConnectOptions, site: &Site) -> Result<(), StoreError> {
    let mut connection = match tokio::time::timeout(CONNECT_WITHIN, options.connect()).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(site.unavailable(error)),
        Err(elapsed) => return Err(site.unavailable(elapsed)),
    };
    let migrated = tokio::time::timeout(MIGRATE_WITHIN, MIGRATIONS.run(&mut connection)).await;
    close(connection).await;
    match migrated {
        Ok(result) => result.map_err(|error| site.migration(error)),
        Err(elapsed) => Err(site.unavailable(elapsed)),
    }
}

async fn close(connection: PgConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the connection of the migrations did not close well");
    }
}

fn address(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let database = options.get_database().unwrap_or_default();
    format!("postgres://{host}:{}/{database}", options.get_port())
}

/// Classes of SQLSTATE that tell of the server's plight and not of the statement's.
fn passing(error: &dyn DatabaseError) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    const QUERY_CANCELED: &str = "57014";
    const READ_ONLY_TRANSACTION: &str = "25006";
    const IDLE_IN_TRANSACTION: &str = "25P03";
    // Connection lost, transaction rolled back, no resources, shutting or starting, I/O.
    const CLASSES: [&str; 5] = ["08", "40", "53", "57P", "58"];
    let Some(code) = error.code() else { return false };
    [LOCK_NOT_AVAILABLE, QUERY_CANCELED, READ_ONLY_TRANSACTION, IDLE_IN_TRANSACTION].contains(&code.as_ref())
        || CLASSES.iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_names_the_address_and_no_credentials() {
        // Nothing listens on port 1.
        let Err(error) = PostgresStore::connect("postgres://joe:secret@127.0.0.1:1/x").await else {
            panic!("connected to port 1");
        };
        assert!(error.is_transient());
        assert_eq!(error.to_string(), "cannot reach the database at postgres://127.0.0.1:1/x");
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_read_is_refused() {
        let Err(error) = PostgresStore::connect("postgres://joe:secret@db:many/x").await else {
            panic!("connected to nowhere");
        };
        assert!(matches!(error, StoreError::Address { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
