use proptest::prelude::*;

use super::*;

/// A pool with named limits of these sizes.
fn pool(sizes: &[usize]) -> (Pool<u32>, Vec<LimitId>) {
    let mut pool = Pool::new();
    let limits = sizes.iter().map(|size| pool.add(*size, Tier::Named)).collect();
    (pool, limits)
}

fn need(limit: LimitId, amount: usize) -> Need {
    Need { limit, amount }
}

/// Requests an amount of one limit. Returns the ticket, and whether it was granted.
fn ask(pool: &mut Pool<u32>, key: u32, limit: LimitId, amount: usize) -> (Ticket, bool) {
    ranked(pool, key, &[need(limit, amount)], 0)
}

fn ranked(pool: &mut Pool<u32>, key: u32, needs: &[Need], priority: i32) -> (Ticket, bool) {
    let admission = pool.acquire(key, needs, priority, &[]).expect("nobody lends anything");
    assert!(admission.grants.is_empty(), "nothing was given back");
    (admission.ticket, admission.granted)
}

/// Ends a claim, and returns the keys of those who get places.
fn end(pool: &mut Pool<u32>, ticket: Ticket) -> Vec<u32> {
    let freed = pool.release(ticket);
    pool.serve(freed).into_iter().map(|grant| grant.key).collect()
}

#[test]
fn permits_are_granted_first_come_first_served() {
    let (mut pool, limits) = pool(&[1]);
    let tickets: Vec<_> = (0..4).map(|key| ask(&mut pool, key, limits[0], 1)).collect();
    assert_eq!(
        tickets.iter().map(|(_, granted)| *granted).collect::<Vec<_>>(),
        [true, false, false, false]
    );
    assert_eq!(end(&mut pool, tickets[0].0), [1]);
    assert_eq!(end(&mut pool, tickets[2].0), [0; 0], "it leaves the line");
    assert_eq!(end(&mut pool, tickets[1].0), [3]);
}

#[test]
fn a_higher_priority_goes_before_an_older_request() {
    let (mut pool, limits) = pool(&[1]);
    let (first, _) = ask(&mut pool, 0, limits[0], 1);
    for (key, priority) in [(1, -5), (2, 0), (3, 9), (4, 9)] {
        ranked(&mut pool, key, &[need(limits[0], 1)], priority);
    }
    let mut order = Vec::new();
    let mut held = first;
    while {
        let freed = pool.release(held);
        let grants = pool.serve(freed);
        order.extend(grants.iter().map(|grant| grant.key));
        grants.first().is_some_and(|grant| {
            held = grant.ticket;
            true
        })
    } {}
    assert_eq!(order, [3, 4, 2, 1]);
}

#[test]
fn a_request_for_many_permits_is_not_overtaken() {
    let (mut pool, limits) = pool(&[4]);
    let ones: Vec<_> = (0..4).map(|key| ask(&mut pool, key, limits[0], 1).0).collect();
    ask(&mut pool, 10, limits[0], 4);
    ask(&mut pool, 11, limits[0], 1);
    for one in &ones[..3] {
        assert_eq!(end(&mut pool, *one), [0; 0]);
    }
    assert_eq!(end(&mut pool, ones[3]), [10]);
}

#[test]
fn a_request_above_the_limit_takes_all_permits() {
    let (mut pool, limits) = pool(&[2]);
    let (wide, granted) = ask(&mut pool, 0, limits[0], 99);
    assert!(granted);
    assert_eq!(pool.usage(limits[0]), Usage { size: 2, in_use: 2, waiting: 0 });
    pool.release(wide);
    pool.resize(limits[0], 5);
    assert_eq!(pool.usage(limits[0]).in_use, 0, "what was taken is given back, and no more");
}

#[test]
fn a_waiting_request_does_not_hold_its_other_limits() {
    let (mut pool, limits) = pool(&[1]);
    let (db, cpu) = (limits[0], pool.add(2, Tier::Machine));
    let (holder, _) = ask(&mut pool, 0, db, 1);
    let both = [need(cpu, 1), need(db, 1)];
    assert!(!ranked(&mut pool, 1, &both, 0).1);
    let one = ask(&mut pool, 2, cpu, 1);
    let other = ask(&mut pool, 3, cpu, 1);
    assert!(one.1 && other.1, "the processors are not kept for who waits for the database");
    // Now the database is free, and reserved until a processor is free.
    assert_eq!(end(&mut pool, holder), [0; 0]);
    assert!(!ask(&mut pool, 4, db, 1).1);
    assert!(!ask(&mut pool, 5, cpu, 1).1);
    assert_eq!(end(&mut pool, one.0), [1]);
    assert_eq!(end(&mut pool, other.0), [5]);
}

