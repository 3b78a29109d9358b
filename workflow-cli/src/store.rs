//! Where workflows and runs are kept.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use comfy_table::Table;
use jiff::{Span, SpanRelativeTo, Timestamp};
use workflow_core::Status;
use workflow_store::{Catalog, Page, Viewer};

use crate::failure::Failure;
use crate::output;

/// Which store is meant.
#[derive(Debug, Default, Args)]
pub(crate) struct StoreArguments {
    /// The database: a file of SQLite, or postgres://user@host/database [default: WORKFLOW_DB, or
    /// sqlite://.workflow/workflows.db]
    #[arg(long, global = true, value_name = "URL", display_order = 800)]
    db: Option<String>,
    /// The store of the host, which is meant where none is named.
    #[arg(skip)]
    pub(crate) host: Option<HostStore>,
}

/// A store that the host hands to the command line.
#[derive(Clone)]
pub(crate) struct HostStore(pub(crate) Arc<dyn Catalog>);

impl fmt::Debug for HostStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostStore").finish_non_exhaustive()
    }
}

impl HostStore {
    /// The store as the user of this terminal sees it.
    pub(crate) fn seen(&self) -> Arc<dyn Catalog> {
        for_user(self.0.clone())
    }
}

impl StoreArguments {
    /// Opens the store, which must be there.
    ///
    /// # Errors
    ///
    /// Fails when it is not, and when it cannot be opened.
    pub(crate) fn open(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.hosts() {
            return Ok(host.seen());
        }
        let address = address(self.db.as_deref());
        match file(&address) {
            Some(path) if !path.exists() => Err(Failure::Usage(format!(
                "there is no database at `{}`; say which with --db or WORKFLOW_DB, keep a run with \
                 `run --db`, or make an empty one with `migrate`",
                path.display()
            ))),
            _ => connect(&address),
        }
    }

    /// Opens the store, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened.
    pub(crate) fn make(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.hosts() {
            return Ok(host.seen());
        }
        make(&address(self.db.as_deref()))
    }

    /// The store of the host, unless another is named.
    fn hosts(&self) -> Option<&HostStore> {
        self.host.as_ref().filter(|_| self.db.is_none())
    }

    /// The address, without a password.
    pub(crate) fn shown(&self) -> String {
        if self.hosts().is_some() {
            return "the store of this program".to_owned();
        }
        shown(&address(self.db.as_deref()))
    }
}

/// The address that is meant, if one is: what was given, or what the environment says.
pub(crate) fn given(db: Option<&str>) -> Option<String> {
    let said = || std::env::var(VARIABLE).ok();
    db.map(str::to_owned).or_else(said).filter(|address| !address.is_empty())
}

/// The address of the store when one is needed.
pub(crate) fn address(db: Option<&str>) -> String {
    given(db).unwrap_or_else(|| USUAL.to_owned())
}

/// Opens the store at this address, and makes it, and its folder, where there is none.
///
/// # Errors
///
/// Fails when it cannot be opened.
pub(crate) fn make(address: &str) -> Result<Arc<dyn Catalog>, Failure> {
    let path = file(address);
    let folder = path.as_deref().and_then(Path::parent);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| Failure::Machine {
            what: format!("the folder `{}` of the database cannot be made", folder.display()),
            error,
        })?;
    }
    connect(address)
}

/// Opens the store for the user of this terminal, who sees and may do everything, and whose own
/// workflows are the first that a name means.
fn connect(address: &str) -> Result<Arc<dyn Catalog>, Failure> {
    Ok(for_user(pollster::block_on(workflow_store::open(address))?))
}

fn for_user(store: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
    match user() {
        Some(user) => store.seen_by(Viewer::Staff(user)),
        None => store,
    }
}

/// The user of this terminal, whose are the workflows and runs that it asks for; nobody, where the
/// environment does not say.
pub(crate) fn user() -> Option<String> {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.into_iter().find(|user| !user.is_empty())
}

/// The environment variable that names the store.
const VARIABLE: &str = "WORKFLOW_DB";

/// The store when nothing names one.
const USUAL: &str = "sqlite://.workflow/workflows.db";

/// The file that the address means, if it means one.
fn file(address: &str) -> Option<PathBuf> {
    let path = match address.split_once("://") {
        Some(("sqlite" | "file", path)) => path,
        Some(_) => return None,
        None => address.strip_prefix("sqlite:").unwrap_or(address),
    };
    (path != ":memory:").then(|| PathBuf::from(path))
}

