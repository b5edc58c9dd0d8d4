//! From a database's address to the store in it.

use std::sync::Arc;

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{Store, StoreError};
use crate::config::bare;

const ALLOWED: &str = "write `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`";

/// Opens the store at `url`, and brings its tables up to date: `sqlite://PATH` (`sqlite:///var/lib/orcaops.db`
/// is absolute, `sqlite://orcaops.db` relative), `postgres://…` or `postgresql://…`.
///
/// # Errors
/// The address is of neither kind, or the database can't be reached or prepared.
pub async fn connect(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    let refuse = |problem: String| Err(StoreError::Address { address: without_credentials(url), problem });
    match url.split_once("://") {
        Some(("sqlite", path)) if path.is_empty() || path.starts_with(':') => {
            refuse("it names no file; write `sqlite://PATH`".to_owned())
        }
        Some(("sqlite", path)) if path.contains('?') => {
            refuse("it has settings after `?`, and there are none; write `sqlite://PATH`".to_owned())
        }
        Some(("sqlite", path)) => Ok(Arc::new(SqliteStore::open(path).await?)),
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(PostgresStore::connect(url).await?)),
        Some((scheme, _)) => refuse(format!("`{scheme}` is not a database that can be used; {ALLOWED}")),
        None => refuse(format!("it does not say which kind of database it is; {ALLOWED}")),
    }
}

/// The address without what stands before the last `@` of its host part, and without its query.
pub(super) fn without_credentials(url: &str) -> String {
    bare(url.split_once('?').map_or(url, |(address, _)| address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_credentials() {
        for (url, told) in [
            ("postgres://u:p@ss@db:5432/x?password=p", "postgres://db:5432/x"),
            ("mysql://root:secret@db/x", "mysql://db/x"),
            ("u:secret@db/x", "db/x"),
            ("sqlite:///var/lib/orcaops.db", "sqlite:///var/lib/orcaops.db"),
        ] {
            assert_eq!(without_credentials(url), told);
        }
    }

    #[tokio::test]
    async fn an_address_of_another_kind_is_refused_with_what_is_allowed() {
        for url in [
            "mysql://u:secret@db/x",
            "orcaops.db",
            "",
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://a.db?mode=rwc",
        ] {
            let Err(error) = connect(url).await else { panic!("{url:?} was accepted") };
            let said = error.to_string();
            assert!(said.contains("sqlite://PATH"), "{said}");
            assert!(!said.contains("secret"), "{said}");
            assert!(!error.is_transient());
        }
    }
}