#[test]
fn no_request_waits_forever() {
    let (mut pool, limits) = pool(&[1]);
    let (mut held, _) = ask(&mut pool, 0, limits[0], 1);
    let low = [ranked(&mut pool, 1, &[need(limits[0], 1)], -9).0, {
        ranked(&mut pool, 2, &[need(limits[0], 1)], -9).0
    }];
    let mut order = Vec::new();
    for urgent in 100..200 {
        ranked(&mut pool, urgent, &[need(limits[0], 1)], 9);
        let freed = pool.release(held);
        let grants = pool.serve(freed);
        assert_eq!(grants.len(), 1);
        (held, _) = (grants[0].ticket, order.push(grants[0].key));
    }
    let places = [1, 2].map(|key| order.iter().position(|it| *it == key));
    let max_overtaken = MAX_OVERTAKEN as usize;
    assert_eq!(places, [Some(max_overtaken), Some(2 * max_overtaken + 1)], "{low:?}");
}

#[test]
fn a_holder_lends_its_permit_to_jobs_it_waits_for() {
    let (mut pool, limits) = pool(&[1]);
    let (parent, _) = ask(&mut pool, 0, limits[0], 1);
    let child = |pool: &mut Pool<u32>, key, lenders: &[Ticket]| {
        let admission = pool.acquire(key, &[need(limits[0], 1)], 0, lenders).expect("it is lent");
        (admission.ticket, admission.granted)
    };
    let first = child(&mut pool, 1, &[parent]);
    let second = child(&mut pool, 2, &[parent]);
    assert_eq!((first.1, second.1), (true, false), "one place is lent to one at a time");
    let grandchild = child(&mut pool, 3, &[first.0, parent]);
    assert!(grandchild.1, "and lent on");
    assert_eq!(pool.usage(limits[0]).in_use, 1);
    assert_eq!(end(&mut pool, grandchild.0), [0; 0]);
    assert_eq!(end(&mut pool, first.0), [2]);
    assert_eq!(end(&mut pool, second.0), [0; 0]);
    assert_eq!(pool.usage(limits[0]).in_use, 1, "the parent still has it");
    end(&mut pool, parent);
    assert_eq!(pool.usage(limits[0]).in_use, 0);
}

#[test]
fn a_loan_that_outlives_its_lender_is_freed_when_it_returns() {
    let (mut pool, limits) = pool(&[3]);
    let (parent, _) = ask(&mut pool, 0, limits[0], 2);
    let lenders = [parent];
    let borrow = |pool: &mut Pool<u32>, key, lenders: &[Ticket]| {
        pool.acquire(key, &[need(limits[0], 1)], 0, lenders).expect("it is lent")
    };
    let one = borrow(&mut pool, 1, &lenders);
    let inner = borrow(&mut pool, 2, &[one.ticket, parent]);
    let two = borrow(&mut pool, 3, &lenders);
    let late = borrow(&mut pool, 4, &lenders);
    assert!(one.granted && inner.granted && two.granted && !late.granted);
    // The waiter for a loan now waits for the limit, which has a free place.
    assert_eq!(end(&mut pool, parent), [4]);
    assert_eq!(pool.usage(limits[0]).in_use, 3);
    end(&mut pool, one.ticket);
    assert_eq!(pool.usage(limits[0]).in_use, 3, "the place is lent on");
    for ticket in [inner.ticket, two.ticket, late.ticket, parent, one.ticket] {
        end(&mut pool, ticket);
    }
    assert_eq!(pool.usage(limits[0]).in_use, 0);
    assert_eq!(pool.limits.iter().flatten().count(), 1, "no loan is left");
}

