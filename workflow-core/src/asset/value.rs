//! Values of assets as files.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::job::JobError;
use crate::store::{SchemaField, ValueFile};

/// A value that can be stored in a file.
///
/// Types that serialize are stored as JSON, without further code. An object `{"$file": {"path": ..}}`
/// in it stands for a file elsewhere, such as a table: the value counts as missing when that file is
/// gone, and as changed when it has another size than its `bytes`. A value that is such an object has
/// the size, the `rows` and the `columns` (`name`, `type`) that it gives. Implement the trait for
/// another format, on a type that does not implement `Serialize`.
///
/// ```
/// use workflow_core::JobError;
/// use workflow_core::asset::{AssetValue, StoredValue};
///
/// struct Page(String);
///
/// impl AssetValue for Page {
///     const EXTENSION: &'static str = "html";
///
///     fn save(&self) -> Result<StoredValue, JobError> {
///         Ok(StoredValue::new(self.0.clone().into_bytes()))
///     }
///
///     fn load(bytes: Vec<u8>) -> Result<Self, JobError> {
///         Ok(Self(String::from_utf8(bytes)?))
///     }
/// }
/// # assert_eq!(Page("a".to_owned()).save()?.rows, None);
/// # Ok::<(), JobError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "values of `{Self}` cannot be stored",
    note = "derive `Serialize` and `Deserialize` for it, or implement `AssetValue`"
)]
pub trait AssetValue: Sized {
    /// The extension of the file, without a dot.
    const EXTENSION: &'static str;

    /// Writes the value.
    ///
    /// # Errors
    ///
    /// Fails when the value has no form in the format.
    fn save(&self) -> Result<StoredValue, JobError>;

    /// Reads the value from the content of a file.
    ///
    /// # Errors
    ///
    /// Fails when the content is damaged, or has another form since the type was changed.
    fn load(bytes: Vec<u8>) -> Result<Self, JobError>;
}

/// The content of a file, and what is recorded about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredValue {
    /// The content.
    pub bytes: Vec<u8>,
    /// The number of rows, for a value that has rows.
    pub rows: Option<u64>,
    /// The columns, for a value that has columns.
    pub schema: Vec<SchemaField>,
    /// The files elsewhere that the value consists of.
    pub files: Vec<ValueFile>,
    /// The size of the value, in bytes: that of the content, unless the content stands for a file.
    pub size: u64,
}

impl StoredValue {
    /// Creates a value without rows, columns and further files.
    pub fn new(bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Self { bytes, rows: None, schema: Vec::new(), files: Vec::new(), size }
    }

    /// Adds a file elsewhere. A relative path counts from the current folder.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>) -> Self {
        self.files.push(ValueFile { path: path.into(), bytes: None });
        self
    }

    /// Sets the number of rows.
    #[must_use]
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Adds a column.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>, kind: impl Into<String>) -> Self {
        self.schema.push(SchemaField { name: name.into(), kind: kind.into() });
        self
    }
}

impl<T: Serialize + DeserializeOwned> AssetValue for T {
    const EXTENSION: &'static str = "json";

    fn save(&self) -> Result<StoredValue, JobError> {
        let json = serde_json::to_value(self)?;
        let mut value = StoredValue::new(serde_json::to_vec(&json)?);
        add_files(&json, &mut value);
        if json["$file"]["path"].is_string() {
            let file = &json["$file"];
            value.size = file["bytes"].as_u64().unwrap_or(value.size);
            value.rows = file["rows"].as_u64();
            value.schema = Deserialize::deserialize(&file["columns"]).unwrap_or_default();
            return Ok(value);
        }
        if let Json::Array(rows) = &json {
            value.rows = Some(rows.len() as u64);
        }
        value.schema = columns(&json);
        Ok(value)
    }

    fn load(bytes: Vec<u8>) -> Result<Self, JobError> {
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// Adds the files that objects stand for. Lists are rows, and not searched.
fn add_files(json: &Json, value: &mut StoredValue) {
    let Json::Object(entries) = json else { return };
    if let Some(path) = json["$file"]["path"].as_str() {
        let bytes = json["$file"]["bytes"].as_u64();
        value.files.push(ValueFile { path: path.to_owned(), bytes });
        return;
    }
    for inner in entries.values() {
        add_files(inner, value);
    }
}

/// The columns of a list of objects, or of one object: those of the first row in the order of their
/// names, and then those that later rows add.
fn columns(json: &Json) -> Vec<SchemaField> {
    let rows = match json {
        Json::Array(rows) => &rows[..rows.len().min(ROWS_FOR_COLUMNS)],
        row => std::slice::from_ref(row),
    };
    let mut columns: Vec<SchemaField> = Vec::new();
    for (name, value) in rows.iter().filter_map(Json::as_object).flatten() {
        let kind = kind(value);
        match columns.iter_mut().find(|column| column.name == *name) {
            None => columns.push(SchemaField { name: name.clone(), kind: kind.to_owned() }),
            Some(column) if kind == "null" || column.kind == kind => {}
            Some(column) if column.kind == "null" => kind.clone_into(&mut column.kind),
            Some(column) => match (column.kind.as_str(), kind) {
                ("integer", "number") | ("number", "integer") => column.kind = "number".to_owned(),
                _ => column.kind = "mixed".to_owned(),
            },
        }
    }
    columns
}

/// The number of rows from which the columns are found.
const ROWS_FOR_COLUMNS: usize = 1000;

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_of_objects_has_rows_and_columns() -> Result<(), JobError> {
        let value = json!([{ "id": 1, "price": 2 }, { "id": null, "price": 2.5, "tags": [] }]);
        let saved = value.save()?;
        assert_eq!(saved.rows, Some(2));
        let columns = saved.schema.iter().map(|field| (field.name.as_str(), field.kind.as_str()));
        let expected = [("id", "integer"), ("price", "number"), ("tags", "array")];
        assert_eq!(columns.collect::<Vec<_>>(), expected);
        assert_eq!(Json::load(saved.bytes)?, value);
        let number = json!(7).save()?;
        assert_eq!((number.rows, number.schema), (None, Vec::new()));
        Ok(())
    }

    #[test]
    fn files_elsewhere_are_found() -> Result<(), JobError> {
        let file = json!({ "$file": { "path": "data/a.csv", "bytes": 7, "hash": "f" } });
        let expected = [ValueFile { path: "data/a.csv".to_owned(), bytes: Some(7) }];
        assert_eq!(file.save()?.files, expected);
        assert_eq!(json!({ "rows": 3, "table": file }).save()?.files, expected);
        assert!(json!([file]).save()?.files.is_empty());
        Ok(())
    }

    #[test]
    fn a_value_that_is_a_file_is_described_by_it() -> Result<(), JobError> {
        let columns = json!([{ "name": "id", "type": "integer" }]);
        let file = json!({ "path": "a.csv", "bytes": 7000, "rows": 3, "columns": columns });
        let saved = json!({ "$file": file }).save()?;
        assert_eq!((saved.size, saved.rows), (7000, Some(3)));
        assert_eq!(
            (saved.schema[0].name.as_str(), saved.schema[0].kind.as_str()),
            ("id", "integer")
        );
        let unknown = json!({ "$file": { "path": "a.csv" } }).save()?;
        assert_eq!((unknown.size, unknown.rows), (unknown.bytes.len() as u64, None));
        assert!(unknown.schema.is_empty());
        Ok(())
    }

    #[test]
    fn damaged_content_is_an_error() {
        assert!(Vec::<u8>::load(b"[1, 2".to_vec()).is_err());
    }
}
