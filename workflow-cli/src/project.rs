//! The Cargo project around a folder: its packages, and the program that runs its workflows.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use serde::Deserialize;
use toml_edit::DocumentMut;
use workflow_config::Loader;
use workflow_core::registry;

use crate::args::current_folder;
use crate::failure::Failure;
use crate::scaffold::Library;

const MANIFEST: &str = "Cargo.toml";

/// The packages of a Cargo workspace, or of a package without one.
#[derive(Debug, Deserialize)]
pub(crate) struct Project {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// A package of a project.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    #[serde(rename = "manifest_path")]
    pub(crate) manifest: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// The registry or the repository; none for a path.
    source: Option<String>,
    #[serde(rename = "req")]
    version: String,
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    #[serde(rename = "src_path")]
    source: PathBuf,
}

impl Project {
    /// The project of a folder. `None` if the folder is in no package.
    ///
    /// # Errors
    ///
    /// Fails if Cargo cannot be run, or does not accept a manifest.
    pub(crate) fn find(folder: &Path) -> Result<Option<Self>, Failure> {
        if !folder.ancestors().any(|folder| folder.join(MANIFEST).is_file()) {
            return Ok(None);
        }
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(folder);
        let output = command.output().map_err(no_cargo)?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::Usage(format!("cargo cannot read this project: {reason}")));
        }
        let project = serde_json::from_slice(&output.stdout).map_err(|_| {
            Failure::Usage("cannot parse the output of `cargo metadata`; update Cargo".to_owned())
        })?;
        Ok(Some(project))
    }

    /// The package of this name, with `-` and `_` as the same.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        let same = |text: &str| text.replace('-', "_");
        self.packages.iter().find(|package| same(&package.name) == same(name))
    }

    /// The package of this name. In a host program, also the one in which it registers the workflow;
    /// the binary `workflow` registers none.
    pub(crate) fn package_of(&self, workflow: &str) -> Option<&Package> {
        self.package(workflow).or_else(|| {
            let source = self.root.join(Path::new(registry::get(workflow).ok()?.location().file));
            let packages = self.packages.iter().filter(|it| source.starts_with(it.folder()));
            // The innermost one: a workspace may have its packages inside of another.
            packages.max_by_key(|package| package.manifest.as_os_str().len())
        })
    }

    /// The packages with a program that uses the workflow library.
    pub(crate) fn hosts(&self) -> Vec<&Package> {
        let packages = self.packages.iter();
        packages.filter(|package| package.program().is_some() && package.uses_workflows()).collect()
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.root.join(MANIFEST)
    }
}

impl Package {
    pub(crate) fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }

    /// The main file of the program.
    pub(crate) fn program(&self) -> Option<&Path> {
        let is_program = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
        let mut programs = self.targets.iter().filter(is_program);
        let named = programs.clone().find(|target| target.name == self.name);
        named.or_else(|| programs.next()).map(|target| target.source.as_path())
    }

    /// Whether the program may have the commands of this one.
    pub(crate) fn has_command_line(&self) -> bool {
        self.dependency("workflow-cli").is_some()
    }

    fn uses_workflows(&self) -> bool {
        self.has_command_line() || self.dependency("workflow-core").is_some()
    }

    fn dependency(&self, name: &str) -> Option<&Dependency> {
        self.dependencies.iter().find(|dependency| dependency.name == name)
    }

    /// Where the package finds the workflow library. `None` for a form that cannot be repeated.
    pub(crate) fn library(&self) -> Option<Library> {
        let found =
            ["workflow-core", "workflow-cli"].into_iter().find_map(|it| self.dependency(it));
        let Dependency { source, version, path, .. } = found?;
        match (path, source) {
            (Some(path), _) => Some(Library::Path(path.parent()?.to_str()?.to_owned())),
            (None, Some(source)) if source.starts_with("git+") => {
                let address = source.strip_prefix("git+")?;
                // A branch or a revision.
                (!address.contains(['?', '#'])).then(|| Library::Git(address.to_owned()))
            }
            (None, _) => Some(Library::Version(version.clone())),
        }
    }
}