#[test]
fn a_loan_is_at_most_what_its_holder_has() {
    let (mut pool, limits) = pool(&[4]);
    let (parent, _) = ask(&mut pool, 0, limits[0], 1);
    let refused = pool.acquire(1, &[need(limits[0], 2)], 0, &[parent]);
    assert_eq!(refused, Err(LoanTooSmall { limit: limits[0], held: 1, wanted: 2 }));
    assert_eq!(pool.usage(limits[0]), Usage { size: 4, in_use: 1, waiting: 0 });
}

#[test]
fn a_claim_ends_once() {
    let (mut pool, limits) = pool(&[2]);
    let (one, _) = ask(&mut pool, 0, limits[0], 2);
    let (other, _) = ask(&mut pool, 1, limits[0], 1);
    for ticket in [one, one, other, other, one] {
        end(&mut pool, ticket);
    }
    assert_eq!(pool.usage(limits[0]), Usage { size: 2, in_use: 0, waiting: 0 });
}

/// A random operation on a pool.
#[derive(Debug, Clone)]
enum Step {
    Ask { needs: Vec<(usize, usize)>, priority: i32, inside_of: Option<usize> },
    End { claim: usize, serve: bool },
    Resize { limit: usize, size: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let needs = proptest::collection::vec((0_usize..4, 0_usize..5), 0..4);
    let step = prop_oneof![
        5 => (needs, -2..3, proptest::option::of(any::<usize>()))
            .prop_map(|(needs, priority, inside_of)| Step::Ask { needs, priority, inside_of }),
        4 => (any::<usize>(), prop::bool::weighted(0.8))
            .prop_map(|(claim, serve)| Step::End { claim, serve }),
        1 => (0_usize..4, 1_usize..5).prop_map(|(limit, size)| Step::Resize { limit, size }),
    ];
    proptest::collection::vec(step, 1..120)
}

fn waiters(pool: &Pool<u32>) -> impl Iterator<Item = (Ticket, &Waiter<u32>)> {
    pool.claims.iter().zip(0..).filter_map(|((number, claim), slot)| match claim {
        Claim::Waits(waiter) => Some((Ticket { number: *number, slot }, waiter)),
        Claim::None | Claim::Holds(_) => None,
    })
}

fn holders(pool: &Pool<u32>) -> impl Iterator<Item = (Ticket, &Holds)> {
    pool.claims.iter().zip(0..).filter_map(|((number, claim), slot)| match claim {
        Claim::Holds(holds) => Some((Ticket { number: *number, slot }, holds)),
        Claim::None | Claim::Waits(_) => None,
    })
}

/// The expected order of service, found the slow way: checks all waiters in order, again for each
/// grant.
fn served_by_the_book(pool: &Pool<u32>) -> Vec<Ticket> {
    struct Claim {
        rank: i64,
        overtaken: u32,
        needs: Needs,
    }
    let claim = |it: &Waiter<u32>| Claim {
        rank: it.rank,
        overtaken: it.overtaken,
        needs: it.needs.clone(),
    };
    let mut waiting: BTreeMap<Ticket, Claim> =
        waiters(pool).map(|(ticket, waiter)| (ticket, claim(waiter))).collect();
    let mut used: BTreeMap<LimitId, usize> = BTreeMap::new();
    let limits = (0..pool.limits.len()).filter(|at| pool.limits[*at].is_some());
    used.extend(limits.map(|at| (LimitId(at as u32), pool.limit(LimitId(at as u32)).used)));
    let mut served = Vec::new();
    'grant: loop {
        let mut order: Vec<_> =
            waiting.iter().map(|(ticket, it)| (Reverse(it.rank), *ticket)).collect();
        order.sort_unstable();
        let mut reserved: BTreeMap<LimitId, usize> = BTreeMap::new();
        let mut blocked: BTreeSet<LimitId> = BTreeSet::new();
        for (Reverse(rank), ticket) in order {
            let needs = waiting[&ticket].needs.clone();
            if needs.iter().any(|need| blocked.contains(&need.limit)) {
                continue;
            }
            let amount = |need: &Need| pool.limit(need.limit).fitting(need.amount);
            let lacking = needs.iter().position(|need| {
                let reserved_here = reserved.get(&need.limit).copied().unwrap_or(0);
                used[&need.limit] + reserved_here + amount(need) > pool.limit(need.limit).size
            });
            if let Some(at) = lacking {
                needs[..at].iter().for_each(|need| {
                    *reserved.entry(need.limit).or_insert(0) += amount(need);
                });
                blocked.insert(needs[at].limit);
                continue;
            }
            served.push(ticket);
            waiting.remove(&ticket);
            for need in &needs {
                *used.entry(need.limit).or_insert(0) += amount(need);
                let oldest = waiting.iter_mut().find(|(_, it)| {
                    rank < FIRST
                        && it.rank < rank
                        && it.needs.iter().any(|it| it.limit == need.limit)
                });
                if let Some((_, it)) = oldest.filter(|(older, _)| **older < ticket) {
                    it.overtaken += 1;
                    if it.overtaken >= MAX_OVERTAKEN {
                        it.rank = FIRST;
                    }
                }
            }
            continue 'grant;
        }
        return served;
    }
}

