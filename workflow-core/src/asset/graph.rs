//! The assets of a program, checked and in order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use workflow_cron::PeriodError;

use super::{AssetEntry, Partition, PartitionError, Partitions, Reads};
use crate::id::{hint, nearest};
use crate::registry;
use crate::workflow::WorkflowAsset;

/// An asset as a plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetSpec {
    /// The name.
    pub name: String,
    /// What it is, in a paragraph.
    pub description: Option<String>,
    /// What makes it.
    pub maker: Maker,
    /// The version of the code that makes it.
    pub code_version: String,
    /// The partitions.
    pub partitions: Partitions,
    /// The age from which a value counts as overdue.
    pub freshness: Option<Duration>,
    /// The assets that it reads.
    pub inputs: Vec<(String, Reads)>,
    /// The names of the checks, and whether they block.
    pub checks: Vec<(String, bool)>,
    /// The place of its declaration: a file, with line and column if they are known.
    pub location: String,
}

/// What makes an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maker {
    /// A function of this program, which the workflow [`assets`](super::WORKFLOW) calls.
    Function,
    /// Workflows of this program, each in its own way, such as dbt.
    Workflows(Vec<String>),
    /// Somebody outside of this program. Nothing is known about its values.
    Outside,
}

impl Maker {
    /// The names of the workflows that make it; none for an asset from outside.
    pub fn workflows(&self) -> Vec<&str> {
        match self {
            Self::Function => vec![super::WORKFLOW],
            Self::Workflows(names) => names.iter().map(String::as_str).collect(),
            Self::Outside => Vec::new(),
        }
    }
}

/// Assets in an order in which each comes after its inputs.
#[derive(Debug, Clone)]
pub struct AssetGraph {
    assets: Vec<AssetSpec>,
    /// The inputs of each asset, by number.
    inputs: Vec<Vec<(usize, Reads)>>,
    numbers: HashMap<String, usize>,
}

/// Returns the assets of this program: those of functions, and those that its registered workflows
/// [declare](crate::workflow::Workflow::assets).
///
/// # Errors
///
/// Fails when they do not fit together, or when the registry cannot be listed.
pub fn graph() -> Result<Arc<AssetGraph>, AssetError> {
    let functions = functions()?;
    let workflows = registry::list().map_err(|error| AssetError::Registry(Box::new(error)))?;
    let workflows: Vec<_> = workflows.iter().map(registry::Entry::workflow).collect();
    if workflows.iter().all(|workflow| workflow.assets().is_empty()) {
        return Ok(Arc::clone(functions));
    }
    let mut specs: BTreeMap<String, AssetSpec> =
        functions.assets().iter().map(|spec| (spec.name.clone(), spec.clone())).collect();
    for workflow in &workflows {
        for asset in workflow.assets() {
            let spec = AssetSpec::of_workflow(workflow.name().as_str(), asset);
            let spec = match specs.remove(&spec.name) {
                Some(known) => known.merged(spec)?,
                None => spec,
            };
            specs.insert(spec.name.clone(), spec);
        }
    }
    let partitioned: HashSet<String> = specs
        .values()
        .filter(|spec| !spec.partitions.is_none())
        .map(|spec| spec.name.clone())
        .collect();
    let made = specs.values_mut().filter(|spec| matches!(spec.maker, Maker::Workflows(_)));
    for (input, reads) in made.flat_map(|spec| &mut spec.inputs) {
        if partitioned.contains(input) {
            *reads = Reads::All;
        }
    }
    Ok(Arc::new(AssetGraph::new(specs.into_values().collect())?))
}

/// The assets of the functions of this program.
pub(super) fn functions() -> Result<&'static Arc<AssetGraph>, AssetError> {
    static GRAPH: OnceLock<Result<Arc<AssetGraph>, AssetError>> = OnceLock::new();
    let linked = || {
        let specs = AssetEntry::all().map(AssetSpec::declared).collect::<Result<_, _>>();
        AssetGraph::new(specs?).map(Arc::new)
    };
    GRAPH.get_or_init(linked).as_ref().map_err(Clone::clone)
}

