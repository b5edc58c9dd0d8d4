//! Who a server's address says we are. The driver reads that part of an address but never uses it.

use async_nats::ServerAddr;

use crate::config::bare;

/// Who we are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A user and a password.
    User { name: String, password: String },
    /// A token.
    Token(String),
}

impl Credentials {
    /// The first that any of the addresses names.
    pub(super) fn of(servers: &[ServerAddr]) -> Option<Self> {
        let server = servers.iter().find(|s| s.has_user_pass())?;
        let name = decoded(server.username()?);
        Some(match server.password() {
            Some(password) => Self::User { name, password: decoded(password) },
            None => Self::Token(name),
        })
    }
}

/// Text as it was before `%` and two hexadecimal digits stood for what an address can't hold.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let coded = after.get(..2).filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
        match coded.as_deref() {
            Some([byte]) => {
                bytes.push(*byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `nats://user:secret@host:port` without what is secret.
pub(super) fn without_credentials(urls: &str) -> String {
    urls.split(',').map(|url| bare(url.trim())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(urls: &[&str]) -> Option<Credentials> {
        let servers: Vec<ServerAddr> = urls.iter().map(|url| url.parse().expect("an address")).collect();
        Credentials::of(&servers)
    }

    #[test]
    fn addresses_are_shown_without_credentials() {
        assert_eq!(
            without_credentials("nats://user:secret@a:4222, token@b:4222,nats://c"),
            "nats://a:4222, b:4222, nats://c"
        );
    }

    #[test]
    fn the_first_credentials_named_are_taken_as_they_were_before_they_were_coded() {
        let user = Credentials::User { name: "a@b".into(), password: "50%/:x".into() };
        assert_eq!(credentials(&["nats://c", "nats://a%40b:50%25%2F%3Ax@d", "nats://e:f@g"]), Some(user));
        assert_eq!(credentials(&["nats://secret@c:4222"]), Some(Credentials::Token("secret".into())));
        assert_eq!(credentials(&["nats://c"]), None);
    }
}
