//! Compiles and runs the code of the README, of the pages under `docs/` and of each crate's README.
//! The examples themselves are the other files of this folder.

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../", $path))]
            struct $name;
        )*
    };
}

pages! {
    Readme: "README.md",
    Durability: "docs/durability.md",
    WorkflowFiles: "docs/workflow-files.md",
    Server: "docs/server.md",
    Core: "workflow-core/README.md",
    Cron: "workflow-cron/README.md",
    Macros: "workflow-macros/README.md",
    Files: "workflow-files/README.md",
    Config: "workflow-config/README.md",
    Store: "workflow-store/README.md",
    ServerCrate: "workflow-server/README.md",
}
