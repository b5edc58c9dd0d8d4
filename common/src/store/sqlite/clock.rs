//! The database's clock.

/// Now, in microseconds; SQLite knows it to the millisecond.
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
}

pub(super) use now;
