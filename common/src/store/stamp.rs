//! Times and durations as both databases hold them: to the microsecond.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

const MICROSECOND_DIGITS: u16 = 6;
/// Longer than anything waits, and short enough to be added to any time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A time, cut to the microsecond: `timestamptz` in Postgres, an integer in SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(DateTime<Utc>);

impl Stamp {
    pub(super) fn time(self) -> DateTime<Utc> {
        self.0
    }

    /// The time so much later.
    pub(super) fn plus(self, duration: Duration) -> Self {
        let added = chrono::Duration::microseconds(micros(duration));
        Self(self.0.checked_add_signed(added).unwrap_or(self.0))
    }
}

impl From<DateTime<Utc>> for Stamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(MICROSECOND_DIGITS))
    }
}

/// A duration in microseconds, cut to a length that both databases can add to a time.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.min(LONGEST).as_micros()).unwrap_or(i64::MAX)
}

impl Type<Sqlite> for Stamp {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(ty: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(ty)
    }
}

impl Encode<'_, Sqlite> for Stamp {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.timestamp_micros(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Stamp {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Sqlite>>::decode(value)?;
        let time = DateTime::from_timestamp_micros(micros);
        time.map(Self).ok_or_else(|| format!("{micros} microseconds is not a time").into())
    }
}

impl Type<Postgres> for Stamp {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for Stamp {
    fn array_type_info() -> PgTypeInfo {
        <DateTime<Utc> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Stamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <DateTime<Utc> as Encode<Postgres>>::encode_by_ref(&self.0, buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Stamp {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <DateTime<Utc> as Decode<Postgres>>::decode(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_finer_than_a_microsecond_is_cut() {
        let time = DateTime::from_timestamp(1, 999_999_999).unwrap();
        assert_eq!(Stamp::from(time).time(), DateTime::from_timestamp(1, 999_999_000).unwrap());
    }

    #[test]
    fn no_duration_is_too_long_to_be_added() {
        let now = Stamp::from(Utc::now());
        assert!(now.plus(Duration::MAX) > now);
    }
}