/// The address without a password.
fn shown(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return address.to_owned() };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("{scheme}://{user}@{host}")
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Args)]
pub(crate) struct PageArguments {
    /// How many to list at most, up to 1000
    #[arg(short, long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on where a list ended: the cursor that it gave
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArguments {
    pub(crate) fn limit(&self) -> Option<usize> {
        Some(self.limit.into())
    }

    pub(crate) fn after(&self) -> Option<String> {
        self.cursor.clone()
    }
}

/// Prints a page for people as a table, and how to go on after it; `none` when there is nothing on
/// it.
pub(crate) fn print_page<T>(
    page: &Page<T>,
    none: fmt::Arguments<'_>,
    table: impl FnOnce(&[T]) -> Table,
) -> Result<(), Failure> {
    print_page_with(page, none, |out, items| output::write_table(out, table(items)))
}

/// The same, written in any way.
pub(crate) fn print_page_with<T>(
    page: &Page<T>,
    none: fmt::Arguments<'_>,
    write: impl FnOnce(&mut dyn Write, &[T]) -> io::Result<()>,
) -> Result<(), Failure> {
    if page.items.is_empty() {
        output::say(none);
    } else {
        output::print(|out| write(out, &page.items))?;
    }
    if let Some(cursor) = &page.next {
        output::say(format_args!("there are more: --cursor '{cursor}'"));
    }
    Ok(())
}

/// How to write what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// A time as tables have it: to the second, in the time zone of this machine.
pub(crate) fn time(at: Option<SystemTime>) -> String {
    let at = at.and_then(local);
    at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// A time where there is little room: the time of day for one of today, and else the day, too.
pub(crate) fn short_time(at: SystemTime) -> String {
    let Some(at) = local(at) else { return "-".to_owned() };
    let now = local(SystemTime::now());
    let format = match now {
        Some(now) if now.date() == at.date() => "%H:%M:%S",
        Some(now) if now.year() == at.year() => "%d %b %H:%M",
        _ => "%Y-%m-%d",
    };
    at.strftime(format).to_string()
}

fn local(at: SystemTime) -> Option<jiff::Zoned> {
    Some(Timestamp::try_from(at).ok()?.to_zoned(jiff::tz::TimeZone::system()))
}

/// A time as JSON has it.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| "out of range".to_owned(), |at| at.to_string())
}

/// A span of time such as `2h` or `7d`.
///
/// # Errors
///
/// Fails when it is none.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no span of time; write 90s, 30m, 2h or 7d");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// A time: `2h` for two hours ago, or a date or time of its own.
///
/// # Errors
///
/// Fails when it is none.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    if let Ok(span) = span(text) {
        return SystemTime::now().checked_sub(span).ok_or_else(|| format!("`{text}` is too long"));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.into());
    }
    let day = text.parse::<jiff::civil::DateTime>().ok();
    let at = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    at.map(|at| at.timestamp().into()).ok_or_else(|| {
        format!("`{text}` is no time; write how long ago, as 2h or 7d, or a time, as 2026-01-02T03:04:05Z")
    })
}

/// Where a run stands.
///
/// # Errors
///
/// Fails when no run stands there.
pub(crate) fn run_status(text: &str) -> Result<Status, String> {
    match text.parse() {
        Ok(Status::Skipped) => Err("jobs are skipped, runs are not".to_owned()),
        Ok(status) => Ok(status),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("postgres://ada:secret@host/db"), "postgres://ada@host/db");
        assert_eq!(shown("postgres://host/db"), "postgres://host/db");
        assert_eq!(shown("runs.db"), "runs.db");
    }

    #[test]
    fn a_file_is_known() {
        assert_eq!(file("sqlite://a/b.db"), Some("a/b.db".into()));
        assert_eq!(file("a/b.db"), Some("a/b.db".into()));
        assert_eq!(file("postgres://host/db"), None);
    }

    #[test]
    fn times_are_read() {
        assert_eq!(span("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(span("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert!(span("-2h").is_err() && span("soon").is_err());
        let day = moment("2026-01-02").map(|day| time(Some(day)));
        assert_eq!(day, Ok("2026-01-02 00:00:00".to_owned()));
        assert!(moment("yesterday").is_err_and(|error| error.contains("2h or 7d")));
    }
}
