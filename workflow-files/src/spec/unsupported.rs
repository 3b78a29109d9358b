//! Fields of other engines that change which jobs exist and that this engine does not support. To
//! ignore them would run something else than the file describes.

use serde_json::{Map, Value as Json, json};

use crate::document::{Findings, Node, Read};

/// Declares a field whose use is an error with a cure.
macro_rules! unsupported {
    ($($(#[doc = $about:literal])+ $name:ident: $message:literal, $help:literal;)+) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub(crate) struct $name;

        impl Read for $name {
            const WANTED: &'static str = "nothing";
            const IGNORED: bool = true;

            fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
                findings.error(node.span, $message).help($help);
                None
            }

            fn schema(_: &mut Map<String, Json>) -> Json {
                json!({ "not": {} })
            }
        }
    )+};
}

unsupported! {
    /// Parameters in a table of their own.
    ParametersFile: "`parameters_file` is not supported: a workflow file reads no other file",
        "write each column as a list under `parameters`, with `parameter_mode: zip`: each row is a copy";
    /// Jobs that come while the workflow runs.
    DynamicJobs: "`dynamic_jobs` is not supported: the jobs of a file are known before it runs",
        "list them under `jobs`; a workflow in Rust can start jobs while it runs";
}
