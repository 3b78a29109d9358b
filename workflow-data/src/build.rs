//! Builds a pipeline from its configuration: everything is checked before anything is read.

use std::path::Path;

use serde_json::Value;
use workflow_config::{Config, ConfigError};

use crate::clock::RecordClock;
use crate::config::{FailurePolicy, PipelineConfig, SinkKind, SourceKind, StageConfig};
use crate::pipeline::{NamedSink, NamedStage, Pipeline, PipelineError, Progress};
use crate::policy::Rejects;
use crate::preview::Location;
use crate::sink::{self, CursorName};
use crate::source::{self, Reading, Source};
use crate::stage::{Options, Stages};
use crate::staged;
use crate::text::{io_reason, listed, suggestion};

impl Pipeline {
    /// Builds a pipeline with the built-in stages. Nothing is read or written yet.
    ///
    /// # Errors
    ///
    /// Fails as [`PipelineBuilder::build`] does.
    pub fn open(config: &Config) -> Result<Self, PipelineError> {
        Self::builder(config).build()
    }

    /// Builds a pipeline with a source or stages of the host, or another clock.
    pub fn builder(config: &Config) -> PipelineBuilder {
        PipelineBuilder {
            config: config.clone(),
            source: None,
            stages: Stages::new(),
            clock: RecordClock::system(),
        }
    }
}

/// Builds a [`Pipeline`] with a source or stages of the host, or another clock.
pub struct PipelineBuilder {
    config: Config,
    source: Option<Box<dyn Source>>,
    stages: Stages,
    clock: RecordClock,
}

impl PipelineBuilder {
    /// Sets a source of the host, which is read in place of the one that the configuration
    /// describes. Default: none.
    #[must_use]
    pub fn source(self, source: Box<dyn Source>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Sets the stages that the configuration may name. Default: the built-in ones.
    #[must_use]
    pub fn stages(self, stages: Stages) -> Self {
        Self { stages, ..self }
    }

    /// Sets the clock. Default: that of the system.
    #[must_use]
    pub fn clock(self, clock: RecordClock) -> Self {
        Self { clock, ..self }
    }

    /// Opens the source that the configuration describes, to read it without stages and sinks.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use workflow_config::Config;
    /// use workflow_data::{FailurePolicy, Pipeline, Rejects};
    ///
    /// let config = Config::from_json("orders", json!({ "source": { "type": "mock" } }))?;
    /// let mut source = Pipeline::builder(&config).open_source()?;
    /// let batch = source.next(&mut Rejects::new(FailurePolicy::Fail))?.expect("records");
    /// assert_eq!(batch.len(), 100);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the configuration is invalid, with file, line and column.
    pub fn open_source(&self) -> Result<Box<dyn Source>, PipelineError> {
        Ok(self.configured_source(&self.config.read()?)?)
    }

    /// Checks the configuration, finds the files of the source, and makes all stages and sinks.
    /// Nothing is read or written yet.
    ///
    /// # Errors
    ///
    /// Fails when the configuration is invalid, names a stage that does not exist, or needs what
    /// this program does not have; with file, line and column.
    pub fn build(mut self) -> Result<Pipeline, PipelineError> {
        let sections: PipelineConfig = self.config.read()?;
        warn_of_schedules(&sections);
        let source = match self.source.take() {
            Some(source) => source,
            None => self.configured_source(&sections)?,
        };
        let named = sections.stages().iter().enumerate();
        let has_quarantine = sections.quarantine().is_some();
        let stages = make_stages(&self.stages, &self.config, named, has_quarantine, self.clock)?;
        let sinks = self.sinks(&sections)?;
        let label = sections.source().map(|source| source.label().to_owned()).unwrap_or_default();
        let mut rejects = Rejects::new(sections.on_failure());
        if let Some(path) = sections.quarantine() {
            self.check_file(QUARANTINE, path)?;
            rejects = rejects.with_quarantine(path);
        }
        let progress = self.progress(&sections, &label);
        Ok(Pipeline { label, source, stages, sinks, rejects, clock: self.clock, progress })
    }

    fn progress(&self, sections: &PipelineConfig, label: &str) -> Option<Progress> {
        let source = sections.source()?;
        let column = &source.kind.incremental()?.cursor;
        if sections.outputs().iter().any(|output| output.kind == SinkKind::File) {
            tracing::warn!(
                "a file keeps its cursor in a second file: a run that is killed between the two \
                 writes appends some records twice"
            );
        }
        Some(Progress::new(CursorName::new(self.config.name(), label), column))
    }

    fn configured_source(&self, sections: &PipelineConfig) -> Result<Box<dyn Source>, ConfigError> {
        let path = sections.source_path();
        let fail =
            |field: &str, message: &str| self.config.error_at(&format!("{path}.{field}"), message);
        // The rules of the configuration demand a source.
        let Some(source) = sections.source() else { return Err(fail("type", "no source")) };
        let reading = Reading {
            label: source.label().to_owned(),
            batch_size: sections.batch_size(),
            max_retries: sections.max_retries(),
            statement_timeout: None,
            clock: self.clock,
            repeated: sections.repeated(),
        };
        let kind = source.kind.name();
        let is_section = path == "source";
        let option = |field: &str| match field {
            "type" => field.to_owned(),
            field if is_section => format!("{kind}.{field}"),
            field => field.to_owned(),
        };
        match source.kind {
            SourceKind::Mock(options) => Ok(source::mock(options, reading)),
            SourceKind::File(options) => match source::find(&options, &reading) {
                Ok(found) => Ok(source::files(options, found, reading)),
                Err((field, reason)) => Err(fail(&option(&field), &reason)),
            },
            SourceKind::Api(options) => source::api(*options, reading)
                .map_err(|(field, reason)| fail(&option(field), &reason)),
            SourceKind::Database(options) => source::database(options, reading)
                .map_err(|(field, reason)| fail(&option(field), &reason)),
        }
    }

    /// A file that is written is not there yet, or is a file.
    fn check_file(&self, option: &str, path: &Path) -> Result<(), ConfigError> {
        staged::check(path).map_err(|error| {
            let message = format!("cannot write `{}`: {}", path.display(), io_reason(&error));
            self.config.error_at(option, &message)
        })
    }

    fn sinks(&self, sections: &PipelineConfig) -> Result<Vec<NamedSink>, ConfigError> {
        let mut sinks = Vec::new();
        for (index, output) in sections.outputs().iter().enumerate() {
            let path = sections.output_path(index);
            if !output.path.as_os_str().is_empty() {
                self.check_file(&format!("{path}.path"), &output.path)?;
            }
            let made = sink::make(output);
            let made = made.map_err(|(field, reason)| {
                self.config.error_at(&format!("{path}.{field}"), &reason)
            })?;
            let location = Location::of(output, self.config.name(), index);
            sinks.push(NamedSink::new(output, location, made));
        }
        if sinks.is_empty() {
            tracing::warn!("the pipeline has no `output`, so its records are read and not written");
        }
        Ok(sinks)
    }
}

impl std::fmt::Debug for PipelineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipelineBuilder")
            .field("config", &self.config)
            .field("has_source", &self.source.is_some())
            .field("stages", &self.stages)
            .field("clock", &self.clock)
            .finish()
    }
}

