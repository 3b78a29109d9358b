//! Where the next page is. This module decides, and sends nothing.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use url::Url;

use super::page::{Next, Page};
use crate::config::{Pagination, PagingKind};

/// Finds the URL of each page from the page before it.
pub(super) struct Pager {
    paging: Option<Pagination>,
    first: Url,
    most: u64,
    /// The number of pages, and of their records.
    pages: u64,
    records: u64,
    /// The URLs of all pages.
    seen: HashSet<String>,
    /// The hash of the records of the page before.
    before: Option<u64>,
}

impl Pager {
    pub(super) fn new(first: Url, paging: Option<Pagination>, most: u64) -> Self {
        let (seen, before) = (HashSet::new(), None);
        Self { paging, first, most, pages: 0, records: 0, seen, before }
    }

    /// The parameters whose values are numbers of this pager.
    pub(super) fn numbered(&self) -> Vec<String> {
        let Some(paging) = &self.paging else { return Vec::new() };
        let mut names = vec![limit_parameter(paging).to_owned()];
        if is_numbered(paging) {
            names.push(parameter(paging).to_owned());
        }
        names
    }

    /// The URL of the first page.
    pub(super) fn start(&mut self) -> Url {
        let first = match &self.paging {
            Some(paging) => match paging.kind {
                PagingKind::Offset => self.numbered_url(paging, 0),
                PagingKind::Page => self.numbered_url(paging, paging.first_page.unwrap_or(1)),
                PagingKind::Link | PagingKind::Cursor => with(&self.first, &limit(paging)),
            },
            None => self.first.clone(),
        };
        self.seen.insert(first.to_string());
        first
    }

    /// The URL of the page after this one; `None` after the last one. `url` is where the page was
    /// found, and `link` its header.
    ///
    /// # Errors
    ///
    /// Fails with the reason when pages repeat, when there are too many, and when the next one is
    /// on another server.
    pub(super) fn advance(
        &mut self,
        url: &Url,
        link: &str,
        page: &Page,
    ) -> Result<Option<Url>, String> {
        self.pages += 1;
        self.records = self.records.saturating_add(page.records.len() as u64);
        let Some(paging) = &self.paging else { return Ok(None) };
        let next = match paging.kind {
            PagingKind::Link => match &paging.next_path {
                Some(path) => self.cursor(path, page).map(|found| url.join(found)),
                None => next_of(link).map(|found| url.join(found)),
            }
            .transpose()
            .map_err(|_| "the URL of the next page is not valid".to_owned())?,
            PagingKind::Cursor => {
                let path = paging.next_path.as_deref().unwrap_or_default();
                self.cursor(path, page).map(|cursor| {
                    let mut parameters = limit(paging);
                    parameters.push((parameter(paging).to_owned(), cursor.to_owned()));
                    with(&self.first, &parameters)
                })
            }
            PagingKind::Offset | PagingKind::Page if page.records.is_empty() => None,
            PagingKind::Offset => Some(self.numbered_url(paging, self.records)),
            PagingKind::Page => {
                let first = paging.first_page.unwrap_or(1);
                Some(self.numbered_url(paging, first.saturating_add(self.pages)))
            }
        };
        self.check_repetition(page)?;
        next.map(|next| self.check(next)).transpose()
    }

    /// Checks the URL of the next page.
    fn check(&mut self, mut next: Url) -> Result<Url, String> {
        if next.origin() != self.first.origin() {
            return Err(elsewhere("the next page is", &next));
        }
        next.set_fragment(None);
        // The credentials are those of the configuration. URLs with a host can have a user.
        let _ = (next.set_username(""), next.set_password(None));
        if !self.seen.insert(next.to_string()) {
            return Err("the next page was read before, so the pages never end; \
                check `pagination`"
                .to_owned());
        }
        if self.pages >= self.most {
            let most = self.most;
            return Err(format!(
                "there are more than {most} pages; raise `max_pages` of `pagination`"
            ));
        }
        Ok(next)
    }

