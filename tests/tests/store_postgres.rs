//! The store's conformance suite on a real Postgres.

use orcaops_common::store::conformance::Database;
use orcaops_tests::postgres::fresh_database;

orcaops_common::store_conformance!(fresh = Database::at(fresh_database().await));
