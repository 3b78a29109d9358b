//! Assets that a workflow makes in its own way.

/// An asset that the runs of a workflow make in their own way, such as a model of dbt; or one from
/// elsewhere that they read. It has no partitions.
///
/// ```
/// use workflow_core::workflow::WorkflowAsset;
///
/// let orders = WorkflowAsset {
///     name: "model.shop.orders".to_owned(),
///     description: Some("The orders that count.".to_owned()),
///     is_made: true,
///     code_version: "1".to_owned(),
///     inputs: vec!["raw_orders".to_owned()],
///     checks: vec![("has_rows".to_owned(), true)],
///     location: "models/orders.sql".to_owned(),
/// };
/// // A function of the program may make it; the workflow only reads it.
/// let raw = WorkflowAsset {
///     name: "raw_orders".to_owned(),
///     is_made: false,
///     inputs: Vec::new(),
///     checks: Vec::new(),
///     location: "models/sources.yml".to_owned(),
///     ..orders.clone()
/// };
/// # assert_eq!(orders.inputs, [raw.name]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowAsset {
    /// The name.
    pub name: String,
    /// What it is, in a paragraph.
    pub description: Option<String>,
    /// Whether runs of the workflow make it. If not, they only read it, and another workflow or
    /// function may make it under this name.
    pub is_made: bool,
    /// The version of the code that makes it.
    pub code_version: String,
    /// The names of the assets that it is made from, which the workflow declares, too.
    pub inputs: Vec<String>,
    /// The names of its checks, and whether they block.
    pub checks: Vec<(String, bool)>,
    /// The file that declares it, with line and column if they are known.
    pub location: String,
}