impl Stages {
    /// Checks the configuration of a pipeline with these stages, without reading or writing records.
    /// For [`workflow_config::check!`], so that hosts find a mistake when they start:
    ///
    /// ```
    /// use workflow_config::{Config, ConfigError};
    /// use workflow_data::Stages;
    ///
    /// fn check(config: &Config) -> Result<(), ConfigError> {
    ///     Stages::new().check(config)
    /// }
    ///
    /// workflow_config::check!("orders", check);
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// Fails with all mistakes in the sections, and with all stages that do not exist, or whose options
    /// are wrong.
    pub fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let read = config.read::<PipelineConfig>();
        // The stages that can be read are checked, whatever is wrong around them.
        let has_quarantine = matches!(config.read_part::<Value>(QUARANTINE), Ok(Some(_)));
        let stages = (0..)
            .map_while(|index| config.read_part(&stage_path(index)).transpose())
            .enumerate()
            .filter_map(|(index, stage)| Some((index, stage.ok()?)));
        let stages: Vec<(usize, StageConfig)> = stages.collect();
        let stages = stages.iter().map(|(index, stage)| (*index, stage));
        let made = make_stages(self, config, stages, has_quarantine, RecordClock::system());
        ConfigError::all_of(config.name(), read.err().into_iter().chain(made.err()))
    }
}

/// Makes the stages of a configuration. Fails with all mistakes.
fn make_stages<'s>(
    stages: &Stages,
    config: &Config,
    named: impl Iterator<Item = (usize, &'s StageConfig)>,
    has_quarantine: bool,
    clock: RecordClock,
) -> Result<Vec<NamedStage>, ConfigError> {
    let (mut made, mut mistakes) = (Vec::new(), Vec::new());
    for (index, StageConfig { name, .. }) in named {
        let path = stage_path(index);
        let options = Options::new(config, format!("{path}.options"), clock);
        let stage = stages.make(name, &options).unwrap_or_else(|| {
            let near = suggestion(name, stages.names());
            let known = listed(stages.names());
            let message = format!("no stage is named `{name}`{near}; available: {known}");
            Err(config.error_at(&format!("{path}.name"), &message))
        });
        match stage {
            Ok(stage) => made.push(NamedStage::new(name, stage)),
            Err(mistake) => mistakes.push(mistake),
        }
        if !has_quarantine {
            mistakes.extend(check_policy(config, &path, &options).err());
        }
    }
    ConfigError::all_of(config.name(), mistakes.into_iter())?;
    Ok(made)
}

/// The option with the file of quarantined records.
const QUARANTINE: &str = "processing.quarantine";

fn stage_path(index: usize) -> String {
    format!("transformation.stages[{index}]")
}

/// Without a file for them, a stage cannot quarantine records.
fn check_policy(config: &Config, path: &str, options: &Options) -> Result<(), ConfigError> {
    let place = format!("{path}.options.on_failure");
    // Stages of the host may have an option of this name with another meaning.
    let policy = config.read_part::<FailurePolicy>(&place).ok().flatten();
    if policy == Some(FailurePolicy::Quarantine) {
        let message =
            "`quarantine` needs a file; add `processing:` with `quarantine: quarantine.jsonl`";
        return Err(options.error("on_failure", message));
    }
    Ok(())
}

fn warn_of_schedules(sections: &PipelineConfig) {
    let of_workflow = sections.workflow.as_ref().and_then(|section| section.schedule.as_deref());
    let of_section = sections.schedule.as_ref().and_then(|section| section.cron.as_deref());
    if let (Some(weak), Some(strong)) = (of_workflow, of_section)
        && weak != strong
    {
        tracing::warn!(
            "`schedule.cron` is `{strong}`, `workflow.schedule` is `{weak}`; the first one counts"
        );
    }
}
