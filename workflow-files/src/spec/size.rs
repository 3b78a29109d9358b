//! Limits on the expansion of parameters, checked before anything is copied: a file of a kilobyte
//! can describe up to a million jobs.

use super::order::{scripts_that_read, texts_of};
use super::parameters::{EntryParameters, EntrySize, LONGEST_WIDTH, ParameterGrid};
use super::{JobEntry, JobSpec, Text, WorkflowSpec};
use crate::bounds::file::{COPIES, SUBSTITUTED_BYTES};
use crate::document::{Findings, Span};

/// Checks that the copies of all entries and their substituted texts are within the limits; `None`
/// if they are not, which has been reported.
pub(crate) fn check_size(
    spec: &WorkflowSpec,
    max_copies: usize,
    findings: &mut Findings,
) -> Option<()> {
    let constants = ParameterGrid::constants(&spec.variables);
    let longest = constants.longest();
    let scripts = spec.failure_handlers.iter().map(|handler| {
        let scripts = scripts_that_read(handler);
        scripts.map(|(script, _)| substituted_len(script, &longest)).sum::<usize>()
    });
    let scripts = scripts.max().unwrap_or(0);
    let mut jobs = TotalSize::new("jobs", max_copies, &constants);
    for job in &spec.jobs.0 {
        let written = job.rest.as_ref().map(|rest| EntryParameters::of_job(rest, spec));
        let each = |size: &EntrySize<'_>| {
            substituted_bytes(job, size).saturating_add(job.rest.as_ref().map_or(0, |_| scripts))
        };
        jobs.add(written, job.name.span, each, findings)?;
        let once = texts_of(job).map(|(text, _)| substituted_len(text, &jobs.last.longest)).max();
        jobs.check(once.unwrap_or(0), job.name.span, findings)?;
    }
    let mut files = TotalSize::new("files", max_copies, &constants);
    for file in &spec.files {
        let written = EntryParameters::of_file(file, spec);
        let each = |size: &EntrySize<'_>| {
            substituted_len(&file.name.value, &size.longest)
                .saturating_add(substituted_len(&file.path.value, &size.longest))
        };
        files.add(Some(written), file.name.span, each, findings)?;
    }
    let mut entries = TotalSize::new("data entries", max_copies, &constants);
    for data in &spec.user_data {
        let written = EntryParameters::of_data(data, spec);
        let each = |size: &EntrySize<'_>| substituted_len(&data.name.value, &size.longest);
        entries.add(Some(written), data.name.span, each, findings)?;
    }
    Some(())
}

/// The total size of the entries of one kind so far.
struct TotalSize<'a> {
    what: &'static str,
    max_copies: usize,
    constants: &'a ParameterGrid,
    copies: usize,
    bytes: usize,
    /// The size of the last entry.
    last: EntrySize<'a>,
}

impl<'a> TotalSize<'a> {
    fn new(what: &'static str, max_copies: usize, constants: &'a ParameterGrid) -> Self {
        Self { what, max_copies, constants, copies: 0, bytes: 0, last: EntrySize::one(constants) }
    }

    /// Adds an entry; `each` gives the substituted bytes of each copy.
    fn add(
        &mut self,
        written: Option<EntryParameters<'a>>,
        span: Span,
        each: impl Fn(&EntrySize<'_>) -> usize,
        findings: &mut Findings,
    ) -> Option<()> {
        self.last = match &written {
            Some(written) => written.size(self.constants),
            None => EntrySize::one(self.constants),
        };
        let copies = self.last.copies;
        if let Some(written) = written.filter(|written| copies > COPIES && written.is_plain()) {
            // Its diagnostic shows the number of values of each parameter.
            written.grid(self.constants, findings)?;
        }
        self.copies = self.copies.saturating_add(copies);
        self.bytes = self.bytes.saturating_add(copies.saturating_mul(each(&self.last)));
        let longest = self.last.longest.iter().map(|(_, length)| *length).max();
        self.check(longest.unwrap_or(0), span, findings)
    }

    /// Checks the sums, and the length of one text.
    fn check(&self, one: usize, span: Span, findings: &mut Findings) -> Option<()> {
        let (what, max_copies) = (self.what, self.max_copies);
        let (message, help) = if self.copies > max_copies {
            let message = format!("the file expands to more than {max_copies} {what}");
            (message, "use fewer values, or combine the work of several jobs into one")
        } else if self.bytes.max(one) > SUBSTITUTED_BYTES {
            let message = format!(
                "the texts of {what} grow to more than {SUBSTITUTED_BYTES} bytes with their parameters substituted"
            );
            (message, "use fewer values, or read long texts from a file")
        } else {
            return Some(());
        };
        findings.error(span, message).label("the limit is exceeded here").help(help);
        None
    }
}

/// The bytes that are substituted for each copy while the file is read.
fn substituted_bytes(job: &JobEntry, size: &EntrySize<'_>) -> usize {
    let with_places = texts_of(job).map(|(text, _)| text).filter(|text| text.contains("${"));
    let rest = job.rest.as_deref();
    let lists = rest.into_iter().flat_map(|rest| {
        [
            &rest.depends_on_regexes,
            &rest.input_files,
            &rest.input_file_regexes,
            &rest.output_files,
            &rest.output_file_regexes,
            &rest.input_user_data,
            &rest.input_user_data_regexes,
            &rest.output_user_data,
            &rest.output_user_data_regexes,
            &rest.limits,
        ]
    });
    let named = job.depends_on.iter().chain(lists.flatten());
    let named = named.chain(rest.and_then(|rest| rest.when.as_ref())).chain([&job.name]);
    let fields: [fn(&JobSpec) -> &Option<Text>; 3] =
        [|rest| &rest.task_queue, |rest| &rest.failure_handler, |rest| &rest.resource_requirements];
    let fields = rest.into_iter().flat_map(|rest| fields.map(|field| field(rest).as_ref()));
    let named = named.chain(fields.flatten());
    let texts = named.map(|text: &Text| &*text.value).chain(with_places);
    texts.fold(0, |sum, text| sum.saturating_add(substituted_len(text, &size.longest)))
}

/// The most characters that a format adds by default: `.000000e-300`, or the sixteen digits of a
/// negative number.
const LONGEST_FORM: usize = 16;

/// The largest length of a text after substitution: each placeholder gets the longest value of its
/// name, at its width and precision.
pub(super) fn substituted_len(text: &str, longest: &[(&str, usize)]) -> usize {
    let mut length = text.len();
    for place in text.split('{').skip(1) {
        let inside = place.split('}').next().unwrap_or_default();
        let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
        let Some((_, longest)) = longest.iter().find(|(known, _)| *known == name) else { continue };
        let numbers = format.split(|letter: char| !letter.is_ascii_digit());
        let widths = numbers.filter_map(|number| number.parse::<usize>().ok());
        let width: usize = widths.take(2).map(|width| width.min(LONGEST_WIDTH)).sum();
        let written = if format.ends_with(['e', 'f', 'x']) { LONGEST_FORM } else { 0 };
        length = length.saturating_add(*longest).saturating_add(width + written);
    }
    length
}
