//! Which paths are one file: for files that a pipeline writes twice, or reads as well as writes.

use std::fs;
use std::path::{self, Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

/// A path in one spelling: absolute, without `.` and `..`, and with the links that exist followed.
pub(super) fn canonical(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    // An empty path and a current folder that is gone stay as they are.
    let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for part in absolute.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                found.pop();
            }
            part => {
                found.push(part);
                found = fs::canonicalize(&found).unwrap_or(found);
            }
        }
    }
    found
}

/// Whether two paths are one file. An empty path is none.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    !one.as_os_str().is_empty() && canonical(one) == canonical(other)
}

/// The characters of patterns.
pub(crate) const WILDCARDS: [char; 3] = ['*', '?', '['];

/// How patterns match: a wildcard stands for no `/`. Hidden files are not tables, and pipelines write
/// theirs under hidden names first.
pub(crate) const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Explains why a path is not a valid pattern.
pub(crate) fn invalid_pattern(path: &str, error: &PatternError) -> String {
    format!("invalid pattern `{path}`: {}, at character {}", error.msg, error.pos + 1)
}

/// Whether a path or pattern of files that are read has this file among them.
pub(super) fn matches(pattern: &str, file: &Path) -> bool {
    if is_same(Path::new(pattern), file) {
        return true;
    }
    // Links of the folders before the first wildcard are followed.
    let is_wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(WILDCARDS);
    let path = Path::new(pattern);
    let folder: PathBuf = path.components().take_while(|part| !is_wild(part)).collect();
    let rest: PathBuf = path.components().skip_while(|part| !is_wild(part)).collect();
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let folder = Pattern::escape(&canonical(folder).to_string_lossy());
    let pattern = Path::new(&folder).join(rest);
    let pattern = Pattern::new(&pattern.to_string_lossy());
    // An invalid pattern has an error of its own.
    pattern.is_ok_and(|pattern| pattern.matches_path_with(&canonical(file), MATCHING))
}

/// The scheme of a URL, such as `s3`, and what follows it; `None` for a path.
pub(super) fn scheme(path: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = path.split_once("://")?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (!scheme.is_empty() && scheme.bytes().all(is_scheme)).then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn one_file_has_many_spellings() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("data"))?;
        std::os::unix::fs::symlink("data", path("link"))?;
        for other in ["data/./o.csv", "data/../data/o.csv", "link/o.csv", "missing/../link/o.csv"] {
            assert!(is_same(&path("data/o.csv"), &path(other)), "{other}");
        }
        assert!(is_same(Path::new("o.csv"), Path::new("./o.csv")));
        assert!(!is_same(Path::new(""), Path::new("")));
        let matches =
            |pattern: &str, file: &str| matches(&path(pattern).display().to_string(), &path(file));
        for pattern in ["data/*.csv", "./link/o.*", "*/[no].csv", "**/o.csv", "link/o.csv"] {
            assert!(matches(pattern, "data/o.csv"), "{pattern}");
        }
        for pattern in ["*.csv", "data/*.json", "data/[", "other/*.csv"] {
            assert!(!matches(pattern, "data/o.csv"), "{pattern}");
        }
        assert!(!matches("data/*", "data/.o.csv"));
        Ok(())
    }

    #[test]
    fn urls_are_no_paths() {
        assert_eq!(scheme("s3://bucket/x.csv"), Some(("s3", "bucket/x.csv")));
        for path in ["a/b.csv", "C:\\a.csv", "://a", "a/b://c"] {
            assert_eq!(scheme(path), None, "{path}");
        }
    }
}