    /// A server that ignores the parameter sends the same page forever.
    fn check_repetition(&mut self, page: &Page) -> Result<(), String> {
        let Some(paging) = self.paging.as_ref().filter(|paging| is_numbered(paging)) else {
            return Ok(());
        };
        let mut hasher = DefaultHasher::new();
        page.records.iter().for_each(|record| record.get().hash(&mut hasher));
        let before = self.before.replace(hasher.finish());
        if !page.records.is_empty() && before == self.before {
            let parameter = parameter(paging);
            return Err(format!(
                "the page has the same records as the one before; \
                 check that the server knows the parameter `{parameter}`"
            ));
        }
        Ok(())
    }

    fn cursor<'p>(&self, path: &str, page: &'p Page) -> Option<&'p str> {
        match &page.next {
            Next::Value(value) => Some(value),
            Next::None => None,
            Next::Missing(keys) => {
                if self.pages == 1 {
                    tracing::warn!("the first page has no `{path}`: {keys}; reading one page");
                }
                None
            }
        }
    }

    fn numbered_url(&self, paging: &Pagination, number: u64) -> Url {
        let mut parameters = limit(paging);
        parameters.push((parameter(paging).to_owned(), number.to_string()));
        with(&self.first, &parameters)
    }
}

/// The error of a URL on another server, which gets no request: it would get the credentials.
pub(super) fn elsewhere(what: &str, url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    format!("{what} on another server, `{origin}`; set `url` to it if it is the right one")
}

/// Whether the URLs of pages have numbers, which this module counts.
fn is_numbered(paging: &Pagination) -> bool {
    matches!(paging.kind, PagingKind::Offset | PagingKind::Page)
}

fn parameter(paging: &Pagination) -> &str {
    paging.parameter.as_deref().unwrap_or(match paging.kind {
        PagingKind::Offset => "offset",
        PagingKind::Page => "page",
        PagingKind::Cursor | PagingKind::Link => "cursor",
    })
}

fn limit_parameter(paging: &Pagination) -> &str {
    paging.limit_parameter.as_deref().unwrap_or("limit")
}

/// The parameter with the size of a page, if one is asked for.
fn limit(paging: &Pagination) -> Vec<(String, String)> {
    let default = (paging.kind == PagingKind::Offset).then_some(100);
    let limit = paging.limit.or(default);
    limit.map(|limit| (limit_parameter(paging).to_owned(), limit.to_string())).into_iter().collect()
}

/// A URL with parameters in place of those of the same names.
pub(super) fn with(url: &Url, parameters: &[(String, String)]) -> Url {
    let mut changed = url.clone();
    if parameters.is_empty() {
        return changed;
    }
    let is_kept = |name: &str| !parameters.iter().any(|(new, _)| new == name);
    let kept: Vec<_> = url.query_pairs().filter(|(name, _)| is_kept(name)).collect();
    changed.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(parameters);
    changed
}

/// The URL with `rel="next"` in a header `Link`.
fn next_of(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (url, after) = after.split_once('>')?;
        let end = end_of_link(after);
        if parameters_of(&after[..end]).any(|(name, value)| {
            name.eq_ignore_ascii_case("rel")
                && value.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        }) {
            return Some(url);
        }
        rest = &after[end..];
    }
    None
}

/// Where the parameters of a link end: at a comma outside of quotes.
fn end_of_link(text: &str) -> usize {
    let mut is_quoted = false;
    let end = text.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == b',' && !is_quoted
    });
    end.unwrap_or(text.len())
}

fn parameters_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_relations() {
        let header = r#"<https://a/?q=1,2&page=1>; rel="prev"; title="a, <b>", <https://a/?page=3>; rel="last NEXT""#;
        assert_eq!(next_of(header), Some("https://a/?page=3"));
        assert_eq!(next_of("</b?page=2>;rel=next"), Some("/b?page=2"));
        assert_eq!(next_of("</b>; rel=prev"), None);
        assert_eq!(next_of("<broken; rel=next"), None);
        assert_eq!(next_of(""), None);
    }
}
