//! Options of sources of type `api`.

use std::collections::BTreeMap;

use serde::Deserialize;
use workflow_config::{Rules, Secret, Violations};

use super::incremental::Incremental;
use crate::value::ColumnType;

/// Options of a source of type `api`: JSON from an HTTP server, page by page.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ApiSource {
    /// The address of the first page. Pages on other servers are refused.
    pub url: String,
    /// How requests are authorized. Default: not at all.
    pub auth_type: Option<AuthType>,
    /// The token of `bearer_token`, or the value of the header of `header`.
    pub token: Option<Secret>,
    /// The user of `basic`.
    pub username: Option<String>,
    /// The password of `basic`.
    pub password: Option<Secret>,
    /// The name of the header of `header`, such as `X-API-Key`.
    pub header: Option<String>,
    /// More headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Parameters that are added to `url`.
    #[serde(default)]
    pub query_parameters: BTreeMap<String, Secret>,
    /// The path of the list of records in a response, such as `data.items`. Default: the response
    /// is the list.
    pub records_path: Option<String>,
    /// How the next page is found. Default: there is one page.
    pub pagination: Option<Pagination>,
    /// Types of columns. The others are found from the first page that has records.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnType>,
    /// Reads new records only.
    pub incremental: Option<Incremental>,
    /// The most requests in a second. Default: no limit.
    pub requests_per_second: Option<f64>,
    /// How long a connection may take, in seconds. Default: 10.
    pub connect_timeout: Option<f64>,
    /// How long a request may take, to the end of its response, in seconds. Default: 60.
    pub timeout: Option<f64>,
    /// The size of the largest response, in MiB. Default: 32.
    pub max_response_mib: Option<u64>,
}

/// How requests to an API are authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthType {
    /// Not at all.
    None,
    /// The header `Authorization: Bearer` with `token`.
    BearerToken,
    /// The header `Authorization: Basic` with `username` and `password`.
    Basic,
    /// The header `header` with `token`.
    Header,
}

/// How the next page of an API is found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pagination {
    /// The kind of paging.
    #[serde(rename = "type")]
    pub kind: PagingKind,
    /// The parameter with the offset, the page or the cursor. Default: `offset`, `page`, `cursor`.
    pub parameter: Option<String>,
    /// The number of records that a page is asked for. Default: 100 for `offset`, else that of the
    /// server.
    pub limit: Option<u64>,
    /// The parameter with `limit`. Default: `limit`.
    pub limit_parameter: Option<String>,
    /// The number of the first page. Default: 1.
    pub first_page: Option<u64>,
    /// The path of the next cursor in a response, or, for `link`, of the next URL.
    pub next_path: Option<String>,
    /// The most pages. More of them are an error. Default: 10,000.
    pub max_pages: Option<u64>,
}

/// The kinds of paging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PagingKind {
    /// A URL in the header `Link` with `rel="next"`, or at `next_path`. The last page has none.
    Link,
    /// The number of records before the page. The last page is empty.
    Offset,
    /// The number of the page. The last page is empty.
    Page,
    /// A cursor at `next_path`. The last page has none.
    Cursor,
}

impl ApiSource {
    /// The most pages.
    #[cfg(feature = "api")]
    pub(crate) fn max_pages(&self) -> u64 {
        self.pagination.as_ref().and_then(|paging| paging.max_pages).unwrap_or(10_000)
    }

    /// The address of the first page, or why it is invalid.
    #[cfg(feature = "api")]
    pub(crate) fn parsed_url(&self) -> Result<url::Url, String> {
        let url = url::Url::parse(&self.url)
            .map_err(|_| "is not a valid URL; write `https://host/path`".to_owned())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user; use `auth_type: basic`".to_owned());
        }
        Ok(url)
    }

    /// Whether requests have secrets.
    #[cfg(feature = "api")]
    pub(crate) fn has_secrets(&self) -> bool {
        self.token.is_some()
            || self.password.is_some()
            || !self.headers.is_empty()
            || !self.query_parameters.is_empty()
    }
}

