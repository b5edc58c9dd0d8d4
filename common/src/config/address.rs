//! Addresses as they may be shown.

/// The addresses, comma-separated, with what stands before `@` masked: fit for logs and errors.
#[must_use]
pub fn without_credentials(addresses: &str) -> String {
    addresses.split(',').map(mask).collect::<Vec<_>>().join(",")
}

fn mask(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let separator = if scheme.is_empty() { "" } else { "://" };
    let masked = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("***@{host}"));
    format!("{scheme}{separator}{masked}{}", mask_query(path))
}

/// A driver may take a password as parameter too.
fn mask_query(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if ["password", "token", "sslpassword"].contains(&key) => format!("{key}=***"),
        _ => pair.to_owned(),
    };
    format!("{path}?{}", query.split('&').map(mask).collect::<Vec<_>>().join("&"))
}

/// One address without what stands before its last `@`, however it is written: for errors, which need no hint that
/// there were credentials.
pub(crate) fn bare(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or((None, address), |(s, rest)| (Some(s), rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    scheme.map_or_else(|| host.to_owned(), |scheme| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_never_show() {
        let cases = [
            ("postgres://user:p@ss@db:5432/orcaops", "postgres://***@db:5432/orcaops"),
            ("postgres://db/x?user=u&password=secret", "postgres://db/x?user=u&password=***"),
            ("nats://w:pw@a:4222,nats://b:4222", "nats://***@a:4222,nats://b:4222"),
            ("w:pw@a:4222", "***@a:4222"),
            ("sqlite:///home/me@work/orcaops.db", "sqlite:///home/me@work/orcaops.db"),
        ];
        for (address, shown) in cases {
            assert_eq!(without_credentials(address), shown);
        }
    }
}
