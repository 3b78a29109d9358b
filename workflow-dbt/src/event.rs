//! Lines of dbt's JSON log. Knows no files, runs or jobs.
//!
//! dbt writes one JSON object for each event, with `info` (name, level, text) and `data`. Events of
//! a node have `data.node_info`. The event `NodeFinished` is the last one that a node has while it
//! is built; it is written after the transaction of the node, at the level `debug`.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::node::{NodeResult, NodeStatus};

/// How important an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogEvent {
    pub(crate) level: Level,
    pub(crate) text: String,
    /// The unique ID of the node that it is about.
    pub(crate) node: Option<String>,
    /// The result of the node, in the event that ends it.
    pub(crate) result: Option<NodeResult>,
    /// The process of dbt that wrote it.
    pub(crate) invocation: Option<String>,
}

impl LogEvent {
    /// Reads a line. One that is no event, such as what a macro prints, is an event with its text.
    pub(crate) fn read(line: &str) -> Self {
        let Ok(json) = serde_json::from_str::<Json>(line) else { return Self::plain(line) };
        let (info, data) = (&json["info"], &json["data"]);
        let Some(name) = info["name"].as_str() else { return Self::plain(line) };
        let node = text(&data["node_info"]["unique_id"]);
        let ends = name == "NodeFinished" && node.is_some();
        Self {
            level: level(info["level"].as_str().unwrap_or_default()),
            text: info["msg"].as_str().unwrap_or_default().to_owned(),
            node,
            result: ends.then(|| result(data)),
            invocation: text(&info["invocation_id"]),
        }
    }

    fn plain(line: &str) -> Self {
        let text = line.trim_end().to_owned();
        Self { level: Level::Info, text, node: None, result: None, invocation: None }
    }
}

fn level(name: &str) -> Level {
    match name {
        "debug" | "dynamic_level" => Level::Debug,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => Level::Info,
    }
}

fn result(data: &Json) -> NodeResult {
    let (node, result) = (&data["node_info"], &data["run_result"]);
    let owned = |value: &Json| text(value).unwrap_or_default();
    NodeResult {
        status: NodeStatus::deserialize(&result["status"]).unwrap_or(NodeStatus::Unknown),
        seconds: result["execution_time"].as_f64().unwrap_or_default(),
        failures: result["num_failures"].as_u64().unwrap_or_default(),
        rows: result["adapter_response"]["rows_affected"].as_u64(),
        message: owned(&result["message"]),
        started_at: owned(&node["node_started_at"]),
        finished_at: owned(&node["node_finished_at"]),
    }
}

/// A text that is not empty.
pub(crate) fn text(value: &Json) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINISHED: &str = r#"{"data": {"node_info": {"unique_id": "test.shop.t", "node_started_at":
        "2026-11-26T23:43:58", "node_finished_at": ""}, "run_result": {"execution_time": 0.25,
        "message": "Got 1 result", "num_failures": 1, "status": "warn"}}, "info": {"level": "debug",
        "msg": "Finished running node test.shop.t", "name": "NodeFinished", "invocation_id": "i"}}"#;

    #[test]
    fn the_event_that_ends_a_node_has_its_result() {
        let event = LogEvent::read(FINISHED);
        assert_eq!((event.node.as_deref(), event.level), (Some("test.shop.t"), Level::Debug));
        let result = event.result.expect("a result");
        assert_eq!((result.status, result.failures), (NodeStatus::Warn, 1));
        assert_eq!((result.seconds, result.message.as_str()), (0.25, "Got 1 result"));
    }

    #[test]
    fn a_status_of_a_later_version_is_no_success() {
        let event = LogEvent::read(&FINISHED.replace("\"warn\"", "\"half done\""));
        let status = event.result.expect("a result").status;
        assert_eq!((status, status.is_success()), (NodeStatus::Unknown, false));
    }

    #[test]
    fn anything_else_is_text() {
        for line in ["", "hello", "[1]", "null", "{\"info\": 3}", "{\"info\": {\"name\": null}}"] {
            let event = LogEvent::read(line);
            assert_eq!((event.text.as_str(), event.node, event.result), (line, None, None));
        }
        let wrong = r#"{"info": {"name": "NodeFinished", "msg": [], "level": {}}, "data": 7}"#;
        assert_eq!(LogEvent::read(wrong).result, None);
        let deep = "[".repeat(100_000);
        assert_eq!(LogEvent::read(&deep).text.len(), deep.len());
    }
}
