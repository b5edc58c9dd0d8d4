//! Times and sizes as people say them.

use chrono::{DateTime, Utc};

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// A duration, in two units at most.
pub(crate) fn seconds(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let two = |big: f64, big_name, small: f64, small_name| {
        // Rounded first, or 119.9 s would be 1 min 60 s.
        let whole = (seconds / small).round() * small;
        format!("{:.0} {big_name} {:.0} {small_name}", (whole / big).floor(), (whole % big) / small)
    };
    match seconds {
        s if s < 0.9995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < MINUTE - 0.5 => format!("{s:.0} s"),
        s if s < HOUR - 0.5 => two(MINUTE, "min", 1.0, "s"),
        s if s < DAY - 30.0 => two(HOUR, "h", MINUTE, "min"),
        _ => two(DAY, "d", HOUR, "h"),
    }
}

/// How long a time lies back.
pub(crate) fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let passed = between(then, now);
    let (number, unit) = match passed {
        s if s < 5.0 => return "now".to_owned(),
        s if s < MINUTE => (s, "s"),
        s if s < HOUR => (s / MINUTE, "min"),
        s if s < DAY => (s / HOUR, "h"),
        s if s < 30.0 * DAY => (s / DAY, "d"),
        _ => return then.format("%Y-%m-%d").to_string(),
    };
    format!("{:.0} {unit} ago", number.floor())
}

/// The seconds from one time to another.
pub(crate) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64()
}

/// A number of files.
pub(crate) fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// A size.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_two_units_at_most() {
        let cases = [
            (-1.0, "0 ms"),
            (0.0123, "12 ms"),
            (0.9999, "1.0 s"),
            (1.25, "1.2 s"),
            (59.4, "59 s"),
            (59.9, "1 min 0 s"),
            (119.9, "2 min 0 s"),
            (3599.8, "1 h 0 min"),
            (3720.0, "1 h 2 min"),
            (86399.0, "1 d 0 h"),
            (100_000.0, "1 d 4 h"),
        ];
        for (value, said) in cases {
            assert_eq!(seconds(value), said, "{value}");
        }
    }

    #[test]
    fn times_lie_back() {
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let said = |s: i64| ago(now - chrono::TimeDelta::seconds(s), now);
        assert_eq!(
            [said(-9), said(3), said(59), said(60), said(7300)],
            ["now", "now", "59 s ago", "1 min ago", "2 h ago"]
        );
        assert_eq!([said(2 * 86400), said(40 * 86400)], ["2 d ago", "2026-01-20"]);
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1024), bytes(1_048_575)],
            ["0 B", "1023 B", "1.0 KiB", "1.0 MiB"]
        );
    }
}
