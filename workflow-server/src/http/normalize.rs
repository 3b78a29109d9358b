//! Other spellings of paths, as older systems have them: the same handlers answer.

/// The path under which a route is known, when another spelling was asked for: without a slash at
/// the end, with `/api/v1` in front, and with `run` for `execute` and `trigger`.
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

/// What follows a prefix, when it is a whole part of the path.
fn under<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `/workflows/{w}/run`, when another word stands for it.
fn run_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/api/v1/workflows/")?;
    let (workflow, word) = rest.split_once('/')?;
    matches!(word, "execute" | "trigger").then(|| format!("/api/v1/workflows/{workflow}/run"))
}

#[cfg(test)]
mod tests {
    use super::canonical_path;

    #[test]
    fn every_path_of_the_documents_is_known() {
        let known = [
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
        for (path, wanted) in known {
            assert_eq!(canonical_path(path).as_deref(), Some(wanted), "{path}");
        }
        for path in ["/api/v1/workflows/my_workflow/run", "/", "/index.html", "/workflowsx"] {
            assert_eq!(canonical_path(path), None, "{path}");
        }
    }
}