/// The folder of a workflow in which there is a folder of this name: that of its configuration, or
/// that of the package.
///
/// # Errors
///
/// Fails when configurations cannot be searched, or Cargo does not accept a manifest.
pub(crate) fn folder_with(part: &str, workflow: &str) -> Result<Option<PathBuf>, Failure> {
    let has_part = |folder: &PathBuf| folder.join(part).is_dir();
    let configurations = Loader::new().list()?;
    let found = configurations.iter().find(|found| found.name == workflow);
    let of_config = found.and_then(|found| found.file.parent()).map(Path::to_owned);
    if let Some(folder) = of_config.filter(has_part) {
        return Ok(Some(folder));
    }
    let project = Project::find(&current_folder()?)?;
    let package = project.as_ref().and_then(|project| project.package_of(workflow));
    Ok(package.map(|package| package.folder().to_owned()).filter(has_part))
}

/// The Cargo that runs this program, or the one of the system.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

pub(crate) fn no_cargo(error: io::Error) -> Failure {
    let what = "cannot run `cargo`; install Rust from https://rustup.rs".to_owned();
    Failure::Machine { what, error }
}

/// A package whose program has the commands of this one, as `package.metadata.workflow.host` or
/// `workspace.metadata.workflow.host` of a manifest says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) manifest: PathBuf,
    pub(crate) package: String,
}

impl Host {
    /// The host that a manifest in this folder or above names.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let manifests = folder.ancestors().map(|folder| folder.join(MANIFEST));
        manifests.into_iter().find_map(Self::of_manifest)
    }

    /// Manifests that cannot be read name no host. Cargo says why when it runs.
    fn of_manifest(manifest: PathBuf) -> Option<Self> {
        let text = fs::read_to_string(&manifest).ok()?;
        let manifest_of: DocumentMut = text.parse().ok()?;
        let named = ["package", "workspace"].iter().find_map(|table| {
            let metadata = manifest_of.get(table)?.get("metadata")?;
            metadata.get("workflow")?.get("host")?.as_str().map(str::to_owned)
        });
        Some(Self { manifest, package: named? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(manifest: &str) -> (tempfile::TempDir, Package) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("src")).expect("it can be made");
        fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").expect("it can be written");
        fs::write(folder.path().join(MANIFEST), manifest).expect("it can be written");
        let project = Project::find(folder.path()).expect("it is valid").expect("it is there");
        let package = project.packages.into_iter().next().expect("a package");
        (folder, package)
    }

    fn with_dependency(dependency: &str) -> (tempfile::TempDir, Package) {
        package(&format!(
            "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             [dependencies]\nworkflow-core = {dependency}\n"
        ))
    }

    #[test]
    fn the_library_is_where_the_host_has_it() {
        let (_folder, package) = with_dependency("\"0.1\"");
        assert_eq!(package.library(), Some(Library::Version("^0.1".to_owned())));
        assert!(package.program().is_some_and(|main| main.ends_with("src/main.rs")));
        let (_folder, package) = with_dependency("{ git = \"https://example.com/flows\" }");
        assert_eq!(package.library(), Some(Library::Git("https://example.com/flows".to_owned())));
        let (_folder, package) =
            with_dependency("{ git = \"https://example.com/f\", rev = \"1\" }");
        assert_eq!(package.library(), None);
        let (folder, package) = with_dependency("{ path = \"lib/workflow-core\" }");
        let library = package.library();
        let Some(Library::Path(path)) = library else { panic!("{library:?}") };
        let expected = folder.path().canonicalize().expect("it is there").join("lib");
        assert_eq!(Path::new(&path).canonicalize().ok().unwrap_or(expected.clone()), expected);
    }

    #[test]
    fn a_manifest_names_the_host_for_all_folders_below_it() {
        let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n\
                        [package.metadata.workflow]\nhost = \"shop\"\n";
        let (folder, _) = package(manifest);
        let host = Host::find(&folder.path().join("src")).expect("it is named");
        assert_eq!(host.package, "shop");
        fs::write(folder.path().join(MANIFEST), "[package").expect("it can be written");
        assert_eq!(Host::find(folder.path()), None);
    }
}
