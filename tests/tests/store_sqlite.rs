//! The store's conformance suite on SQLite.

use orcaops_common::store::conformance::Database;

orcaops_common::store_conformance!(fresh = Database::sqlite());
