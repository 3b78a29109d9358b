//! URLs of objects: `s3://bucket/sales/2026-*.csv`.

use workflow_config::Violations;

use super::FileSource;
use super::files::{self, WILDCARDS};

/// The kind of an object store, by the scheme of its URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    S3,
    Gcs,
    Azure,
    Http,
}

/// A URL of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectUrl<'a> {
    pub(crate) kind: StoreKind,
    /// The scheme with the bucket, the container or the server.
    pub(crate) root: &'a str,
    /// The key of an object, or a pattern.
    pub(crate) key: &'a str,
}

const SCHEMES: [(&str, StoreKind); 8] = [
    ("s3", StoreKind::S3),
    ("s3a", StoreKind::S3),
    ("gs", StoreKind::Gcs),
    ("az", StoreKind::Azure),
    ("abfs", StoreKind::Azure),
    ("abfss", StoreKind::Azure),
    ("https", StoreKind::Http),
    ("http", StoreKind::Http),
];

impl<'a> ObjectUrl<'a> {
    /// Reads a path; `None` if it is a file of this machine.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong with the URL.
    pub(crate) fn read(path: &'a str) -> Option<Result<Self, String>> {
        files::scheme(path).map(|(scheme, rest)| Self::of(path, scheme, rest))
    }

    fn of(path: &'a str, scheme: &str, rest: &'a str) -> Result<Self, String> {
        let known = SCHEMES.into_iter().find(|(known, _)| *known == scheme);
        let Some((_, kind)) = known else {
            return Err(format!(
                "has the unknown scheme `{scheme}`; use a path, or a URL with s3, gs, az, abfss \
                 or https"
            ));
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let what = if kind == StoreKind::Http { "server" } else { "bucket" };
        if bucket.is_empty() {
            return Err(format!("names no {what}; write `{scheme}://{}`", example(kind)));
        }
        if bucket.contains(WILDCARDS) {
            return Err(format!("has a pattern in the {what} `{bucket}`; name one {what}"));
        }
        if key.is_empty() || key.ends_with('/') {
            return Err(format!("names no object; write `{scheme}://{}`", example(kind)));
        }
        if kind == StoreKind::Http && bucket.contains('@') {
            return Err("has a user; credentials over HTTP are not supported here".to_owned());
        }
        if kind == StoreKind::Http && (key.contains(WILDCARDS) || key.contains('#')) {
            return Err("names one object over HTTP, without patterns and parameters".to_owned());
        }
        let root = &path[..scheme.len() + "://".len() + bucket.len()];
        Ok(Self { kind, root, key })
    }
}

fn example(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::S3 | StoreKind::Gcs | StoreKind::Azure => "bucket/sales/2026-*.csv",
        StoreKind::Http => "server/sales.csv",
    }
}

/// Checks the path and `storage` of a source.
pub(super) fn check(file: &FileSource, path: impl Fn(&str) -> String, violations: &mut Violations) {
    match ObjectUrl::read(&file.path) {
        Some(Err(message)) => violations.add(path("path"), message),
        None if !file.storage.is_empty() => {
            let message =
                "only URLs of object stores have it, such as `s3://bucket/a.csv`; remove it";
            violations.add(path("storage"), message);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_root_and_a_key() {
        let url =
            |path| ObjectUrl::read(path).map(|url| url.map(|url| (url.kind, url.root, url.key)));
        assert_eq!(url("data/a.csv"), None);
        assert_eq!(
            url("s3://shop/sales/*.csv"),
            Some(Ok((StoreKind::S3, "s3://shop", "sales/*.csv")))
        );
        assert_eq!(
            url("abfss://shop@ada.dfs.core.windows.net/a b.csv"),
            Some(Ok((StoreKind::Azure, "abfss://shop@ada.dfs.core.windows.net", "a b.csv")))
        );
        assert_eq!(
            url("https://example.com:8080/a/b.csv"),
            Some(Ok((StoreKind::Http, "https://example.com:8080", "a/b.csv")))
        );
    }
}