/// Asserts the invariants of a pool.
fn check(pool: &Pool<u32>, largest: &[usize]) {
    for (at, limit) in pool.limits.iter().enumerate() {
        let Some(limit) = limit else { continue };
        let id = LimitId(at as u32);
        let holds = holders(pool).flat_map(|(_, holds)| holds);
        let holds = holds.filter(|hold| hold.need.limit == id);
        let held: usize = holds.map(|hold| hold.need.amount).sum();
        let over =
            pool.limits.iter().flatten().filter(|loan| {
                loan.loan.as_ref().is_some_and(|loan| loan.is_over && loan.from == id)
            });
        let on_loan: usize = over.map(|loan| loan.used).sum();
        assert_eq!(limit.used, held + on_loan, "{id:?} is used by those who hold it");
        assert!(limit.used <= largest.get(at).copied().unwrap_or(limit.size));
        let waiting: Vec<Ticket> = limit.waiting.values().flatten().copied().collect();
        for ticket in &waiting {
            assert!(waits_for(pool, *ticket, id));
        }
        if let Some(Loan { is_over: true, .. }) = limit.loan {
            assert!(limit.used > 0 && waiting.is_empty(), "a loan that is over is forgotten");
        }
    }
    let in_lines: usize = pool.lines.values().map(BTreeSet::len).sum();
    assert_eq!(in_lines, waiters(pool).count());
    assert_eq!(in_lines + holders(pool).count() + pool.vacant.len(), pool.claims.len());
    assert!(pool.lines.values().all(|line| !line.is_empty()));
}

fn waits_for(pool: &Pool<u32>, ticket: Ticket, limit: LimitId) -> bool {
    let waiter = waiters(pool).find(|(other, _)| *other == ticket);
    waiter.is_some_and(|(_, waiter)| waiter.needs.iter().any(|need| need.limit == limit))
}

struct Trial {
    pool: Pool<u32>,
    limits: Vec<LimitId>,
    /// The largest size that each limit had.
    largest: Vec<usize>,
    /// Claims that have not ended, each with its outer claims.
    claims: Vec<(Ticket, Vec<Ticket>)>,
    /// Limits that were freed and not served yet.
    freed: Vec<LimitId>,
}

impl Trial {
    fn new() -> Self {
        let mut pool = Pool::new();
        let tiers = [Tier::Total, Tier::Named, Tier::Machine, Tier::Named];
        let largest = vec![3, 1, 4, 2];
        let limits =
            tiers.iter().zip(&largest).map(|(tier, size)| pool.add(*size, *tier)).collect();
        Self { pool, limits, largest, claims: Vec::new(), freed: Vec::new() }
    }

    fn serve(&mut self) {
        let expected = served_by_the_book(&self.pool);
        let served = self.pool.serve(std::mem::take(&mut self.freed));
        let served: Vec<_> = served.into_iter().map(|grant| grant.ticket).collect();
        assert_eq!(served, expected);
        assert_eq!(served_by_the_book(&self.pool), [], "whoever can be served is");
    }

