//! The assets of a program, checked and in order.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use workflow_cron::PeriodError;

use super::{AssetEntry, Partition, PartitionError, Partitions, Reads};
use crate::id::{hint, nearest};
use crate::registry::Location;

/// An asset as a plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetSpec {
    /// The name.
    pub name: String,
    /// The version of the function.
    pub code_version: String,
    /// The partitions.
    pub partitions: Partitions,
    /// The age from which a value counts as overdue.
    pub freshness: Option<Duration>,
    /// The assets that it reads.
    pub inputs: Vec<(String, Reads)>,
    /// The location of the attribute.
    pub location: Location,
}

/// Assets in an order in which each comes after its inputs.
#[derive(Debug, Clone)]
pub struct AssetGraph {
    assets: Vec<AssetSpec>,
    /// The inputs of each asset, by number.
    inputs: Vec<Vec<(usize, Reads)>>,
    numbers: HashMap<String, usize>,
}

/// Returns the assets of this program.
///
/// # Errors
///
/// Fails when they do not fit together.
pub fn graph() -> Result<&'static AssetGraph, AssetError> {
    static GRAPH: OnceLock<Result<AssetGraph, AssetError>> = OnceLock::new();
    let linked = || {
        let specs = AssetEntry::all().map(AssetSpec::declared).collect::<Result<_, _>>();
        AssetGraph::new(specs?)
    };
    GRAPH.get_or_init(linked).as_ref().map_err(Clone::clone)
}

/// Returns the declaration of an asset of this program.
///
/// # Errors
///
/// Fails when there is none of this name, and when the assets do not fit together.
pub fn entry(name: &str) -> Result<&'static AssetEntry, AssetError> {
    let graph = graph()?;
    AssetEntry::named(name).ok_or_else(|| graph.unknown(name))
}

impl AssetSpec {
    fn declared(entry: &AssetEntry) -> Result<Self, AssetError> {
        let partitions = Partitions::declared(&entry.partitions).map_err(|error| {
            let (asset, location) = (entry.name.to_owned(), entry.location);
            AssetError::Partitions { asset, location, error }
        })?;
        Ok(Self {
            name: entry.name.to_owned(),
            code_version: entry.short_version(),
            partitions,
            freshness: entry.freshness,
            inputs: entry
                .inputs
                .iter()
                .map(|input| (input.asset.to_owned(), input.reads))
                .collect(),
            location: entry.location,
        })
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
            let key = |spec: &AssetSpec| (spec.location.file, spec.location.line);
            let (one, other) = (&pair[0], &pair[1]);
            let (first, second) = if key(one) <= key(other) { (one, other) } else { (other, one) };
            let (first, second) = (first.location, second.location);
            return Err(AssetError::Duplicate { asset: one.name.clone(), first, second });
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

    /// The numbers of the assets that read an asset, in order.
    pub fn readers(&self, asset: usize) -> impl Iterator<Item = usize> + '_ {
        let reads = move |inputs: &&Vec<(usize, Reads)>| inputs.iter().any(|(at, _)| *at == asset);
        self.inputs.iter().enumerate().filter(move |(_, inputs)| reads(inputs)).map(|(at, _)| at)
    }

    /// The partitions of other assets that a partition is made from, at a time.
    pub(super) fn inputs_of(
        &self,
        asset: usize,
        partition: &Partition,
        now: SystemTime,
    ) -> Vec<(usize, Partition)> {
        let mut found = Vec::new();
        for (input, reads) in &self.inputs[asset] {
            let partitions = &self.assets[*input].partitions;
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
                        location: spec.location,
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
fn ordered(mut waiting: Vec<AssetSpec>) -> Result<Vec<AssetSpec>, AssetError> {
    let known: Vec<String> = waiting.iter().map(|spec| spec.name.clone()).collect();
    for spec in &waiting {
        if let Some((input, _)) = spec.inputs.iter().find(|(input, _)| !known.contains(input)) {
            let (asset, location) = (spec.name.clone(), spec.location);
            return Err(AssetError::UnknownInput { asset, location, input: input.clone() });
        }
    }
    let mut ordered: Vec<AssetSpec> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_there = |name: &String| ordered.iter().any(|spec| spec.name == *name);
        let ready = |spec: &AssetSpec| spec.inputs.iter().all(|(input, _)| is_there(input));
        match waiting.iter().position(ready) {
            Some(next) => ordered.push(waiting.remove(next)),
            None => return Err(AssetError::Circle { assets: circle(&waiting) }),
        }
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
        first: Location,
        /// The second place.
        second: Location,
    },
    /// An input is unknown.
    #[error("asset `{asset}` at {location} reads `{input}`, which is not an asset")]
    UnknownInput {
        /// The asset.
        asset: String,
        /// Its place.
        location: Location,
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
        location: Location,
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
    /// The asset has no such partition.
    #[error("asset `{asset}`: {error}")]
    Partition {
        /// The asset.
        asset: String,
        /// The reason.
        error: PartitionError,
    },
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
    pub location: Location,
    /// Its partitions.
    pub partitions: String,
    /// The input.
    pub input: String,
    /// The partitions of the input.
    pub input_partitions: String,
    /// The reason, with the cure.
    pub why: &'static str,
}
