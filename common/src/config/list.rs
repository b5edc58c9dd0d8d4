//! Lists of words, as flags and variables write them.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// Words with commas between them. A file may also write them as an array.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl FromStr for List {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected words with commas between them, or an array of words")]
        enum Written {
            Line(String),
            Array(Vec<String>),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Line(line) => line.parse().unwrap_or_default(),
            Written::Array(words) => Self(words),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_an_array_say_the_same() {
        #[derive(Debug, Deserialize)]
        struct File {
            a: List,
            b: List,
        }
        let file: File = toml::from_str("a = '/srv, /data,'\nb = ['/srv', '/data']").unwrap();
        assert_eq!(file.a, file.b);
        assert_eq!(file.a.to_string(), "/srv,/data");
        assert!(toml::from_str::<File>("a = 1\nb = []").unwrap_err().to_string().contains("array of words"));
    }
}
