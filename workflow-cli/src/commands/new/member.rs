//! The changes that make a new package part of a project. They are made in memory first.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, table, value};

use crate::failure::Failure;
use crate::project::{Package, Project};

/// A change of a file.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) path: PathBuf,
    pub(super) before: String,
    pub(super) after: String,
    /// What is changed, for people.
    pub(super) what: String,
}

/// The changes for a new package in this folder: a member of the workspace and, with a host, a
/// dependency of it that is linked.
///
/// # Errors
///
/// Fails if the project has a package of this name, and if a file cannot be read, or has a form that
/// cannot be changed.
pub(super) fn edits(
    project: &Project,
    host: Option<&Package>,
    folder: &Path,
    name: &str,
) -> Result<Vec<Edit>, Failure> {
    if let Some(package) = project.package(name) {
        return Err(Failure::Usage(format!(
            "the project has a package `{}` in `{}`; choose another name",
            package.name,
            package.folder().display()
        )));
    }
    let mut manifests = Manifests::default();
    let root = manifests.open(&project.manifest())?;
    let member = from(&project.root, folder)?;
    if add_member(root, &member, &project.manifest())? {
        root.what.push(format!("member `{member}`"));
    }
    let mut linking = None;
    if let Some(host) = host {
        if host.has_command_line() {
            name_host(root, &host.name, &project.manifest())?;
        }
        let path = from(host.manifest.parent().unwrap_or(&project.root), folder)?;
        let manifest = manifests.open(&host.manifest)?;
        add_dependency(manifest, name, &path, &host.manifest)?;
        manifest.what.push(format!("dependency `{name}`"));
        linking = host.program().map(|main| link(main, name)).transpose()?.flatten();
    }
    Ok(manifests.into_edits().chain(linking).collect())
}

/// Manifests that are being changed. The root may be the host as well.
#[derive(Default)]
struct Manifests(Vec<Manifest>);

struct Manifest {
    path: PathBuf,
    before: String,
    document: DocumentMut,
    what: Vec<String>,
}

impl Manifests {
    fn open(&mut self, path: &Path) -> Result<&mut Manifest, Failure> {
        let known = self.0.iter().position(|manifest| manifest.path == path);
        let index = match known {
            Some(index) => index,
            None => {
                let before = read(path)?;
                let document = before
                    .parse()
                    .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
                let what = Vec::new();
                self.0.push(Manifest { path: path.to_owned(), before, document, what });
                self.0.len() - 1
            }
        };
        Ok(&mut self.0[index])
    }

    fn into_edits(self) -> impl Iterator<Item = Edit> {
        self.0.into_iter().filter_map(|Manifest { path, before, document, what }| {
            let after = document.to_string();
            (after != before).then(|| Edit { path, before, after, what: what.join(", ") })
        })
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::Machine {
        what: format!("cannot read `{}`", path.display()),
        error,
    })
}

/// A path with `/`, from a folder down to another one or up again.
fn from(base: &Path, folder: &Path) -> Result<String, Failure> {
    let shared = base.ancestors().find(|above| folder.starts_with(above)).unwrap_or(base);
    let up = base.strip_prefix(shared).map(|rest| rest.components().count()).unwrap_or_default();
    let down = folder.strip_prefix(shared).unwrap_or(folder);
    let up = std::iter::repeat_n("..".to_owned(), up);
    let down = down.components().map(|part| part.as_os_str().to_str().map(str::to_owned));
    let parts = up.map(Some).chain(down).collect::<Option<Vec<_>>>();
    let parts = parts.ok_or_else(|| {
        Failure::Usage(format!("`{}` has a name that is not UTF-8", folder.display()))
    })?;
    Ok(parts.join("/"))
}

fn wrong_form(path: &Path, key: &str, form: &str) -> Failure {
    Failure::Usage(format!("{}: `{key}` must be {form}", path.display()))
}

