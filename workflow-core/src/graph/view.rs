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
    /// full under the first, and as `name ^` under the others.
    pub fn tree(&self) -> String {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.len()];
        for (from, to) in self.edge_ids() {
            below[from].push(to);
        }
        let roots = (0..self.len()).filter(|job| self.cells[*job].pending == 0);
        let mut seen = vec![false; self.len()];
        let mut text = String::new();
        // A stack of its own, so that a long chain does not overflow the thread's.
        let mut open: Vec<(usize, String, &str, &str)> =
            roots.map(|root| (root, String::new(), "", "")).collect();
        open.reverse();
        while let Some((job, indent, branch, below_branch)) = open.pop() {
            let again = std::mem::replace(&mut seen[job], true) && !below[job].is_empty();
            let mark = if again { " ^" } else { "" };
            let _ = writeln!(text, "{indent}{branch}{}{mark}", self.names.get(job));
            if again {
                continue;
            }
            let indent = format!("{indent}{below_branch}");
            let last = below[job].len().saturating_sub(1);
            for (place, next) in below[job].iter().enumerate().rev() {
                let (branch, below_branch) =
                    if place == last { ("└── ", "    ") } else { ("├── ", "│   ") };
                open.push((*next, indent.clone(), branch, below_branch));
            }
        }
        text
    }
}

/// Text for a quoted Mermaid label: entity codes for what has a meaning there.
pub(crate) fn escape_mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | ';' | ':' | '\\' | '`' => {
                let _ = write!(escaped, "#{};", character as u32);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
