//! Log messages: who gets them, in which form, and which of them.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// A driver whose details hold the passwords of the addresses it connects to.
const TALKS_OF_SECRETS: &str = "async_nats";

/// What a log message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
}

/// The filter is no filter.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is no log filter ({reason}); use for example `info` or `orcaops_api=debug,warn`")]
pub struct InvalidFilter {
    filter: String,
    reason: String,
}

/// Writes log messages that pass `filter` to standard error from now on. A process that has called this
/// before keeps what it chose then.
///
/// # Errors
/// When the filter can't be read.
pub fn init(filter: &str, format: Format) -> Result<(), InvalidFilter> {
    let parsed = parse(filter)?;
    let terminal = std::io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    // Fails only when there is a subscriber already, which then stays.
    let _ = if terminal || format == Format::Human {
        builder.with_ansi(colours).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, InvalidFilter> {
    let invalid = |reason: String| InvalidFilter { filter: filter.to_owned(), reason };
    let parsed = EnvFilter::builder().parse(filter).map_err(|e| invalid(e.to_string()))?;
    let detailed = parsed.max_level_hint().is_none_or(|level| level > LevelFilter::INFO);
    if detailed && !filter.contains(TALKS_OF_SECRETS) {
        let quiet = format!("{TALKS_OF_SECRETS}=info").parse();
        return Ok(parsed.add_directive(quiet.map_err(|e| invalid(format!("{e}")))?));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_logs_passwords_is_not_detailed_unless_asked_for_by_name() {
        let filter = |text: &str| parse(text).unwrap().to_string();
        assert!(filter("debug").contains("async_nats=info"));
        assert!(filter("orcaops_api=trace,warn").contains("async_nats=info"));
        assert!(!filter("warn").contains("async_nats"));
        assert!(filter("debug,async_nats=debug").contains("async_nats=debug"));
    }

    #[test]
    fn what_is_no_filter_is_refused_with_an_example() {
        let error = parse("!!").unwrap_err().to_string();
        assert!(
            error.starts_with("`!!` is no log filter (") && error.contains("use for example `info`"),
            "{error}"
        );
    }
}