impl Rules for ApiSource {
    fn check(&self, violations: &mut Violations) {
        if !["http://", "https://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            violations.add("url", "must begin with `https://` or `http://`");
        } else {
            #[cfg(feature = "api")]
            if let Err(reason) = self.parsed_url() {
                violations.add("url", reason);
            }
        }
        self.check_auth(violations);
        for name in self.headers.keys().filter(|name| !is_header_name(name)) {
            violations.add("headers", format!("`{name}` is not the name of a header"));
        }
        for (name, value) in &self.headers {
            if value.expose().chars().any(char::is_control) {
                violations.add(format!("headers.{name}"), "must be one line of text");
            }
        }
        if self.requests_per_second.is_some_and(|most| !(0.001..=1e6).contains(&most)) {
            violations.add("requests_per_second", "must be from 0.001 to 1000000");
        }
        let timeouts = [("connect_timeout", self.connect_timeout), ("timeout", self.timeout)];
        for (option, seconds) in timeouts {
            if seconds.is_some_and(|seconds| !(0.001..=86_400.0).contains(&seconds)) {
                violations.add(option, "must be from 0.001 to 86400 seconds");
            }
        }
        if self.max_response_mib.is_some_and(|most| !(1..=1024).contains(&most)) {
            violations.add("max_response_mib", "must be from 1 to 1024");
        }
        if let Some(paging) = &self.pagination {
            violations.field("pagination", paging);
        }
        if let Some(incremental) = &self.incremental {
            violations.field("incremental", incremental);
            if incremental.parameter.is_none() {
                let message = "an API needs the name of a parameter; add `parameter: since`";
                violations.add("incremental.cursor", message);
            }
        }
    }
}

impl ApiSource {
    fn check_auth(&self, violations: &mut Violations) {
        use AuthType::{Basic, BearerToken, Header};
        let auth = self.auth_type.unwrap_or(AuthType::None);
        let options = [
            ("token", self.token.is_some(), &[BearerToken, Header][..], "${secret:API_TOKEN}"),
            ("username", self.username.is_some(), &[Basic], "etl"),
            ("password", self.password.is_some(), &[Basic], "${secret:API_PASSWORD}"),
            ("header", self.header.is_some(), &[Header], "X-API-Key"),
        ];
        for (option, is_given, users, example) in options {
            let (name, is_needed) = (auth.name(), users.contains(&auth));
            if is_needed && !is_given {
                let message = format!(
                    "`{name}` needs `{option}`; add `{option}:`, such as `{option}: {example}`"
                );
                violations.add("auth_type", message);
            }
            if is_given && !is_needed {
                let message = format!("`auth_type: {name}` does not use this; remove it");
                violations.add(option, message);
            }
        }
        let secrets = [("token", &self.token), ("password", &self.password)];
        for (option, secret) in secrets {
            let text = secret.as_ref().map(|secret| secret.expose().as_str());
            if text.is_some_and(|text| text.is_empty() || text.chars().any(char::is_control)) {
                violations.add(option, "must be one line of text, and not empty");
            }
        }
        if self.header.as_ref().is_some_and(|name| !is_header_name(name)) {
            violations.add("header", "must be the name of a header, such as `X-API-Key`");
        }
        if self.username.as_ref().is_some_and(|name| name.contains(':')) {
            violations.add("username", "must not contain `:`");
        }
    }
}

impl AuthType {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BearerToken => "bearer_token",
            Self::Basic => "basic",
            Self::Header => "header",
        }
    }
}

fn is_header_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_fit)
}

impl Rules for Pagination {
    fn check(&self, violations: &mut Violations) {
        use PagingKind::{Cursor, Link, Offset, Page};
        let options: [(_, _, &[_]); 5] = [
            ("parameter", self.parameter.is_some(), &[Offset, Page, Cursor]),
            ("limit", self.limit.is_some(), &[Offset, Page, Cursor]),
            ("limit_parameter", self.limit_parameter.is_some(), &[Offset, Page, Cursor]),
            ("first_page", self.first_page.is_some(), &[Page]),
            ("next_path", self.next_path.is_some(), &[Link, Cursor]),
        ];
        for (option, _, _) in
            options.iter().filter(|(_, is_given, kinds)| *is_given && !kinds.contains(&self.kind))
        {
            violations.add(option, "this type of pagination does not use it; remove it");
        }
        if self.kind == Cursor && self.next_path.is_none() {
            let message = "`cursor` needs the path of the next cursor in a response; \
                add `next_path: meta.next_cursor`";
            violations.add("type", message);
        }
        for (option, number) in [("limit", self.limit), ("max_pages", self.max_pages)] {
            if number == Some(0) {
                violations.add(option, "must be 1 or more");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_with_other_secrets_differ() {
        let source = |json: &str| serde_json::from_str::<ApiSource>(json).expect("a source");
        let token = source(r#"{ "url": "http://a", "token": "x" }"#);
        assert_eq!(token, token.clone());
        assert_ne!(token, source(r#"{ "url": "http://a", "token": "y" }"#));
        let parameter = source(r#"{ "url": "http://a", "query_parameters": { "token": "x" } }"#);
        assert_ne!(token, parameter);
        assert_eq!(parameter, parameter.clone());
    }
}