/// Returns the declaration of an asset that a function of this program makes.
///
/// # Errors
///
/// Fails when there is none of this name, and when the assets do not fit together.
pub fn entry(name: &str) -> Result<&'static AssetEntry, AssetError> {
    let graph = functions()?;
    AssetEntry::named(name).ok_or_else(|| graph.unknown(name))
}

impl AssetSpec {
    fn declared(entry: &AssetEntry) -> Result<Self, AssetError> {
        let partitions = Partitions::declared(&entry.partitions).map_err(|error| {
            let (asset, location) = (entry.name.to_owned(), entry.location.to_string());
            AssetError::Partitions { asset, location, error }
        })?;
        Ok(Self {
            name: entry.name.to_owned(),
            description: entry.description.map(str::to_owned),
            maker: Maker::Function,
            code_version: entry.short_version(),
            partitions,
            freshness: entry.freshness,
            inputs: entry
                .inputs
                .iter()
                .map(|input| (input.asset.to_owned(), input.reads))
                .collect(),
            checks: entry
                .checks
                .iter()
                .map(|(name, blocks)| ((*name).to_owned(), *blocks))
                .collect(),
            location: entry.location.to_string(),
        })
    }

    fn of_workflow(workflow: &str, asset: &WorkflowAsset) -> Self {
        let maker = match asset.is_made {
            true => Maker::Workflows(vec![workflow.to_owned()]),
            false => Maker::Outside,
        };
        let input = |input: &String| (input.clone(), Reads::Same);
        Self {
            name: asset.name.clone(),
            description: asset.description.clone(),
            maker,
            code_version: asset.code_version.clone(),
            partitions: Partitions::None,
            freshness: None,
            inputs: asset.inputs.iter().map(input).collect(),
            checks: asset.checks.clone(),
            location: asset.location.clone(),
        }
    }

    /// One asset that is declared twice: by those who read it, and by those who make it, which may
    /// be several workflows, such as selections of one dbt project.
    fn merged(mut self, other: Self) -> Result<Self, AssetError> {
        match (&mut self.maker, other.maker) {
            (_, Maker::Outside) => Ok(self),
            (Maker::Outside, maker) => Ok(Self { maker, ..other }),
            (Maker::Workflows(names), Maker::Workflows(others)) => {
                let new = others.into_iter().filter(|name| !names.contains(name));
                let new: Vec<String> = new.collect();
                names.extend(new);
                Ok(self)
            }
            _ => Err(duplicate(&self.name, &self.location, &other.location)),
        }
    }
}

/// The error for two declarations of one name, in the order of their places.
fn duplicate(asset: &str, one: &str, other: &str) -> AssetError {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    AssetError::Duplicate {
        asset: asset.to_owned(),
        first: first.to_owned(),
        second: second.to_owned(),
    }
}

