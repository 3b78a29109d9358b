//! Plans of made-up assets, against a model that makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use workflow_cron::{Period, Periods};

use super::*;
use crate::asset::{AssetState, Reads};
use crate::id::RunId;
use crate::store::{InputVersion, MaterializationDetails};

fn now() -> SystemTime {
    // 2026-01-31T12:00:00Z
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_860_800)
}

fn spec(name: &str, partitions: Partitions, inputs: &[(&str, Reads)]) -> AssetSpec {
    AssetSpec {
        name: name.to_owned(),
        description: None,
        maker: Maker::Function,
        code_version: "1".to_owned(),
        partitions,
        freshness: None,
        inputs: inputs.iter().map(|(input, reads)| ((*input).to_owned(), *reads)).collect(),
        checks: Vec::new(),
        location: "assets.rs:1:1".to_owned(),
    }
}

fn periods(period: Period, first: &str) -> Partitions {
    Partitions::Periods(Periods::new(period, first, None).expect("valid periods"))
}

fn daily() -> Partitions {
    periods(Period::Day, "2026-01-01")
}

/// Three assets of 30 days, each made from the one before, and a total.
fn specs() -> Vec<AssetSpec> {
    vec![
        spec("raw", daily(), &[]),
        spec("orders", daily(), &[("raw", Reads::Same)]),
        spec("revenue", daily(), &[("orders", Reads::Same)]),
        spec("total", Partitions::None, &[("revenue", Reads::All)]),
    ]
}

/// A world in which assets are made: each value is a function of the code and of the inputs.
struct World {
    graph: Arc<AssetGraph>,
    records: Records,
}

impl World {
    fn new(specs: Vec<AssetSpec>) -> Self {
        Self {
            graph: Arc::new(AssetGraph::new(specs).expect("assets that fit")),
            records: Records::new(),
        }
    }

    fn plan(&self) -> MaterializationPlan {
        plan(&Request::everything(Arc::clone(&self.graph), now()), &self.records)
    }

    /// Makes the steps of a plan in their order, and returns those that were not unchanged.
    fn carry_out(
        &mut self,
        plan: &MaterializationPlan,
        value: impl Fn(&AssetSpec, &[InputVersion]) -> String,
    ) -> Vec<String> {
        let mut made = Vec::new();
        for step in &plan.steps {
            let number = self.graph.number(&step.asset).expect("known");
            let partition = self.graph.partition(&step.asset, &step.partition).expect("known");
            let inputs = self.graph.inputs_of(number, &partition, now());
            let inputs: Vec<InputVersion> = inputs
                .iter()
                .map(|(input, inner)| {
                    let asset = self.graph.assets()[*input].name.clone();
                    let known = self.records.get(&(asset.clone(), inner.key().to_owned()));
                    let known = known.expect("inputs are made first");
                    assert_eq!(known.files, Files::AsRecorded, "inputs are made first");
                    let data_version = known.made.data_version.clone();
                    InputVersion { asset, partition: inner.key().to_owned(), data_version }
                })
                .collect();
            let states: Vec<InputState> = inputs
                .iter()
                .map(|input| InputState {
                    asset: input.asset.clone(),
                    partition: input.partition.clone(),
                    version: Some(input.data_version.clone()),
                    is_planned: false,
                })
                .collect();
            let spec = &self.graph.assets()[number];
            let key = (step.asset.clone(), step.partition.clone());
            if reasons(spec, self.records.get(&key), &states).is_empty() {
                continue;
            }
            let record = Materialization {
                asset: step.asset.clone(),
                partition: step.partition.clone(),
                run: RunId::from_u128(1),
                made_at: now(),
                is_refused: false,
                code_version: spec.code_version.clone(),
                data_version: value(spec, &inputs),
                details: MaterializationDetails { inputs, ..MaterializationDetails::default() },
            };
            self.records.insert(key, Known { made: record, files: Files::AsRecorded });
            made.push(named(&step.asset, &step.partition));
        }
        made
    }

    fn change(&mut self, asset: &str) {
        let mut specs = self.graph.assets().to_vec();
        for spec in specs.iter_mut().filter(|spec| spec.name == asset) {
            spec.code_version.push('*');
        }
        self.graph = Arc::new(AssetGraph::new(specs).expect("assets that fit"));
    }

    fn forget(&mut self, asset: &str, partition: &str) {
        self.records.remove(&(asset.to_owned(), partition.to_owned()));
    }
}

