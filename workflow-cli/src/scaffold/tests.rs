//! The templates are complete, and `examples/sales` is what one of them makes.

use std::fs;
use std::path::Path;

use super::*;

fn parameters(name: &str) -> Parameters<'_> {
    Parameters {
        name: name.parse().expect("a name"),
        source: Source::Mock,
        library: Library::Path("../..".to_owned()),
        has_program: true,
        root: "",
    }
}

/// The paths below a folder, sorted, without what builds and runs leave there.
fn paths(folder: &Path, below: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.join(below)).expect("a folder");
    let mut paths: Vec<String> = Vec::new();
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().into_string().expect("a text");
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.file_type().expect("a type").is_dir() {
            true if ["target", "data"].contains(&&*path) => {}
            true => paths.extend(self::paths(folder, &path)),
            false => paths.push(path),
        }
    }
    paths.sort();
    paths
}

#[test]
fn the_program_has_every_file_of_the_templates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for (folder, parts) in [("data", files::DATA), ("rust", files::RUST), ("yaml", files::YAML)] {
        let there = paths(&root.join(folder), "");
        let there: Vec<_> = there.iter().filter(|path| *path != "cargo-generate.toml").collect();
        let listed: Vec<_> = parts.iter().map(|(path, _)| *path).collect();
        assert_eq!(there, listed, "{folder}");
    }
}

#[test]
fn every_template_renders_for_every_parameter() {
    for template in Template::value_variants() {
        for source in Source::value_variants() {
            for library in [
                Library::Path("/lib".to_owned()),
                Library::Git("https://example.com/lib".to_owned()),
                Library::Version("0.1.0".to_owned()),
            ] {
                let parameters = Parameters {
                    source: *source,
                    library,
                    has_program: false,
                    ..parameters("my-sales")
                };
                let files = render(*template, &parameters).expect("it renders");
                for File { path, text } in files {
                    let path = path.display().to_string();
                    assert!(!path.contains(['{', '-']) || path.contains("evidence"), "{path}");
                    assert!(!text.contains("crate_name"), "{path}: {text}");
                    assert!(text.ends_with('\n') && !text.starts_with('\n'), "{path}: {text}");
                }
            }
        }
    }
}

/// With `WORKFLOW_BLESS=1`, writes the example anew.
#[test]
fn the_example_is_what_the_template_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sales");
    let files = render(Template::Data, &parameters("sales")).expect("it renders");
    if std::env::var_os("WORKFLOW_BLESS").is_some() {
        for File { path, text } in &files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        }
    }
    for File { path, text } in &files {
        let there = fs::read_to_string(folder.join(path)).unwrap_or_default();
        assert_eq!(&there, text, "{}; bless it with WORKFLOW_BLESS=1", path.display());
    }
    let mut made: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
    made.sort();
    assert_eq!(paths(&folder, ""), made);
}

/// An imported module or job with the name of the package hides the package from other imports.
#[test]
fn no_package_has_the_name_of_something_that_its_tests_import() {
    for template in Template::value_variants() {
        for File { path, text } in render(*template, &parameters("sales")).expect("it renders") {
            let imports = text.lines().filter_map(|line| line.strip_prefix("use sales::"));
            for name in imports.flat_map(|line| line.split(|c: char| !c.is_alphanumeric())) {
                let is_name = name.starts_with(|c: char| c.is_ascii_lowercase());
                if is_name && !["as", "self"].contains(&name) {
                    assert!(name.parse::<Name>().is_err(), "{}: {name}", path.display());
                }
            }
        }
    }
}

#[test]
fn names_that_cargo_or_rust_refuse_are_refused() {
    let refused = [
        "",
        "1st",
        "Sales",
        "a b",
        "../x",
        "a/b",
        "_a",
        "-a",
        "é",
        "fn",
        "test",
        "serde",
        "arrow-array",
        "workflow-core",
        "deps",
    ];
    for name in refused {
        assert!(name.parse::<Name>().is_err(), "{name}");
    }
    assert!("a".repeat(65).parse::<Name>().is_err());
    for name in ["sales", "my-sales", "my_sales2", "x"] {
        assert_eq!(name.parse::<Name>().map(|name| name.to_string()).as_deref(), Ok(name));
    }
}
