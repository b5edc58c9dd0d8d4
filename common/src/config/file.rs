//! The file of settings.

use std::path::Path;

use toml::de::DeTable;

use super::error::ConfigError;
use super::layer::Layer;

/// How alike an unknown key must be to a known one to be taken for it misspelt, at most so many edits.
const MAX_EDITS: usize = 3;

impl Layer {
    /// What a file says.
    ///
    /// # Errors
    /// When it can't be read or says what can't be used; all of that at once, each with its line.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        Self::from_toml(&text).map_err(|problems| ConfigError::File { path: path.to_owned(), problems })
    }

    /// What a text says, or the lines that can't be used.
    fn from_toml(text: &str) -> Result<Self, Vec<(usize, String)>> {
        let failed = |error: &toml::de::Error| {
            vec![(line(text, error.span().map_or(0, |span| span.start)), one_line(error.message()))]
        };
        let table = DeTable::parse(text).map_err(|error| failed(&error))?;
        let at = |key: &str| {
            let found = table.get_ref().keys().find(|k| k.get_ref() == key);
            line(text, found.map_or(0, |k| k.span().start))
        };
        let unknown = table.get_ref().keys().filter(|k| !Self::KEYS.contains(&k.get_ref().as_ref()));
        let mut problems: Vec<_> =
            unknown.map(|key| (line(text, key.span().start), unknown_key(key.get_ref()))).collect();
        if problems.is_empty() {
            let layer: Self = toml::from_str(text).map_err(|error| failed(&error))?;
            problems.extend(layer.problems().into_iter().map(|(k, why)| (at(k), format!("`{k}`: {why}"))));
            if problems.is_empty() {
                return Ok(layer);
            }
        }
        problems.sort();
        Err(problems)
    }
}

fn unknown_key(key: &str) -> String {
    let nearest = Layer::KEYS
        .iter()
        .map(|known| (edits(key, known), known))
        .min()
        .filter(|(edits, known)| *edits <= MAX_EDITS && *edits < known.len());
    match nearest {
        Some((_, known)) => format!("unknown key `{key}`; did you mean `{known}`?"),
        None => format!("unknown key `{key}`; the keys are {}", Layer::KEYS.join(", ")),
    }
}

pub(super) fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many letters must be put in, taken out or replaced to make one word of the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let problems = Layer::from_toml(text).unwrap_err();
        ConfigError::File { path: "config.toml".into(), problems }.to_string()
    }

    #[test]
    fn a_file_says_what_flags_say_with_underscores() {
        let text =
            "listen = \"0.0.0.0:80\"\nslots = 3\npool = \"gpu\"\nlease_seconds = 10\nhome = \"/srv\"\n";
        let layer = Layer::from_toml(text).unwrap();
        assert_eq!(layer.listen, Some("0.0.0.0:80".parse().unwrap()));
        assert_eq!((layer.slots, layer.lease_seconds), (Some(3), Some(10)));
        assert_eq!(layer.pool.unwrap().as_str(), "gpu");
        assert_eq!(Layer::from_toml("").unwrap(), Layer::default());
        let sizes = ["2048", "'2k'", "'2 KiB'"].map(|size| {
            Layer::from_toml(&format!("max_log_bytes = {size}")).unwrap().max_log_bytes.unwrap().0
        });
        assert_eq!(sizes, [2048; 3]);
    }

    #[test]
    fn every_key_of_a_layer_is_known_to_the_file() {
        let error = toml::from_str::<Layer>("nothing = 1").unwrap_err().to_string();
        for key in Layer::KEYS {
            assert!(error.contains(&format!("`{key}`")), "{key} is no field: {error}");
        }
        assert_eq!(error.matches('`').count() / 2, Layer::KEYS.len() + 1, "{error}");
    }

    #[test]
    fn unknown_keys_are_named_all_at_once_with_line_and_a_suggestion() {
        insta::assert_snapshot!(problems("slots = 1\n\nslot = 2\nnats-url = 'x'\nfrobnicate = 1\n[worker]\n"), @r"
        config.toml:3: unknown key `slot`; did you mean `slots`?
        config.toml:4: unknown key `nats-url`; did you mean `nats_url`?
        config.toml:5: unknown key `frobnicate`; the keys are listen, database_url, nats_url, home, slots, pool, name, lease_seconds, fleet, allow_volumes, allow_networks, allow_ports, publish_address, credentials, keep_hours, max_memory, max_pids, max_log_bytes, url, api_key, log
        config.toml:6: unknown key `worker`; the keys are listen, database_url, nats_url, home, slots, pool, name, lease_seconds, fleet, allow_volumes, allow_networks, allow_ports, publish_address, credentials, keep_hours, max_memory, max_pids, max_log_bytes, url, api_key, log
        ");
    }

    #[test]
    fn values_that_cannot_be_used_are_named_with_their_line() {
        insta::assert_snapshot!(problems("\nslots = 'two'\n"), @r#"config.toml:2: invalid type: string "two", expected usize"#);
        insta::assert_snapshot!(problems("slots = 0\nlease_seconds = 1\n"), @r"
        config.toml:1: `slots`: 0 is out of range; use 1 to 4096
        config.toml:2: `lease_seconds`: 1 is out of range; use 2 to 3600 seconds
        ");
        insta::assert_snapshot!(problems("max_log_bytes = 'lots'\n"), @r#"config.toml:1: "lots" is no size; give bytes, or a size such as 512k, 100m or 1.5g"#);
        insta::assert_snapshot!(problems("max_log_bytes = -1\n"), @"config.toml:1: -1 is no size; give bytes, or a size such as 512k, 100m or 1.5g");
        insta::assert_snapshot!(problems("max_log_bytes = 1\n"), @"config.toml:1: `max_log_bytes`: 1 bytes are out of range; use 1k to 1t");
        insta::assert_snapshot!(problems("pool = 'a b'\n"), @"config.toml:1: the pool name contains ' '; use letters, digits, `_` and `-` only");
        insta::assert_snapshot!(problems("slots = 1\nslots\n"), @"config.toml:2: key with no value, expected `=`");
    }
}
