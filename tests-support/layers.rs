//! Checks the order of a crate's modules in its source files: a module names only modules before
//! it, each module has a place, and ARCHITECTURE.md shows the same order.
//!
//! The `tests/layers.rs` of every crate includes this file by its path, and has the order as `ORDER`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The crate that includes this file.
pub(crate) fn layers() -> Layers {
    Layers::of(env!("CARGO_MANIFEST_DIR"), &super::ORDER)
}

#[test]
fn a_module_names_only_modules_before_it() {
    layers().assert_order();
}

#[test]
fn every_module_has_a_place() {
    layers().assert_complete();
}

#[test]
fn architecture_shows_the_same_order() {
    layers().assert_documented();
}

/// A crate and the order of its modules.
pub(crate) struct Layers {
    source: PathBuf,
    order: &'static [&'static str],
    /// The exports of `lib.rs`: each name with its module.
    exports: HashMap<String, String>,
}

/// A source file.
struct File {
    /// Its module at the root of the crate.
    module: String,
    /// Its path in the folder of sources.
    path: PathBuf,
    /// Its text without comments.
    text: String,
}

impl Layers {
    /// Reads a crate, given its folder and its modules from the base to the top.
    pub(crate) fn of(folder: &str, order: &'static [&'static str]) -> Self {
        let source = Path::new(folder).join("src");
        let root = code(&read(&source.join("lib.rs")));
        Self { source, order, exports: exports(&root) }
    }

    /// Asserts that every module names only modules before it.
    pub(crate) fn assert_order(&self) {
        let mut wrong = Vec::new();
        for File { module, path, text } in self.files() {
            let place = self.place(&module);
            for named in self.named_by(&path, &text) {
                if self.place(&named) > place {
                    wrong.push(format!("{}: {module} names {named}", path.display()));
                }
            }
        }
        wrong.dedup();
        assert!(wrong.is_empty(), "modules name modules after them:\n{}", wrong.join("\n"));
    }

    /// Asserts that the order contains exactly the modules of the crate.
    pub(crate) fn assert_complete(&self) {
        let mut found: Vec<String> = self.files().map(|file| file.module).collect();
        found.sort();
        found.dedup();
        let mut order: Vec<String> = self.order.iter().map(|name| (*name).to_owned()).collect();
        order.sort();
        assert_eq!(order, found, "the order in the test, and the modules of the crate");
    }

    /// Asserts that the section of this crate in ARCHITECTURE.md shows the same order.
    pub(crate) fn assert_documented(&self) {
        let folder = self.source.parent().expect("the folder of the crate");
        let crate_name = folder.file_name().expect("the name of the crate").to_string_lossy();
        let page = read(&folder.with_file_name("ARCHITECTURE.md"));
        let heading = |line: &&str| line.starts_with("## ") && line.ends_with(&*crate_name);
        let section = page.lines().skip_while(|line| !heading(line)).skip(1);
        let section = section.take_while(|line| !line.starts_with("## "));
        let block = section.skip_while(|line| *line != "```text").skip(1);
        let block = block.take_while(|line| *line != "```").collect::<Vec<_>>().join(" ");
        let shown: Vec<&str> = block.split_whitespace().collect();
        assert_eq!(shown, self.order, "the first block of {crate_name} in ARCHITECTURE.md");
    }

    /// The files whose code contains a text, from the folder of sources.
    #[allow(clippy::allow_attributes, dead_code, reason = "not every crate asserts this")]
    pub(crate) fn containing(&self, text: &str) -> Vec<PathBuf> {
        let files = self.files().filter(|file| file.text.contains(text));
        files.map(|file| file.path).collect()
    }

    fn place(&self, module: &str) -> usize {
        let place = self.order.iter().position(|known| *known == module);
        place.unwrap_or_else(|| panic!("`{module}` has no place in the order of the modules"))
    }

    /// The files of all modules, without the root of the crate or of a program beside it.
    fn files(&self) -> impl Iterator<Item = File> + '_ {
        let mut paths = Vec::new();
        sources(&self.source, &mut paths);
        paths.into_iter().filter_map(|path| {
            let inside = path.strip_prefix(&self.source).expect("a file of the folder").to_owned();
            let first = inside.components().next()?.as_os_str().to_str()?;
            let module = first.trim_end_matches(".rs").to_owned();
            let text = code(&read(&path));
            let is_root = matches!(first, "lib.rs" | "main.rs");
            (!is_root).then_some(File { module, path: inside, text })
        })
    }

    /// The modules at the root of the crate that a file names.
    fn named_by(&self, path: &Path, text: &str) -> Vec<String> {
        let mut names = after(text, "crate::");
        // The parent of a module at the root is the root.
        let depth = path.components().count();
        if depth == 1 || (depth == 2 && path.ends_with("mod.rs")) {
            let roots = after(text, "super::");
            names.extend(roots.into_iter().filter(|name| self.module_of(name).is_some()));
        }
        // Macros name what the crate exports for them with two underscores.
        names.retain(|name| !name.starts_with("__"));
        let module = |name: String| self.module_of(&name).unwrap_or(name);
        names.into_iter().map(module).collect()
    }

    /// The module that a name at the root of the crate leads to.
    fn module_of(&self, name: &str) -> Option<String> {
        let is_module = self.order.contains(&name);
        if is_module { Some(name.to_owned()) } else { self.exports.get(name).cloned() }
    }
}

/// The names after a prefix of paths; all of them if a group in braces follows.
fn after(text: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        // Such as `$crate::`, or the end of another word.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(members(group)),
            None => names.extend(identifier(rest)),
        }
    }
    names
}

/// The first names of the paths in a group, which begins after its brace.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut end) = (1_usize, group.len());
    let mut starts = vec![0];
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => starts.push(at + 1),
            _ => {}
        }
        if depth == 0 {
            end = at;
            break;
        }
    }
    starts.into_iter().filter_map(|start| identifier(group[start..end].trim_start())).collect()
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The names that the root of a crate exports from its modules.
fn exports(root: &str) -> HashMap<String, String> {
    let mut exports = HashMap::new();
    for (at, _) in root.match_indices("pub use ") {
        let path = &root[at + "pub use ".len()..];
        let path = path.split(';').next().unwrap_or_default();
        // A module at the root, such as a prelude, may export names of the root.
        let Some(module) = identifier(path).filter(|name| name != "crate") else { continue };
        let names = path.rsplit_once('{').map_or(path, |(_, group)| group.trim_end_matches('}'));
        for name in names.split(',') {
            let name = name.rsplit([' ', ':']).find(|part| !part.trim().is_empty());
            if let Some(name) = name.and_then(|name| identifier(name.trim())) {
                exports.insert(name, module.clone());
            }
        }
    }
    exports
}

/// A text without lines that are comments.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder of sources can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Names in paths and groups are found as the compiler would.
#[test]
fn names_are_found_in_paths_and_groups() {
    let text = "use crate::{a, b::{C, d}, e as f};\nuse crate::g::H;\n$crate::i; other_crate::j;";
    assert_eq!(after(text, "crate::"), ["a", "b", "e", "g"]);
    let root = "pub use a::{B, C as D};\npub use e::f::G;\n#[cfg(x)]\npub use h::I;";
    let mut exports: Vec<_> = exports(root).into_iter().collect();
    exports.sort();
    let of = |name: &str, module: &str| (name.to_owned(), module.to_owned());
    assert_eq!(exports, [of("B", "a"), of("D", "a"), of("G", "e"), of("I", "h")]);
}