impl AssetGraph {
    /// Checks that assets fit together, and orders them.
    ///
    /// # Errors
    ///
    /// Fails when two have the same name, when an input is unknown, when they read each other in a
    /// circle, and when partitions do not fit.
    pub fn new(mut specs: Vec<AssetSpec>) -> Result<Self, AssetError> {
        specs.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(pair) = specs.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(duplicate(&pair[0].name, &pair[0].location, &pair[1].location));
        }
        let ordered = ordered(specs)?;
        let numbers: HashMap<String, usize> =
            ordered.iter().enumerate().map(|(at, spec)| (spec.name.clone(), at)).collect();
        let inputs = ordered.iter().map(|spec| {
            spec.inputs.iter().map(|(input, reads)| (numbers[input], *reads)).collect()
        });
        let graph = Self { inputs: inputs.collect(), numbers, assets: ordered };
        graph.check_partitions()?;
        Ok(graph)
    }

    /// The assets, each after its inputs.
    pub fn assets(&self) -> &[AssetSpec] {
        &self.assets
    }

    /// Returns the number of an asset in [`assets`](Self::assets).
    ///
    /// # Errors
    ///
    /// Fails when there is none of this name.
    pub fn number(&self, asset: &str) -> Result<usize, AssetError> {
        self.numbers.get(asset).copied().ok_or_else(|| self.unknown(asset))
    }

    /// The inputs of each asset, by number.
    pub(super) fn inputs(&self) -> &[Vec<(usize, Reads)>] {
        &self.inputs
    }

    /// Finds a partition of an asset, whether it has ended or not.
    ///
    /// # Errors
    ///
    /// Fails when there is no such asset or partition.
    pub fn partition(&self, asset: &str, key: &str) -> Result<Partition, AssetError> {
        let spec = &self.assets[self.number(asset)?];
        let found = spec.partitions.find(key);
        found.map_err(|error| AssetError::Partition { asset: asset.to_owned(), error })
    }

    /// Checks that the workflow [`assets`](super::WORKFLOW) can make an asset.
    ///
    /// # Errors
    ///
    /// Fails when there is none of this name, and when it is made in another way.
    pub fn check_made_by_function(&self, asset: &str) -> Result<(), AssetError> {
        let spec = &self.assets[self.number(asset)?];
        match &spec.maker {
            Maker::Function => Ok(()),
            maker => {
                let workflows = maker.workflows().into_iter().map(str::to_owned).collect();
                Err(AssetError::MadeOtherwise { asset: asset.to_owned(), workflows })
            }
        }
    }

    /// The numbers of the assets that read an asset, in order.
    pub fn readers(&self, asset: usize) -> impl Iterator<Item = usize> + '_ {
        let reads = move |inputs: &&Vec<(usize, Reads)>| inputs.iter().any(|(at, _)| *at == asset);
        self.inputs.iter().enumerate().filter(move |(_, inputs)| reads(inputs)).map(|(at, _)| at)
    }

    /// The partitions of other assets that a partition is made from, at a time, without those from
    /// outside of the program.
    pub(super) fn inputs_of(
        &self,
        asset: usize,
        partition: &Partition,
        now: SystemTime,
    ) -> Vec<(usize, Partition)> {
        let mut found = Vec::new();
        for (input, reads) in &self.inputs[asset] {
            let AssetSpec { partitions, maker, .. } = &self.assets[*input];
            if *maker == Maker::Outside {
                continue;
            }
            match reads {
                Reads::Same if partitions.is_none() => found.push((*input, Partition::whole())),
                Reads::Same => found.push((*input, partition.clone())),
                Reads::All => {
                    let within = partitions.within(partition, now);
                    found.extend(within.into_iter().map(|inner| (*input, inner)));
                }
            }
        }
        found
    }

    fn unknown(&self, asset: &str) -> AssetError {
        let names = self.assets.iter().map(|spec| spec.name.as_str());
        AssetError::Unknown {
            nearest: nearest(asset, names).map(str::to_owned),
            asset: asset.to_owned(),
            known: self.assets.len(),
        }
    }

    fn check_partitions(&self) -> Result<(), AssetError> {
        for (spec, inputs) in self.assets.iter().zip(&self.inputs) {
            for (input, _) in inputs.iter().filter(|(_, reads)| *reads == Reads::Same) {
                let input = &self.assets[*input];
                if let Some(why) = input.partitions.misfit(&spec.partitions) {
                    let misfit = Misfit {
                        asset: spec.name.clone(),
                        location: spec.location.clone(),
                        partitions: spec.partitions.describe(),
                        input: input.name.clone(),
                        input_partitions: input.partitions.describe(),
                        why,
                    };
                    return Err(AssetError::Misfit(Box::new(misfit)));
                }
            }
        }
        Ok(())
    }
}

/// The assets, each after its inputs, and in the order of their names where that leaves a choice.
/// They come in the order of their names.
fn ordered(specs: Vec<AssetSpec>) -> Result<Vec<AssetSpec>, AssetError> {
    let numbers: HashMap<&str, usize> =
        specs.iter().enumerate().map(|(at, spec)| (spec.name.as_str(), at)).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); specs.len()];
    for (reader, spec) in specs.iter().enumerate() {
        for (input, _) in &spec.inputs {
            let Some(input) = numbers.get(input.as_str()) else {
                let (asset, location) = (spec.name.clone(), spec.location.clone());
                return Err(AssetError::UnknownInput { asset, location, input: input.clone() });
            };
            readers[*input].push(reader);
        }
    }
    let mut missing: Vec<usize> = specs.iter().map(|spec| spec.inputs.len()).collect();
    let ready = missing.iter().enumerate().filter(|(_, missing)| **missing == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.map(|(at, _)| Reverse(at)).collect();
    let mut waiting: Vec<Option<AssetSpec>> = specs.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while let Some(Reverse(next)) = ready.pop() {
        ordered.extend(waiting[next].take());
        for reader in &readers[next] {
            missing[*reader] -= 1;
            if missing[*reader] == 0 {
                ready.push(Reverse(*reader));
            }
        }
    }
    if ordered.len() < waiting.len() {
        let waiting: Vec<AssetSpec> = waiting.into_iter().flatten().collect();
        return Err(AssetError::Circle { assets: circle(&waiting) });
    }
    Ok(ordered)
}

