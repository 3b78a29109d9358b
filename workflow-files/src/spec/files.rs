//! Files and data that jobs pass to each other.

use serde_json::Value as Json;

use super::{ParameterMode, ParametersFile, Text};
use crate::document::{Ignored, Spanned, Table, Verbatim, record};

record! {
    /// A file that jobs read or write.
    pub(crate) struct FileSpec, "a file" {
        /// The name by which jobs refer to the file.
        name: Text,
        /// The path of the file, relative to the working directory of the job. It must exist before
        /// a run if no job writes it, and after each job that does.
        path: Text,
        /// Makes a file for each value, or combination of values.
        parameters: Table<Spanned<Verbatim>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Shared parameters of the workflow that the file uses.
        use_parameters: Vec<Text>,
        /// Not supported: a file whose rows are copies.
        parameters_file: Option<ParametersFile>,
        /// Accepted, not used: the file's name in provenance records.
        identifier: Option<Ignored<false>>,
    }
}

record! {
    /// Named data that jobs read or write.
    pub(crate) struct UserDataSpec, "user data" {
        /// The name by which jobs refer to the data.
        name: Text,
        /// The data.
        data: Option<Spanned<Json>>,
        /// Whether the data can be discarded after the run.
        is_ephemeral: bool,
        /// Makes an entry for each value, or combination of values.
        parameters: Table<Spanned<Verbatim>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Shared parameters of the workflow that the data uses.
        use_parameters: Vec<Text>,
    }
}
