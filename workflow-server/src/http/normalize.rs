//! Aliases of paths, for clients of older systems.

/// Returns the canonical path for an alias: without a trailing slash, with the prefix `/api/v1`,
/// and with `run` for `execute` and `trigger`. `None` if the path is canonical.
pub(crate) fn canonical_path(path: &str) -> Option<String> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let rest = ["/api/workflows/workflows", "/workflows"]
        .iter()
        .find_map(|prefix| under(trimmed, prefix).map(|rest| format!("/api/v1/workflows{rest}")));
    let others = [
        ("/api/workflows/runs", "/api/v1/runs"),
        ("/runs", "/api/v1/runs"),
        ("/configs", "/api/v1/configs"),
        ("/health", "/api/v1/health"),
        ("/metrics", "/api/v1/metrics"),
    ];
    let rest = rest.or_else(|| {
        others.iter().find_map(|(from, to)| under(trimmed, from).map(|rest| format!("{to}{rest}")))
    });
    let known = rest.unwrap_or_else(|| trimmed.to_owned());
    let known = run_of(&known).unwrap_or(known);
    (known.starts_with("/api/") && known != path).then_some(known)
}

/// Returns the rest after a prefix that ends at a segment of the path.
fn under<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns `/workflows/{w}/run` for its aliases.
fn run_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/api/v1/workflows/")?;
    let (workflow, word) = rest.split_once('/')?;
    matches!(word, "execute" | "trigger").then(|| format!("/api/v1/workflows/{workflow}/run"))
}

#[cfg(test)]
mod tests {
    use super::canonical_path;

    #[test]
    fn every_documented_alias_is_known() {
        let aliases = [
            ("/api/workflows/workflows/", "/api/v1/workflows"),
            ("/api/workflows/workflows/7/", "/api/v1/workflows/7"),
            ("/api/workflows/workflows/7/execute/", "/api/v1/workflows/7/run"),
            ("/api/workflows/workflows/7/runs/", "/api/v1/workflows/7/runs"),
            ("/api/workflows/runs/", "/api/v1/runs"),
            ("/api/workflows/runs/7/", "/api/v1/runs/7"),
            ("/configs/", "/api/v1/configs"),
            ("/configs/example_workflow", "/api/v1/configs/example_workflow"),
            ("/configs/example_workflow/validate", "/api/v1/configs/example_workflow/validate"),
            ("/api/v1/workflows/my_workflow/trigger", "/api/v1/workflows/my_workflow/run"),
            ("/workflows/my_workflow/trigger", "/api/v1/workflows/my_workflow/run"),
            ("/metrics", "/api/v1/metrics"),
        ];
        for (path, canonical) in aliases {
            assert_eq!(canonical_path(path).as_deref(), Some(canonical), "{path}");
        }
        for path in ["/api/v1/workflows/my_workflow/run", "/", "/index.html", "/workflowsx"] {
            assert_eq!(canonical_path(path), None, "{path}");
        }
    }
}
