//! Views of the graph for people: waves, Mermaid, DOT, and a tree of plain text.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Graph;

impl Graph {
    /// Returns the names of the jobs in waves: first the jobs without dependencies, then those that
    /// wait only for these, and so on. Jobs of one wave could run together.
    ///
    /// ```
    /// use workflow_core::definition::Definition;
    /// use workflow_core::graph::Graph;
    ///
    /// let definition = Definition::new("etl")?
    ///     .job("users", [])?
    ///     .job("orders", [])?
    ///     .job("report", ["users", "orders"])?;
    /// let graph = Graph::compile(&definition)?;
    /// assert_eq!(graph.waves(), [vec!["users", "orders"], vec!["report"]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn waves(&self) -> Vec<Vec<&str>> {
        let mut wave_of = vec![0; self.len()];
        let mut wave_of_group = vec![0; self.groups.len()];
        let mut open: Vec<u32> = self.groups.cells.iter().map(|group| group.pending).collect();
        let mut waves: Vec<Vec<&str>> = Vec::new();
        // Each job has a higher number than its dependencies.
        for job in 0..self.len() {
            let (wave, next) = (wave_of[job], wave_of[job] + 1);
            if waves.len() <= wave {
                waves.resize_with(next, Vec::new);
            }
            waves[wave].push(self.names.get(job));
            raise(&mut wave_of, self.successors.get(job as u32), next);
            for group in self.groups.of_job.get(job as u32) {
                let at = *group as usize;
                wave_of_group[at] = next.max(wave_of_group[at]);
                open[at] -= 1;
                if open[at] == 0 {
                    raise(&mut wave_of, self.groups.waiting.get(*group), wave_of_group[at]);
                }
            }
        }
        waves
    }

    /// Returns the graph as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>).
    ///
    /// Names are quoted and escaped, so that a hostile name stays text. A group is a small circle
    /// between its members and the jobs that wait for it.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for (job, name) in self.job_names().enumerate() {
            let _ = writeln!(text, "    j{job}[\"{}\"]", escape_mermaid(name));
        }
        for group in 0..self.groups.len() {
            let _ = writeln!(text, "    g{group}((\" \"))");
        }
        for (from, to) in self.drawn_edges() {
            let (from, to) = (self.drawn_id(from), self.drawn_id(to));
            let _ = writeln!(text, "    {from} --> {to}");
        }
        text
    }

    /// Returns the graph in the DOT language (<https://graphviz.org/doc/info/lang.html>). A group
    /// is a point between its members and the jobs that wait for it.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph workflow {\n    rankdir=TB;\n    node [shape=box];\n");
        for (job, name) in self.job_names().enumerate() {
            let label = name.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(text, "    j{job} [label=\"{label}\"];");
        }
        for group in 0..self.groups.len() {
            let _ = writeln!(text, "    g{group} [shape=point];");
        }
        for (from, to) in self.drawn_edges() {
            let (from, to) = (self.drawn_id(from), self.drawn_id(to));
            let _ = writeln!(text, "    {from} -> {to};");
        }
        text.push_str("}\n");
        text
    }

    /// Direct edges, edges into groups, and edges out of groups. The nodes are the jobs, followed
    /// by the groups.
    fn drawn_edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let jobs = self.len();
        let into = (0..jobs).flat_map(move |job| {
            let groups = self.groups.of_job.get(job as u32).iter();
            groups.map(move |group| (job, jobs + *group as usize))
        });
        let out = (0..self.groups.len()).flat_map(move |group| {
            let waiting = self.groups.waiting.get(group as u32).iter();
            waiting.map(move |job| (jobs + group, *job as usize))
        });
        self.edge_ids().chain(into).chain(out)
    }

    /// The id of a node in a drawing.
    fn drawn_id(&self, node: usize) -> String {
        match node.checked_sub(self.len()) {
            None => format!("j{node}"),
            Some(group) => format!("g{group}"),
        }
    }

    /// Returns the graph as an indented tree of plain text. A job with several predecessors is
    /// drawn in full under the first, and as `name ^` under the others. The tree has at most 64
    /// levels, and `...` stands for deeper ones. A group is drawn like a job, as `(group 1)`, below
    /// each of its members.
    pub fn tree(&self) -> String {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.len() + self.groups.len()];
        for (from, to) in self.drawn_edges() {
            below[from].push(to);
        }
        let roots = (0..self.len()).filter(|job| self.cells[*job].pending == 0);
        let root = |node| Line { node, level: 1, indent: String::new(), branch: "", under: "" };
        let mut seen = vec![false; below.len()];
        let mut text = String::new();
        let mut open: Vec<Line> = roots.map(root).collect();
        open.reverse();
        while let Some(Line { node, level, indent, branch, under }) = open.pop() {
            let again = seen[node] && !below[node].is_empty();
            let mark = if again { " ^" } else { "" };
            let _ = writeln!(text, "{indent}{branch}{}{mark}", self.drawn_name(node));
            if again || below[node].is_empty() {
                continue;
            }
            if level == DEEPEST {
                // Not marked as seen, because a shorter path may lead there and draw it in full.
                let _ = writeln!(text, "{indent}{under}└── ...");
                continue;
            }
            seen[node] = true;
            let last = below[node].len() - 1;
            for (place, next) in below[node].iter().enumerate().rev() {
                let (branch, under_next) =
                    if place == last { ("└── ", "    ") } else { ("├── ", "│   ") };
                let (level, indent) = (level + 1, format!("{indent}{under}"));
                open.push(Line { node: *next, level, indent, branch, under: under_next });
            }
        }
        text
    }

    fn drawn_name(&self, node: usize) -> Cow<'_, str> {
        match node.checked_sub(self.len()) {
            None => self.names.get(node).into(),
            Some(group) => format!("(group {})", group + 1).into(),
        }
    }
}

/// Moves jobs to this wave, unless they are in a later one.
fn raise(wave_of: &mut [usize], jobs: &[u32], wave: usize) {
    for job in jobs {
        let at = &mut wave_of[*job as usize];
        *at = wave.max(*at);
    }
}

/// The number of levels of a tree. Every level indents all lines below it, so that without a bound,
/// memory would grow with the square of the depth.
const DEEPEST: usize = 64;

/// A line of a tree that was not drawn yet.
struct Line {
    node: usize,
    level: usize,
    indent: String,
    /// The text between the indentation and the name.
    branch: &'static str,
    /// The same for the lines below.
    under: &'static str,
}

/// Escapes a text for a quoted Mermaid label, with entity codes for special characters.
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
