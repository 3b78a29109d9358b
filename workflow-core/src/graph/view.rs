//! The graph as a picture: Mermaid, DOT, and a plain-text tree.

use std::fmt::Write as _;

use super::Graph;

impl Graph {
    /// The graph as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>).
    ///
    /// Names are quoted and escaped, so that a hostile name stays text.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for (job, name) in self.job_names().enumerate() {
            let _ = writeln!(text, "    j{job}[\"{}\"]", escape_mermaid(name));
        }
        for (from, to) in self.edge_ids() {
            let _ = writeln!(text, "    j{from} --> j{to}");
        }
        text
    }

    /// The graph in the DOT language (<https://graphviz.org/doc/info/lang.html>).
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph workflow {\n    rankdir=TB;\n    node [shape=box];\n");
        for (job, name) in self.job_names().enumerate() {
            let label = name.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(text, "    j{job} [label=\"{label}\"];");
        }
        for (from, to) in self.edge_ids() {
            let _ = writeln!(text, "    j{from} -> j{to};");
        }
        text.push_str("}\n");
        text
    }

    /// The graph as an indented tree of plain text. A job with several predecessors is drawn in
    /// full under the first, and as `name ^` under the others. Below 64 levels the tree ends, and
    /// `...` stands for what a job has below it.
    pub fn tree(&self) -> String {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.len()];
        for (from, to) in self.edge_ids() {
            below[from].push(to);
        }
        let roots = (0..self.len()).filter(|job| self.cells[*job].pending == 0);
        let root = |job| Line { job, level: 1, indent: String::new(), branch: "", under: "" };
        let mut seen = vec![false; self.len()];
        let mut text = String::new();
        let mut open: Vec<Line> = roots.map(root).collect();
        open.reverse();
        while let Some(Line { job, level, indent, branch, under }) = open.pop() {
            let again = seen[job] && !below[job].is_empty();
            let mark = if again { " ^" } else { "" };
            let _ = writeln!(text, "{indent}{branch}{}{mark}", self.names.get(job));
            if again || below[job].is_empty() {
                continue;
            }
            if level == DEEPEST {
                // Not seen: a shorter way may lead there, and draw it in full.
                let _ = writeln!(text, "{indent}{under}└── ...");
                continue;
            }
            seen[job] = true;
            let last = below[job].len() - 1;
            for (place, next) in below[job].iter().enumerate().rev() {
                let (branch, under_next) =
                    if place == last { ("└── ", "    ") } else { ("├── ", "│   ") };
                let (level, indent) = (level + 1, format!("{indent}{under}"));
                open.push(Line { job: *next, level, indent, branch, under: under_next });
            }
        }
        text
    }
}

/// The lowest level of a tree that is drawn. Each costs indentation in every line below it, so
/// that a tree without an end would take memory by the square of its depth.
const DEEPEST: usize = 64;

/// A line of a tree that is yet to be drawn.
struct Line {
    job: usize,
    level: usize,
    indent: String,
    /// What stands between the indentation and the name.
    branch: &'static str,
    /// What stands there in the lines below.
    under: &'static str,
}

/// Text for a quoted Mermaid label: entity codes for what has a meaning there.
pub(crate) fn escape_mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | ';' | ':' | '\\' | '`' | '%' => {
                let _ = write!(escaped, "#{};", character as u32);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