/// A value that depends on everything that it is made from.
fn distinct(spec: &AssetSpec, inputs: &[InputVersion]) -> String {
    let inputs: Vec<&str> = inputs.iter().map(|input| input.data_version.as_str()).collect();
    let text = format!("{}{}{}", spec.name, spec.code_version, inputs.join(","));
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()).to_string()
}

fn names(plan: &MaterializationPlan) -> Vec<String> {
    plan.steps.iter().map(|step| named(&step.asset, &step.partition)).collect()
}

fn why(plan: &MaterializationPlan, asset: &str, partition: &str) -> String {
    let step =
        plan.steps.iter().find(|step| (&*step.asset, &*step.partition) == (asset, partition));
    let reasons =
        step.map(|step| step.reasons.iter().map(StaleReason::to_string).collect::<Vec<_>>());
    reasons.map_or_else(|| "current".to_owned(), |reasons| reasons.join("; "))
}

#[test]
fn exactly_what_is_missing_is_made_with_its_descendants() {
    let mut world = World::new(specs());
    let first = world.plan();
    assert_eq!(first.steps.len(), 91);
    assert_eq!(world.carry_out(&first, distinct).len(), 91);
    let again = world.plan();
    assert_eq!((again.steps.len(), again.current.len()), (0, 91));

    for (asset, day) in [
        ("raw", "2026-01-04"),
        ("orders", "2026-01-09"),
        ("orders", "2026-01-10"),
        ("revenue", "2026-01-30"),
    ] {
        world.forget(asset, day);
    }
    let missing = world.plan();
    let expected = [
        "raw[2026-01-04]",
        "orders[2026-01-04]",
        "orders[2026-01-09]",
        "orders[2026-01-10]",
        "revenue[2026-01-04]",
        "revenue[2026-01-09]",
        "revenue[2026-01-10]",
        "revenue[2026-01-30]",
        "total",
    ];
    assert_eq!(names(&missing), expected);
    assert_eq!(why(&missing, "raw", "2026-01-04"), "never materialized");
    assert_eq!(
        why(&missing, "orders", "2026-01-04"),
        "input is materialized again: raw[2026-01-04]"
    );
    assert_eq!(
        why(&missing, "total", ""),
        "input is materialized again: revenue[2026-01-04] and 3 more"
    );
    // The values are as before, so that nothing else changes.
    let made = world.carry_out(&missing, distinct);
    assert_eq!(
        made,
        ["raw[2026-01-04]", "orders[2026-01-09]", "orders[2026-01-10]", "revenue[2026-01-30]"]
    );
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_changed_function_is_called_again_with_its_descendants() {
    let mut world = World::new(specs());
    let first = world.plan();
    world.carry_out(&first, distinct);
    world.change("orders");
    let plan = world.plan();
    assert_eq!(plan.steps.len(), 61);
    assert!(plan.current.iter().all(|(asset, _)| asset == "raw"));
    assert_eq!(why(&plan, "orders", "2026-01-07"), "code changed (1 -> 1*)");
    assert_eq!(world.carry_out(&plan, distinct).len(), 61);
    assert!(world.plan().steps.is_empty());
}

#[test]
fn equal_output_makes_no_descendant_stale() {
    let mut world = World::new(specs());
    let constant = |spec: &AssetSpec, _: &[InputVersion]| spec.name.clone();
    let first = world.plan();
    world.carry_out(&first, constant);
    world.change("raw");
    let plan = world.plan();
    assert_eq!(plan.steps.len(), 91);
    let made = world.carry_out(&plan, constant);
    assert!(made.len() == 30 && made.iter().all(|name| name.starts_with("raw")), "{made:?}");
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_month_is_made_from_its_days() {
    let mut world = World::new(vec![
        spec("days", periods(Period::Day, "2025-12-30"), &[]),
        spec("months", periods(Period::Month, "2025-12"), &[("days", Reads::All)]),
    ]);
    let plan = world.plan();
    // January has not ended.
    assert_eq!(plan.steps.last().map(|step| &*step.partition), Some("2025-12"));
    world.carry_out(&plan, distinct);
    let month = &world.records[&("months".to_owned(), "2025-12".to_owned())];
    let days: Vec<&str> =
        month.made.details.inputs.iter().map(|input| input.partition.as_str()).collect();
    assert_eq!(days, ["2025-12-30", "2025-12-31"]);
}

#[test]
fn a_request_selects_partitions_and_what_they_need() -> Result<(), RequestError> {
    let world = World::new(specs());
    let planned = |request: &Request| names(&plan(request, &world.records));
    let mut one = Request::new(Arc::clone(&world.graph), now());
    one.partition("orders", "2026-01-05")?;
    assert_eq!(planned(&one), ["raw[2026-01-05]", "orders[2026-01-05]"]);
    let mut range = Request::new(Arc::clone(&world.graph), now());
    range.range("raw", Some("2026-01-28"), None)?;
    assert_eq!(planned(&range), ["raw[2026-01-28]", "raw[2026-01-29]", "raw[2026-01-30]"]);
    range.range("raw", Some("2026-01-28"), Some("2026-01-28"))?;
    assert_eq!(planned(&range), ["raw[2026-01-28]"]);
    range.range("raw", Some("2026-01-30"), Some("2026-02-02"))?;
    assert_eq!(planned(&range), ["raw[2026-01-30]"]);
    let mut latest = Request::new(Arc::clone(&world.graph), now());
    latest.latest("raw")?;
    assert_eq!(planned(&latest), ["raw[2026-01-30]"]);

    let mut refused = Request::new(Arc::clone(&world.graph), now());
    let error = |result: Result<(), RequestError>| result.expect_err("refused").to_string();
    assert_eq!(
        error(refused.partition("orders", "2026-01-31")),
        "partition `2026-01-31` of asset `orders` ends at 2026-02-01T00:00:00Z; materialize it after that"
    );
    assert_eq!(
        error(refused.partition("order", "2026-01-01")),
        "no asset is named `order` (did you mean `orders`?); this program has 4 assets"
    );
    assert!(error(refused.partition("total", "2026-01-01")).contains("has no partitions"));
    assert!(error(refused.range("raw", Some("2025-12-31"), None)).contains("before the first"));
    for to in ["2026-01-02", "2026-01-27"] {
        assert_eq!(
            error(refused.range("raw", Some("2026-01-28"), Some(to))),
            format!(
                "the range from `2026-01-28` to `{to}` is empty; name the earlier partition first"
            )
        );
    }
    assert_eq!(
        error(refused.range("raw", Some("2026-01-31"), None)),
        "partition `2026-01-31` of asset `raw` ends at 2026-02-01T00:00:00Z; materialize it after that"
    );
    assert_eq!(planned(&refused), [""; 0]);
    Ok(())
}

#[test]
fn force_and_age_are_reasons_for_what_is_wanted() -> Result<(), RequestError> {
    let mut specs = specs();
    specs[3].freshness = Some(Duration::from_secs(3600));
    let mut world = World::new(specs);
    let first = world.plan();
    world.carry_out(&first, distinct);
    let mut forced = Request::new(Arc::clone(&world.graph), now()).forced(true);
    forced.partition("orders", "2026-01-05")?;
    let again = plan(&forced, &world.records);
    assert_eq!(
        (names(&again), why(&again, "orders", "2026-01-05")),
        (vec!["orders[2026-01-05]".to_owned()], "forced".to_owned())
    );
    assert!(again.to_input()?.steps[0].force);

    let later = now() + Duration::from_secs(2 * 3600);
    let mut old = Request::new(Arc::clone(&world.graph), later);
    old.latest("total")?;
    assert!(plan(&old, &world.records).steps.is_empty());
    let old = plan(&old.with_overdue(true), &world.records);
    assert_eq!(why(&old, "total", ""), "made too long ago (2 h)");
    for (seconds, text) in [(59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h")] {
        let overdue = StaleReason::Overdue { age: Duration::from_secs(seconds) };
        assert_eq!(overdue.to_string(), format!("made too long ago ({text})"));
    }
    Ok(())
}

#[test]
fn an_asset_is_overdue_when_the_newest_period_that_is_late_was_never_made() {
    let hour = Duration::from_secs(3600);
    for (freshness, late) in [(6, "2026-01-30"), (24, "2026-01-29"), (36, "2026-01-28")] {
        let mut raw = spec("raw", daily(), &[]);
        raw.freshness = Some(hour * freshness);
        let mut world = World::new(vec![raw]);
        let first = world.plan();
        world.carry_out(&first, distinct);
        let is_overdue = |world: &World| {
            let request = Request::everything(Arc::clone(&world.graph), now());
            Examined::new(&request, request.needed(), world.records.clone()).states()[0].is_overdue
        };
        assert!(!is_overdue(&world), "everything was made");
        for day in ["2026-01-28", "2026-01-29", "2026-01-30"] {
            world.forget("raw", day);
            assert_eq!(is_overdue(&world), day >= late, "{freshness} h, without {day}");
        }
        // A newer one does not stand for it, and an older one does not matter.
        let plan = world.plan();
        world.carry_out(&plan, distinct);
        world.forget("raw", "2026-01-02");
        assert!(!is_overdue(&world), "{freshness} h");
        world.forget("raw", late);
        assert!(is_overdue(&world), "{freshness} h");
    }
}

#[test]
fn the_state_of_an_asset_counts_the_reasons() {
    let mut world = World::new(specs());
    let first = world.plan();
    world.carry_out(&first, distinct);
    world.forget("revenue", "2026-01-03");
    world.forget("raw", "2026-01-29");
    let request = Request::everything(Arc::clone(&world.graph), now());
    let examined = Examined::new(&request, request.needed(), world.records.clone());
    let states = examined.states();
    let reasons = |asset: &str| -> Vec<String> {
        let state = states.iter().find(|state| state.spec.name == asset).expect("an asset");
        state.reasons().iter().map(|(reason, count)| format!("{count} {reason}")).collect()
    };
    assert_eq!(reasons("raw"), ["1 never materialized"]);
    assert_eq!(reasons("orders"), ["1 input is materialized again: raw[2026-01-29]"]);
    assert_eq!(
        reasons("revenue"),
        ["1 input is materialized again: orders[2026-01-29]", "1 never materialized"]
    );
    assert_eq!(reasons("total"), ["1 input is materialized again: revenue[2026-01-03] and 1 more"]);
}

#[test]
fn an_asset_is_there_before_its_first_period_has_ended() {
    let world = World::new(vec![
        spec("old", daily(), &[]),
        spec("young", periods(Period::Day, "2026-03-01"), &[("old", Reads::Same)]),
    ]);
    let names = |request: &Request| -> Vec<String> {
        let examined = Examined::new(request, request.needed(), world.records.clone());
        let states = examined.states();
        let text =
            |state: &AssetState<'_>| format!("{} {}", state.spec.name, state.partitions.len());
        states.iter().map(text).collect()
    };
    assert_eq!(names(&Request::everything(Arc::clone(&world.graph), now())), ["old 30", "young 0"]);
    let mut one = Request::new(Arc::clone(&world.graph), now());
    one.range("young", None, None).expect("all of none");
    assert_eq!(names(&one), ["young 0"]);
}

#[test]
fn assets_that_do_not_fit_are_refused() {
    let refused = |specs| AssetGraph::new(specs).expect_err("refused").to_string();
    let same = &[("raw", Reads::Same)][..];
    assert_eq!(
        refused(vec![
            spec("a", Partitions::None, &[("b", Reads::Same)]),
            spec("b", Partitions::None, &[("a", Reads::Same)])
        ]),
        "assets read each other in a circle: a -> b -> a; remove one of these inputs"
    );
    assert_eq!(
        refused(vec![spec("raw", daily(), &[]), spec("raw", daily(), &[])]),
        "two assets are named `raw`: at assets.rs:1:1 and at assets.rs:1:1; rename one of them"
    );
    let early = periods(Period::Day, "2025-12-01");
    let error = refused(vec![spec("raw", daily(), &[]), spec("orders", early, same)]);
    assert!(
        error.contains("asset `orders` at assets.rs:1:1 (daily from 2025-12-01) cannot read `raw`"),
        "{error}"
    );
    for partitions in [
        periods(Period::Month, "2026-01"),
        Partitions::Keys(vec!["eu".to_owned()]),
        Partitions::None,
    ] {
        let error = refused(vec![spec("raw", daily(), &[]), spec("orders", partitions, same)]);
        assert!(error.contains("`All<T>`"), "{error}");
    }
    assert!(refused(vec![spec("orders", daily(), same)]).contains("which is not an asset"));
}

/// Random assets, of which each reads some of those before it.
fn any_specs() -> impl Strategy<Value = Vec<AssetSpec>> {
    let one = (0..3_u8, any::<u8>(), any::<bool>());
    proptest::collection::vec(one, 1..7).prop_map(|drawn| {
        let mut specs: Vec<AssetSpec> = Vec::new();
        for (number, (kind, reads, all)) in drawn.into_iter().enumerate() {
            let partitions = match kind {
                0 => Partitions::None,
                1 => periods(Period::Day, "2026-01-25"),
                _ => Partitions::Keys(vec!["eu".to_owned(), "us".to_owned()]),
            };
            let mut new = spec(&format!("a{number}"), partitions, &[]);
            for other in specs.iter().enumerate().filter(|(at, _)| reads >> at & 1 == 1) {
                let other = other.1;
                let fits = other.partitions.misfit(&new.partitions).is_none();
                let reads = if fits && (!all || other.partitions.is_none()) {
                    Reads::Same
                } else {
                    Reads::All
                };
                new.inputs.push((other.name.clone(), reads));
            }
            specs.push(new);
        }
        specs
    })
}

/// What happens before a plan: a record is lost, a file is lost, or a function changes.
fn any_accidents() -> impl Strategy<Value = Vec<(u8, usize)>> {
    proptest::collection::vec((0..3_u8, any::<usize>()), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A plan makes everything that is not current and that it can reach from there, after its
    /// inputs, and nothing else. After it, nothing is left to do.
    #[test]
    fn a_plan_is_complete_minimal_and_final(specs in any_specs(), accidents in any_accidents(), is_constant in any::<bool>()) {
        let value = |spec: &AssetSpec, inputs: &[InputVersion]| match is_constant {
            true => spec.name.clone(),
            false => distinct(spec, inputs),
        };
        let mut world = World::new(specs);
        let first = world.plan();
        prop_assert!(first.current.is_empty());
        prop_assert_eq!(world.carry_out(&first, value).len(), first.steps.len());
        let everything: Vec<(String, String)> =
            first.steps.iter().map(|step| (step.asset.clone(), step.partition.clone())).collect();

        let mut stale: BTreeSet<(String, String)> = BTreeSet::new();
        for (kind, at) in accidents {
            let (asset, key) = everything[at % everything.len()].clone();
            match kind {
                0 => world.forget(&asset, &key),
                1 => match world.records.get_mut(&(asset.clone(), key.clone())) {
                    Some(known) => known.files = Files::Missing,
                    None => continue,
                },
                _ => {
                    world.change(&asset);
                    stale.extend(everything.iter().filter(|(other, _)| *other == asset).cloned());
                    continue;
                }
            }
            stale.insert((asset, key));
        }
        // The model: everything that is made from something stale, found from the inputs.
        let mut inputs_of: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
        for (asset, key) in &everything {
            let number = world.graph.number(asset).expect("known");
            let partition = world.graph.partition(asset, key).expect("known");
            let inputs = world.graph.inputs_of(number, &partition, now());
            let named = inputs.iter().map(|(at, inner)| (world.graph.assets()[*at].name.clone(), inner.key().to_owned()));
            inputs_of.insert((asset.clone(), key.clone()), named.collect());
        }
        let mut expected = stale.clone();
        loop {
            let more: Vec<_> = inputs_of
                .iter()
                .filter(|(one, inputs)| !expected.contains(*one) && inputs.iter().any(|input| expected.contains(input)))
                .map(|(one, _)| one.clone())
                .collect();
            if more.is_empty() { break; }
            expected.extend(more);
        }

        let plan = world.plan();
        let planned: Vec<(String, String)> =
            plan.steps.iter().map(|step| (step.asset.clone(), step.partition.clone())).collect();
        prop_assert_eq!(planned.iter().cloned().collect::<BTreeSet<_>>(), expected);
        prop_assert_eq!(plan.steps.len() + plan.current.len(), everything.len());
        prop_assert!(plan.steps.iter().all(|step| !step.reasons.is_empty()));
        for (at, one) in planned.iter().enumerate() {
            let first_is_later = |input: &(String, String)| planned.iter().position(|other| other == input).is_some_and(|place| place > at);
            prop_assert!(!inputs_of[one].iter().any(first_is_later), "{one:?} comes before an input");
        }
        let made = world.carry_out(&plan, value);
        // Everything stale is made; the rest only if a value has changed.
        for (asset, key) in &stale {
            prop_assert!(made.contains(&named(asset, key)));
        }
        if is_constant {
            prop_assert_eq!(made.len(), stale.len());
        }
        prop_assert!(world.plan().steps.is_empty());
    }
}