/// Adds a member to the workspace, which is made if there is none. Returns whether something changed.
fn add_member(manifest: &mut Manifest, member: &str, path: &Path) -> Result<bool, Failure> {
    let workspace = manifest.document.entry("workspace").or_insert_with(table);
    let workspace =
        workspace.as_table_like_mut().ok_or_else(|| wrong_form(path, "workspace", "a table"))?;
    let members = workspace.entry("members").or_insert_with(|| value(Array::new()));
    let members =
        members.as_array_mut().ok_or_else(|| wrong_form(path, "workspace.members", "a list"))?;
    let covers = |pattern: &str| {
        pattern == member
            || pattern.strip_suffix("/*").is_some_and(|folder| {
                let rest = member.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
                rest.is_some_and(|name| !name.contains('/'))
            })
    };
    if members.iter().filter_map(|item| item.as_str()).any(covers) {
        return Ok(false);
    }
    let mut item = toml_edit::Value::from(member);
    // A list with a line for each member gets another line.
    if let Some(last) = members.iter().last().and_then(|last| last.decor().prefix()) {
        let prefix = last.as_str().unwrap_or(" ").to_owned();
        let prefix = if prefix.is_empty() { " ".to_owned() } else { prefix };
        item.decor_mut().set_prefix(prefix);
    }
    members.push_formatted(item);
    Ok(true)
}

/// Names the package whose program the command `workflow` runs, unless one is named.
fn name_host(manifest: &mut Manifest, host: &str, path: &Path) -> Result<(), Failure> {
    let named = |table: &str| {
        let metadata = manifest.document.get(table)?.get("metadata")?;
        metadata.get("workflow")?.get("host").map(|_| ())
    };
    if named("package").or_else(|| named("workspace")).is_some() {
        return Ok(());
    }
    let mut tables: &mut Item = manifest.document.as_item_mut();
    for key in ["workspace", "metadata", "workflow"] {
        let parent = tables.as_table_like_mut();
        let parent = parent.ok_or_else(|| wrong_form(path, "workspace.metadata", "a table"))?;
        tables = parent.entry(key).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(key == "metadata");
            Item::Table(table)
        });
    }
    let table = tables.as_table_like_mut();
    let table = table.ok_or_else(|| wrong_form(path, "workspace.metadata.workflow", "a table"))?;
    table.insert("host", value(host));
    manifest.what.push(format!("host `{host}`"));
    Ok(())
}

fn add_dependency(
    manifest: &mut Manifest,
    name: &str,
    folder: &str,
    path: &Path,
) -> Result<(), Failure> {
    let dependencies = manifest.document.entry("dependencies").or_insert_with(table);
    let dependencies = dependencies
        .as_table_like_mut()
        .ok_or_else(|| wrong_form(path, "dependencies", "a table"))?;
    if dependencies.contains_key(name) {
        return Err(Failure::Usage(format!(
            "{}: there is a dependency `{name}`; choose another name",
            path.display()
        )));
    }
    let mut dependency = InlineTable::new();
    dependency.insert("path", folder.into());
    dependencies.insert(name, value(dependency));
    Ok(())
}

/// The line that links a crate.
fn link(main: &Path, name: &str) -> Result<Option<Edit>, Failure> {
    let before = read(main)?;
    let line = format!("use {name} as _;");
    if before.lines().any(|it| it.trim() == line) {
        return Ok(None);
    }
    let (head, rest) = before.split_at(place_of_link(&before));
    let gap = if head.is_empty() || head.ends_with("\n\n") { "" } else { "\n" };
    let end = if rest.starts_with('\n') { "" } else { "\n" };
    let comment = format!("// Links the workflow `{name}`, which the linker would leave out.");
    let after = format!("{head}{gap}{comment}\n{line}\n{end}{rest}");
    let what = format!("`{line}`");
    Ok(Some(Edit { path: main.to_owned(), before, after, what }))
}

