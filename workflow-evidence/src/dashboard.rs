//! `Dashboard`: an Evidence project, and the commands that work on it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An Evidence project. Its commands are made here, and started by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dashboard {
    folder: PathBuf,
}

impl Dashboard {
    /// The folder of a dashboard in that of its workflow.
    pub const FOLDER: &str = "evidence";

    /// The project in this folder. `None` if it has no `package.json`.
    pub fn find(folder: impl Into<PathBuf>) -> Option<Self> {
        let folder = folder.into();
        folder.join("package.json").is_file().then_some(Self { folder })
    }

    /// The folder of the project.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the packages of the project are installed.
    pub fn has_packages(&self) -> bool {
        self.folder.join("node_modules/.bin/evidence").exists()
    }

    /// Installs the packages: about 700 MB.
    pub fn install(&self) -> Command {
        self.npm(["install", "--no-audit", "--no-fund"])
    }

    /// Fetches DuckDB's extension for Parquet into `~/.duckdb/extensions`, if it is not there.
    /// `DUCKDB_EXTENSIONS_URL` names a mirror. Without the extension, [`sources`](Self::sources)
    /// waits without an end.
    pub fn fetch_parquet(&self) -> Command {
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", include_str!("parquet.mjs")]);
        command.current_dir(&self.folder);
        command
    }

    /// Reads the tables into the dashboard. A missing table is a failure.
    pub fn sources(&self) -> Command {
        self.npm(["run", "sources", "--", "--strict"])
    }

    /// Builds the static files of the dashboard, in its folder `build`.
    pub fn build(&self) -> Command {
        self.npm(["run", "build"])
    }

    /// Serves the dashboard on 127.0.0.1.
    pub fn serve(&self, port: u16) -> Command {
        let port = port.to_string();
        self.npm(["exec", "--", "evidence", "dev", "--host", "127.0.0.1", "--port", &port])
    }

    fn npm<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("npm");
        command.args(arguments).current_dir(&self.folder);
        // The dashboard sends statistics to its authors otherwise.
        command.env("SEND_ANONYMOUS_USAGE_STATS", "no");
        command
    }
}