    fn release(&mut self, ticket: Ticket) {
        self.freed.extend(self.pool.release(ticket));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Ask { needs, priority, inside_of } => {
                let needs: Vec<_> = needs
                    .iter()
                    .map(|(limit, amount)| need(self.limits[*limit], *amount))
                    .collect();
                let holds = |ticket| holders(&self.pool).any(|(holder, _)| holder == ticket);
                let outer: Vec<_> =
                    self.claims.iter().filter(|(ticket, _)| holds(*ticket)).collect();
                let lenders = inside_of.filter(|_| !outer.is_empty()).map(|at| {
                    let (ticket, outer) = outer[at % outer.len()];
                    [&[*ticket][..], outer].concat()
                });
                let lenders = lenders.unwrap_or_default();
                let before = self.pool.vacant.len();
                let claims = self.pool.claims.len();
                match self.pool.acquire(0, &needs, priority, &lenders) {
                    Ok(admission) => self.claims.push((admission.ticket, lenders)),
                    Err(refused) => {
                        assert!(refused.held < refused.wanted);
                        assert_eq!(
                            (self.pool.vacant.len(), self.pool.claims.len()),
                            (before, claims)
                        );
                    }
                }
            }
            Step::End { claim, serve } if !self.claims.is_empty() => {
                let (ticket, _) = self.claims.swap_remove(claim % self.claims.len());
                self.release(ticket);
                self.release(ticket);
                if serve {
                    self.serve();
                }
            }
            Step::End { .. } => {}
            Step::Resize { limit, size } => {
                self.largest[limit] = self.largest[limit].max(size);
                self.pool.resize(self.limits[limit], size);
                self.freed.push(self.limits[limit]);
                self.serve();
            }
        }
        check(&self.pool, &self.largest);
    }

    /// Asserts that nobody holds or waits for anything.
    fn assert_idle(&self) {
        assert_eq!((holders(&self.pool).count(), waiters(&self.pool).count()), (0, 0));
        assert_eq!(self.pool.limits.iter().flatten().count(), self.limits.len(), "no loan is left");
        for limit in &self.limits {
            let Usage { in_use, waiting, .. } = self.pool.usage(*limit);
            assert_eq!((in_use, waiting), (0, 0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Whatever the order of requests, loans and ends: service follows the rules, and in the end
    /// all places are free.
    #[test]
    fn all_permits_are_free_in_the_end(steps in steps(), order in any::<u64>()) {
        let mut trial = Trial::new();
        steps.into_iter().for_each(|step| trial.step(step));
        let mut random = order;
        while !trial.claims.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            trial.step(Step::End { claim: (random >> 33) as usize, serve: true });
        }
        trial.assert_idle();
    }

    /// If every holder ends some day, every waiter gets its places some day.
    #[test]
    fn every_request_is_served(steps in steps()) {
        let mut trial = Trial::new();
        steps.into_iter().for_each(|step| trial.step(step));
        trial.serve();
        // Inner claims end before their outer claims, as jobs do.
        while let Some(ticket) = holders(&trial.pool).map(|(ticket, _)| ticket).max() {
            trial.release(ticket);
            trial.serve();
            check(&trial.pool, &trial.largest);
        }
        trial.assert_idle();
    }

    /// However many requests of a higher priority come, the oldest is overtaken a bounded number of
    /// times.
    #[test]
    fn the_oldest_request_is_overtaken_a_bounded_number_of_times(
        size in 1_usize..4,
        amount in 1_usize..4,
        arrivals in proptest::collection::vec((1_usize..4, 0_i32..9, any::<usize>()), 300),
    ) {
        let (mut pool, limits) = pool(&[size]);
        let mut held = vec![ask(&mut pool, 0, limits[0], size).0];
        let (low, granted) = ranked(&mut pool, 1, &[need(limits[0], amount)], -5);
        prop_assert!(!granted);
        let mut overtaken = 0;
        for (amount, priority, leaves) in arrivals {
            let needs = [need(limits[0], amount)];
            let admission = pool.acquire(2, &needs, priority, &[]).expect("nobody lends anything");
            if admission.granted {
                overtaken += 1;
                held.push(admission.ticket);
            }
            let leaves = held.swap_remove(leaves % held.len());
            let freed = pool.release(leaves);
            let grants = pool.serve(freed);
            held.extend(grants.iter().map(|grant| grant.ticket));
            if let Some(at) = grants.iter().position(|grant| grant.ticket == low) {
                overtaken += at;
                break;
            }
            overtaken += grants.len();
            if held.is_empty() {
                break;
            }
        }
        prop_assert!(overtaken <= MAX_OVERTAKEN as usize, "overtaken over {overtaken} times");
        prop_assert!(held.contains(&low));
    }
}