/// A circle among assets of which each reads another one of them.
fn circle(waiting: &[AssetSpec]) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut at = waiting.first();
    while let Some(spec) = at {
        if let Some(start) = path.iter().position(|name| *name == spec.name) {
            path.push(&spec.name);
            return path[start..].iter().map(|name| (*name).to_owned()).collect();
        }
        path.push(&spec.name);
        at = spec
            .inputs
            .iter()
            .find_map(|(input, _)| waiting.iter().find(|other| other.name == *input));
    }
    path.into_iter().map(str::to_owned).collect()
}

/// Why the assets of a program do not fit together, or why a name means none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssetError {
    /// Two assets have one name.
    #[error("two assets are named `{asset}`: at {first} and at {second}; rename one of them")]
    Duplicate {
        /// The name.
        asset: String,
        /// The first place.
        first: String,
        /// The second place.
        second: String,
    },
    /// An input is unknown.
    #[error("asset `{asset}` at {location} reads `{input}`, which is not an asset")]
    UnknownInput {
        /// The asset.
        asset: String,
        /// Its place.
        location: String,
        /// The input.
        input: String,
    },
    /// Assets read each other.
    #[error("assets read each other in a circle: {}; remove one of these inputs", .assets.join(" -> "))]
    Circle {
        /// The assets, the first one again at the end.
        assets: Vec<String>,
    },
    /// Partitions are invalid.
    #[error("partitions of asset `{asset}` at {location}: {error}")]
    Partitions {
        /// The asset.
        asset: String,
        /// Its place.
        location: String,
        /// The reason.
        error: PeriodError,
    },
    /// The partitions of an asset and of its input do not fit.
    #[error("{0}")]
    Misfit(Box<Misfit>),
    /// No asset has this name.
    #[error(
        "no asset is named `{asset}`{}; {}",
        hint(.nearest),
        match known {
            0 => "this program has none".to_owned(),
            1 => "this program has 1 asset".to_owned(),
            known => format!("this program has {known} assets"),
        }
    )]
    Unknown {
        /// The name.
        asset: String,
        /// The most similar name.
        nearest: Option<String>,
        /// The number of assets.
        known: usize,
    },
    /// The asset is not materialized by a function.
    #[error("asset `{asset}` is not materialized by a function; {}", made_otherwise(.workflows))]
    MadeOtherwise {
        /// The asset.
        asset: String,
        /// The workflows that make it; none if it comes from outside.
        workflows: Vec<String>,
    },
    /// The workflows that may declare assets cannot be listed.
    #[error(transparent)]
    Registry(Box<registry::RegistryError>),
    /// The asset has no such partition.
    #[error("asset `{asset}`: {error}")]
    Partition {
        /// The asset.
        asset: String,
        /// The reason.
        error: PartitionError,
    },
}

fn made_otherwise(workflows: &[String]) -> String {
    match workflows {
        [] => "it comes from outside of this program".to_owned(),
        [one] => format!("run the workflow `{one}`"),
        several => format!("run one of the workflows `{}`", several.join("`, `")),
    }
}

/// Partitions of an asset and of its input that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "asset `{asset}` at {location} ({partitions}) cannot read `{input}` ({input_partitions}) \
     partition by partition: {why}"
)]
#[non_exhaustive]
pub struct Misfit {
    /// The asset.
    pub asset: String,
    /// Its place.
    pub location: String,
    /// Its partitions.
    pub partitions: String,
    /// The input.
    pub input: String,
    /// The partitions of the input.
    pub input_partitions: String,
    /// The reason, with the cure.
    pub why: &'static str,
}
