//! Opening the file, and saying so when it can't be used.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use crate::store::StoreError;
use crate::store::failure::{Failure, Site};

/// How many readers there are at most.
const READERS: u32 = 4;
/// How long to wait for another process to finish its writing, or for a connection of this one.
const BUSY_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait between two attempts to open a file that others are opening.
const OPEN_AGAIN: Duration = Duration::from_millis(20);
/// Begins a transaction that is going to write, and so never has to give up half-way for another writer.
pub(super) const WRITE: &str = "BEGIN IMMEDIATE";

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

/// The store in SQLite.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    site: Site,
}

impl SqliteStore {
    /// Opens the file at `path`, makes it and its folder if they are absent, and brings its tables up to
    /// date. Safe when several processes do so at once.
    ///
    /// # Errors
    /// The file can't be opened or written, is no database, or its tables are of another version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let site = Site { address: format!("sqlite://{}", path.display()), passing };
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(|error| site.unavailable(error))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_WITHIN)
            .foreign_keys(true);
        migrate(first_connection(&options, &site).await?, &site).await?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY_WITHIN)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.clone());
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY_WITHIN)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { writer, readers, site })
    }

    /// Waits for an operation, and says what its failure means.
    pub(super) async fn bounded<T>(
        &self,
        operation: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, StoreError> {
        operation.await.map_err(|failure| self.site.error(failure))
    }
}

/// Whoever comes first turns the file to write-ahead logging. SQLite does not wait for that, so the others
/// try again.
async fn first_connection(
    options: &SqliteConnectOptions,
    site: &Site,
) -> Result<SqliteConnection, StoreError> {
    let since = Instant::now();
    loop {
        match options.connect().await {
            Err(sqlx::Error::Database(said)) if is_busy(said.as_ref()) && since.elapsed() < BUSY_WITHIN => {
                tokio::time::sleep(OPEN_AGAIN).await;
            }
            Err(error) => return Err(site.error(Failure::Sql(error))),
            Ok(connection) => return Ok(connection),
        }
    }
}

/// One transaction around it all: of several processes one migrates, and the others find it done.
async fn migrate(mut connection: SqliteConnection, site: &Site) -> Result<(), StoreError> {
    let refused = |error| site.error(Failure::Sql(error));
    let mut transaction = connection.begin_with(WRITE).await.map_err(refused)?;
    MIGRATIONS.run(&mut *transaction).await.map_err(|error| site.migration(error))?;
    transaction.commit().await.map_err(refused)?;
    connection.close().await.map_err(refused)
}

/// Primary result codes that tell of the file's plight and not of the statement's.
fn passing(error: &dyn DatabaseError) -> bool {
    const READ_ONLY: i32 = 8;
    const IO_ERROR: i32 = 10;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    is_busy(error)
        || [READ_ONLY, IO_ERROR, FULL, CANNOT_OPEN].iter().any(|code| primary_code(error) == Some(*code))
}

fn is_busy(error: &dyn DatabaseError) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    [BUSY, LOCKED].iter().any(|code| primary_code(error) == Some(*code))
}

fn primary_code(error: &dyn DatabaseError) -> Option<i32> {
    const PRIMARY: i32 = 0xff;
    Some(error.code()?.parse::<i32>().ok()? & PRIMARY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let text = "not a database, and nobody's to overwrite. ".repeat(100);
        std::fs::write(&path, &text).unwrap();
        assert!(SqliteStore::open(&path).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let Err(error) = SqliteStore::open(file.join("orcaops.db")).await else { panic!("it opened") };
        assert!(error.to_string().contains("file/orcaops.db"), "{error}");
    }

    #[tokio::test]
    async fn a_database_of_a_later_version_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orcaops.db");
        let store = SqliteStore::open(&path).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999999, 'later', true, x'00', 0)",
        )
        .execute(&store.writer)
        .await
        .unwrap();
        let Err(error) = SqliteStore::open(&path).await else { panic!("it opened") };
        assert!(matches!(error, StoreError::Migration { .. }), "{error:?}");
    }
}
