//! Files and data that jobs hand to each other, as they are written.

use serde_json::Value as Json;

use super::{ParameterMode, ParametersFile, Text};
use crate::document::{Ignored, Spanned, Table, Verbatim, record};

record! {
    /// A file that jobs read or write.
    pub(crate) struct FileSpec, "a file" {
        /// The name by which jobs speak of the file.
        name: Text,
        /// Where the file is; relative to the directory of the job. Must be there before a run
        /// when no job writes it, and after each job that does.
        path: Text,
        /// Makes a file for each value, or combination of values.
        parameters: Table<Spanned<Verbatim>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Parameters of the workflow that the file takes over.
        use_parameters: Vec<Text>,
        /// Not supported: a file whose rows are copies.
        parameters_file: Option<ParametersFile>,
        /// Kept, not used: the file's name in provenance records.
        identifier: Option<Ignored<false>>,
    }
}

record! {
    /// Named data that jobs read or write.
    pub(crate) struct UserDataSpec, "user data" {
        /// The name by which jobs speak of the data.
        name: Text,
        /// The data.
        data: Option<Spanned<Json>>,
        /// Whether the data is of no use after the run.
        is_ephemeral: bool,
        /// Makes an entry for each value, or combination of values.
        parameters: Table<Spanned<Verbatim>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Parameters of the workflow that the data takes over.
        use_parameters: Vec<Text>,
    }
}
