//! What a worker shows registries so that they let it pull.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::file::{line, one_line};

/// What an entry must say.
const FIELDS: [&str; 3] = ["server", "username", "password"];
/// Whom the file may not be readable to: everybody. A group may share it.
#[cfg(unix)]
const EVERYBODY: u32 = 0o007;

/// A name and a password for one registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The registry, as images name it: a host, and perhaps a port.
    pub server: String,
    /// The name to log in with.
    pub username: String,
    /// What proves it. Never shown.
    pub password: String,
}

/// Shows whose it is, not the password.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, username, password: _ } = self;
        f.debug_struct("Credential")
            .field("server", server)
            .field("username", username)
            .field("password", &"***")
            .finish()
    }
}

/// Credentials by the names that jobs use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, Credential>);

impl Credentials {
    /// What a file says: a table for each name, with `server`, `username` and `password`.
    ///
    /// # Errors
    /// When it can't be read, may be read by everybody, or says what can't be used; all of that at once, each
    /// with its line.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
            if mode & EVERYBODY != 0 {
                return Err(ConfigError::Exposed { path: path.to_owned(), mode });
            }
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::from_toml(&text).map_err(|problems| ConfigError::File { path: path.to_owned(), problems })
    }

    /// The credential of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Credential> {
        self.0.get(name)
    }

    fn from_toml(text: &str) -> Result<Self, Vec<(usize, String)>> {
        let table = DeTable::parse(text).map_err(|error| {
            vec![(line(text, error.span().map_or(0, |span| span.start)), one_line(error.message()))]
        })?;
        let mut credentials = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, entry) in table.get_ref() {
            let at = line(text, name.span().start);
            match credential(text, name.get_ref(), entry) {
                Ok(credential) => {
                    credentials.insert(name.get_ref().to_string(), credential);
                }
                Err(what) => problems.extend(what.into_iter().map(|(line, what)| (line.unwrap_or(at), what))),
            }
        }
        problems.sort();
        if problems.is_empty() { Ok(Self(credentials)) } else { Err(problems) }
    }
}

/// For tests and for whoever has them from elsewhere.
impl FromIterator<(String, Credential)> for Credentials {
    fn from_iter<I: IntoIterator<Item = (String, Credential)>>(credentials: I) -> Self {
        Self(credentials.into_iter().collect())
    }
}

/// What is wrong, with its line where it is not the entry's own.
type Problems = Vec<(Option<usize>, String)>;

fn credential(text: &str, name: &str, entry: &Spanned<DeValue<'_>>) -> Result<Credential, Problems> {
    let DeValue::Table(table) = entry.get_ref() else {
        let advice = format!("write it as [{name}] with server, username and password");
        return Err(vec![(None, format!("`{name}` is no table; {advice}"))]);
    };
    let mut problems: Problems = table
        .keys()
        .filter(|key| !FIELDS.contains(&key.get_ref().as_ref()))
        .map(|key| {
            let what = format!("unknown key `{}`; the keys are {}", key.get_ref(), FIELDS.join(", "));
            (Some(line(text, key.span().start)), what)
        })
        .collect();
    let [server, username, password] = FIELDS.map(|field| match table.get(field) {
        None => {
            problems.push((None, format!("`{name}` has no `{field}`; add it")));
            String::new()
        }
        Some(value) => match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => text.to_string(),
            _ => {
                let what = format!("`{field}` of `{name}` must be a text that is not empty");
                problems.push((Some(line(text, value.span().start)), what));
                String::new()
            }
        },
    });
    if problems.is_empty() { Ok(Credential { server, username, password }) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_table_and_no_password_shows() {
        let text = "[corp]\nserver = 'registry.corp:5000'\nusername = 'ci'\npassword = 'hunter2'\n";
        let credentials = Credentials::from_toml(text).unwrap();
        assert_eq!(credentials.get("corp").unwrap().password, "hunter2");
        assert_eq!(credentials.get("other"), None);
        let shown = format!("{credentials:?}");
        assert!(shown.contains("registry.corp:5000") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let text = "a = 1\n[b]\nserver = 'x'\nuser = 'ci'\npassword = ''\n";
        let problems = Credentials::from_toml(text).unwrap_err();
        let message = ConfigError::File { path: "credentials.toml".into(), problems }.to_string();
        insta::assert_snapshot!(message, @r"
        credentials.toml:1: `a` is no table; write it as [a] with server, username and password
        credentials.toml:2: `b` has no `username`; add it
        credentials.toml:4: unknown key `user`; the keys are server, username, password
        credentials.toml:5: `password` of `b` must be a text that is not empty
        ");
        assert_eq!(Credentials::from_toml("[x\n").unwrap_err()[0].0, 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::fs::write(&path, "").unwrap();
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o644);
        let message = Credentials::from_file(&path).unwrap_err().to_string();
        assert!(message.contains("mode 0644") && message.contains("chmod 600"), "{message}");
        set(0o640);
        assert_eq!(Credentials::from_file(&path).unwrap(), Credentials::default());
        assert!(Credentials::from_file(&folder.path().join("none")).is_err());
    }
}