/// Where the line stands: before the first `use` with its attributes, or else after the
/// documentation and attributes of the program.
fn place_of_link(text: &str) -> usize {
    const BEGINNINGS: [(&str, &str, bool); 3] =
        [("#![", "]", true), ("/*!", "*/", true), ("#[", "]", false)];
    let (mut at, mut head) = (0, 0);
    // The attribute or comment that is not closed, and the first of the attributes in a row.
    let (mut open, mut attributes) = (None, None);
    for line in text.split_inclusive('\n') {
        if open.is_none() {
            if line.starts_with("use ") {
                return attributes.unwrap_or(at);
            }
            open = BEGINNINGS.into_iter().find(|(beginning, ..)| line.starts_with(beginning));
        }
        let start = at;
        at += line.len();
        let is_of_program = open.map(|(.., is_of_program)| is_of_program);
        if is_of_program == Some(true) || line.starts_with("//!") {
            head = at;
        }
        attributes = (is_of_program == Some(false)).then(|| attributes.unwrap_or(start));
        open = open.filter(|(_, end, _)| !line.trim_end().ends_with(end));
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        let document = text.parse().expect("it is valid");
        Manifest { path: "Cargo.toml".into(), before: text.to_owned(), document, what: Vec::new() }
    }

    fn with_member(text: &str) -> String {
        let mut manifest = manifest(text);
        add_member(&mut manifest, "workflows/sales", Path::new("Cargo.toml")).expect("it fits");
        manifest.document.to_string()
    }

    #[test]
    fn members_are_added_in_the_style_of_the_list() {
        let package = "[package]\nname = \"shop\"\n";
        let made = format!("{package}\n[workspace]\nmembers = [\"workflows/sales\"]\n");
        assert_eq!(with_member(package), made);
        let one_line = "[workspace]\nmembers = [\"shop\"]\n";
        let more = "[workspace]\nmembers = [\"shop\", \"workflows/sales\"]\n";
        assert_eq!(with_member(one_line), more);
        let lines = "[workspace]\nmembers = [\n    \"shop\", # ours\n]\n";
        let lines = with_member(lines);
        assert!(lines.contains("\n    \"shop\","), "{lines}");
        assert!(lines.contains("\n    \"workflows/sales\""), "{lines}");
        let globbed = "[workspace]\nmembers = [\"workflows/*\"]\n";
        assert_eq!(with_member(globbed), globbed);
    }

    #[test]
    fn a_crate_is_linked_before_the_first_use_or_after_the_documentation() {
        let folder = tempfile::tempdir().expect("a folder");
        let main = folder.path().join("main.rs");
        let linked = |text: &str| {
            fs::write(&main, text).expect("it can be written");
            link(&main, "sales").expect("it can be read").map(|edit| edit.after)
        };
        let line = "// Links the workflow `sales`, which the linker would leave out.\n\
                    use sales as _;\n";
        assert_eq!(linked("fn main() {}\n"), Some(format!("{line}\nfn main() {{}}\n")));
        assert_eq!(
            linked("//! A shop.\n\nuse std::fmt;\n"),
            Some(format!("//! A shop.\n\n{line}\nuse std::fmt;\n"))
        );
        assert_eq!(
            linked("//! A shop.\n#![expect(\n    dead_code\n)]\nfn main() {}\n"),
            Some(format!("//! A shop.\n#![expect(\n    dead_code\n)]\n\n{line}\nfn main() {{}}\n"))
        );
        assert_eq!(linked(line), None);
    }

    #[test]
    fn attributes_stay_with_their_item() {
        let place = |text: &str| text[place_of_link(text)..].to_owned();
        let windows = "#[cfg(windows)]\n#[expect(\n    unused_imports\n)]\nuse std::fmt;\n";
        assert_eq!(place(&format!("//! A shop.\n\n{windows}")), windows);
        assert_eq!(place("#[cfg(unix)]\nmod a;\nuse std::fmt;\n"), "use std::fmt;\n");
        assert_eq!(place("/*! A shop.\nuse it\n*/\nfn main() {}\n"), "fn main() {}\n");
    }

    #[test]
    fn paths_lead_up_and_down() {
        let from = |base: &str, folder: &str| {
            super::from(Path::new(base), Path::new(folder)).expect("UTF-8")
        };
        assert_eq!(from("/a/shop", "/a/workflows/sales"), "../workflows/sales");
        assert_eq!(from("/a", "/a/workflows/sales"), "workflows/sales");
    }

    #[test]
    fn a_dependency_of_this_name_stays() {
        let mut manifest = manifest("[dependencies]\nsales = \"1\"\n");
        let error =
            add_dependency(&mut manifest, "sales", "workflows/sales", Path::new("Cargo.toml"));
        assert!(error.is_err());
    }
}
