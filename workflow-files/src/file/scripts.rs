//! Scripts with expressions in which a quote or a bracket is not closed, so that no expression but an
//! integer can be interpolated.

use super::interpolate::{Interpreter, Script};
use crate::document::Findings;
use crate::spec::{Part, Template, Text, WorkflowSpec};

/// Warns of scripts with expressions that the shell cannot read.
pub(super) fn check(spec: &WorkflowSpec, findings: &mut Findings) {
    for command in spec.jobs.0.iter().filter_map(|job| job.command.as_ref()) {
        check_script(command, findings);
    }
}

fn check_script(text: &Text, findings: &mut Findings) {
    // Other mistakes in the template have been reported.
    let Ok(template) = Template::parse(&text.value) else { return };
    let mut script = Script::default();
    let mut has_values = false;
    for (_, part) in template.numbered() {
        match part {
            Part::Text(text) => script.push(text),
            Part::Named { name, .. } => script.push(name),
            Part::Expression(_) => {
                script.push_value("0".to_owned());
                has_values = true;
            }
        }
    }
    // The shell itself reports a script without expressions.
    let interpreter = Interpreter::of(&text.value, true);
    if let Some(what) = script.unclosed(&interpreter).filter(|_| has_values) {
        findings
            .warning(text.span, format!("{what} in this script"))
            .help("close it, or write `\\` before it if it is text");
    }
}
