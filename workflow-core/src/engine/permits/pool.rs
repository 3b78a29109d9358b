//! A pool of limits: who holds places, who waits, and who is next.
//!
//! Plain data without async code, clock, lock or I/O, and without knowledge of runs. The caller
//! identifies a waiter by a key. Every change is one call. After a call that frees places,
//! [`Pool::serve`] returns who gets them.
//!
//! - **All or nothing.** A waiter gets the places of all its limits at once, and holds none before.
//! - **Order.** Higher priority first, then first come, first served.
//! - **Wide requests.** In that order, each waiter reserves what it needs, limit by limit in a
//!   fixed order ([`Tier`]), up to and including the first limit that has too little. Waiters
//!   behind it get nothing of what is reserved, and nothing of that last limit. Places of later
//!   limits stay free for others, so that a job that waits for a database does not keep processors
//!   idle.
//! - **Ageing.** At most [`MAX_OVERTAKEN`] waiters of a higher priority overtake the one that has
//!   waited longest for a limit. Then it is first, whatever its priority.
//! - **Loans.** A holder lends its places to waiters that name it as a lender. The loan is a limit
//!   of its own, as large as what the lender holds. If a lender leaves while places are on loan,
//!   they are freed when the borrowers release them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use smallvec::SmallVec;

/// How many waiters of a higher priority may overtake the one that has waited longest for a limit.
pub(super) const MAX_OVERTAKEN: u32 = 16;

/// A limit of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct LimitId(u32);

/// Identifies the claim of a waiter or holder, in the order of arrival. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Ticket {
    number: u64,
    /// The index of the claim while it exists.
    slot: u32,
}

/// The order in which a waiter reserves what it needs: the scarcest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// Named limits of engines and workflows.
    Named,
    /// Limits of the machine.
    Machine,
    /// The limit on all jobs of an engine.
    Total,
}

/// An amount of a limit. More than the size of the limit means all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) limit: LimitId,
    pub(super) amount: usize,
}

/// The needs of one waiter, in the order in which it reserves them, one for each limit.
pub(super) type Needs = SmallVec<[Need; 2]>;

/// A waiter that gets its places now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Grant<K> {
    pub(in crate::engine) ticket: Ticket,
    pub(in crate::engine) key: K,
}

/// The result of a request for places.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admission<K> {
    pub(super) ticket: Ticket,
    /// Whether it has its places. Otherwise it waits.
    pub(super) granted: bool,
    /// Other waiters that get places which were freed before.
    pub(super) grants: Vec<Grant<K>>,
}

/// A lender holds less of the limit than is needed. Waiting for more could be a deadlock, because
/// the lender may wait for the borrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoanTooSmall {
    pub(super) limit: LimitId,
    pub(super) held: usize,
    pub(super) wanted: usize,
}

/// The usage of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) size: usize,
    pub(super) in_use: usize,
    pub(super) waiting: usize,
}

/// Limits, holders and waiters.
pub(super) struct Pool<K> {
    limits: Vec<Option<Limit>>,
    /// Claims of holders and waiters, each with the number of its ticket.
    claims: Vec<(u64, Claim<K>)>,
    vacant: Vec<u32>,
    /// Waiters in order, by what they need.
    lines: BTreeMap<Needs, BTreeSet<Turn>>,
    tickets: u64,
}

struct Limit {
    size: usize,
    used: usize,
    tier: Tier,
    /// Waiters, by rank and age.
    waiting: BTreeMap<i64, BTreeSet<Ticket>>,
    /// For places on loan: where they come from.
    loan: Option<Loan>,
}

struct Loan {
    from: LimitId,
    /// The original limit, at the end of a chain of lenders.
    root: LimitId,
    /// Whether the lender has left. Places that come back then return to `from`.
    is_over: bool,
}

enum Claim<K> {
    None,
    Waits(Waiter<K>),
    Holds(Holds),
}

struct Hold {
    need: Need,
    root: LimitId,
    /// The loan of these places, once they are lent.
    lent: Option<LimitId>,
}

type Holds = SmallVec<[Hold; 2]>;

struct Waiter<K> {
    key: K,
    needs: Needs,
    rank: i64,
    /// How many waiters of a higher rank have overtaken it while it was the oldest below them.
    overtaken: u32,
}

/// A position in the order: by rank, then by age.
type Turn = (Reverse<i64>, Ticket);

/// The rank of a waiter that was overtaken too often.
const FIRST: i64 = i64::MAX;

impl<K: Clone> Pool<K> {
    pub(super) const fn new() -> Self {
        Self {
            limits: Vec::new(),
            claims: Vec::new(),
            vacant: Vec::new(),
            lines: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// Adds a limit.
    pub(super) fn add(&mut self, size: usize, tier: Tier) -> LimitId {
        self.insert(Limit::new(size, tier, None))
    }

    /// Removes an idle limit.
    pub(super) fn remove(&mut self, limit: LimitId) {
        debug_assert!(self.limit(limit).is_idle(), "a limit is removed while it is in use");
        if self.limit(limit).is_idle() {
            self.limits[limit.0 as usize] = None;
        }
    }

    /// Changes the size of a limit. Places in use stay in use. A larger limit can be
    /// [served](Self::serve).
    pub(super) fn resize(&mut self, limit: LimitId, size: usize) {
        self.limit_mut(limit).size = size;
    }

    pub(super) fn usage(&self, limit: LimitId) -> Usage {
        let Limit { size, used, waiting, .. } = self.limit(limit);
        Usage { size: *size, in_use: *used, waiting: waiting.values().map(BTreeSet::len).sum() }
    }

    /// Acquires places, all or none, or starts to wait for them. If one of the `lenders` holds
    /// places of a limit, the nearest first, they are borrowed.
    ///
    /// # Errors
    ///
    /// Fails if the nearest lender of a limit holds less of it than is needed. Nothing is acquired
    /// then.
    pub(super) fn acquire(
        &mut self,
        key: K,
        needs: &[Need],
        priority: i32,
        lenders: &[Ticket],
    ) -> Result<Admission<K>, LoanTooSmall> {
        let needs = self.with_loans(needs, lenders)?;
        let ticket = self.ticket();
        let is_idle = |need: &Need| self.limit(need.limit).waiting.is_empty();
        if needs.iter().all(is_idle) && self.lacking(&needs, &[]).is_none() {
            self.take(ticket, &needs);
            return Ok(Admission { ticket, granted: true, grants: Vec::new() });
        }
        let rank = i64::from(priority);
        self.enqueue(ticket, Waiter { key, needs: needs.clone(), rank, overtaken: 0 });
        let limits = needs.iter().map(|need| need.limit).collect();
        let mut grants = self.serve(limits);
        let own = grants.iter().position(|grant| grant.ticket == ticket);
        let granted = own.map(|at| grants.remove(at)).is_some();
        Ok(Admission { ticket, granted, grants })
    }

    /// Ends a claim: frees its places, or stops waiting. Ignores a ticket that has ended before.
    /// Returns the limits to [serve](Self::serve), once new waiters have been added.
    pub(super) fn release(&mut self, ticket: Ticket) -> Vec<LimitId> {
        let mut freed = Vec::new();
        match self.end(ticket) {
            Claim::None => {}
            Claim::Waits(waiter) => {
                self.remove_waiter(ticket, &waiter);
                freed.extend(waiter.needs.iter().map(|need| need.limit));
            }
            Claim::Holds(holds) => {
                for Hold { need, lent, .. } in holds {
                    let on_loan = lent.map_or(0, |loan| self.end_loan(loan, &mut freed));
                    freed.push(self.free(Need { amount: need.amount - on_loan, ..need }));
                }
            }
        }
        // A loan may have been removed by now, along with its waiters.
        let has_waiters = |limit: &Limit| !limit.waiting.is_empty();
        freed.retain(|limit| self.limits[limit.0 as usize].as_ref().is_some_and(has_waiters));
        freed
    }

    /// Grants free places of these limits, and of limits that share a waiter with them, in order.
    pub(super) fn serve(&mut self, limits: Vec<LimitId>) -> Vec<Grant<K>> {
        let mut grants = Vec::new();
        if !limits.is_empty() {
            let lines = self.lines_that_share(limits);
            // A waiter that was overtaken too often moves to the front, which changes the order.
            while self.serve_in_order(&lines, &mut grants) == Order::Changed {}
        }
        grants
    }

    /// The lines of all waiters that compete for these limits, directly or through other limits.
    fn lines_that_share(&self, mut limits: Vec<LimitId>) -> Vec<Needs> {
        let mut others: Vec<&Needs> = self.lines.keys().collect();
        let mut lines = Vec::new();
        loop {
            let before = lines.len();
            others.retain(|needs| {
                let shares = needs.iter().any(|need| limits.contains(&need.limit));
                if shares {
                    limits.extend(needs.iter().map(|need| need.limit));
                    lines.push((*needs).clone());
                }
                !shares
            });
            if lines.len() == before {
                return lines;
            }
        }
    }

    fn serve_in_order(&mut self, lines: &[Needs], grants: &mut Vec<Grant<K>>) -> Order {
        let first = |pool: &Self, line: usize| {
            let turn = *pool.lines.get(&lines[line])?.first()?;
            Some(Reverse((turn, line)))
        };
        let mut heads: BinaryHeap<_> =
            (0..lines.len()).filter_map(|line| first(self, line)).collect();
        let mut reserved: SmallVec<[Need; 4]> = SmallVec::new();
        let mut blocked: SmallVec<[LimitId; 4]> = SmallVec::new();
        while let Some(Reverse(((_, ticket), line))) = heads.pop() {
            let needs = &lines[line];
            if needs.iter().any(|need| blocked.contains(&need.limit)) {
                continue;
            }
            if let Some(at) = self.lacking(needs, &reserved) {
                reserved.extend(needs[..at].iter().copied());
                blocked.push(needs[at].limit);
                continue;
            }
            let Some(waiter) = self.dequeue(ticket) else { continue };
            self.take(ticket, needs);
            grants.push(Grant { ticket, key: waiter.key });
            if self.count_overtaken(ticket, waiter.rank, needs) == Order::Changed {
                return Order::Changed;
            }
            heads.extend(first(self, line));
        }
        Order::Same
    }

    /// Counts a grant as overtaking those who have waited longest for the same limits at lower
    /// ranks.
    fn count_overtaken(&mut self, granted: Ticket, rank: i64, needs: &Needs) -> Order {
        let mut order = Order::Same;
        if rank == FIRST {
            return order;
        }
        for need in needs {
            let lower = self.limit(need.limit).waiting.range(..rank);
            let oldest = lower.filter_map(|(_, tickets)| tickets.first()).min().copied();
            let Some(oldest) = oldest.filter(|oldest| *oldest < granted) else { continue };
            let Some(Claim::Waits(waiter)) = self.claim_mut(oldest) else { continue };
            waiter.overtaken += 1;
            if waiter.overtaken >= MAX_OVERTAKEN
                && let Some(waiter) = self.dequeue(oldest)
            {
                self.enqueue(oldest, Waiter { rank: FIRST, ..waiter });
                order = Order::Changed;
            }
        }
        order
    }

    /// Returns the index of the first need that cannot be met, given what is reserved.
    fn lacking(&self, needs: &Needs, reserved: &[Need]) -> Option<usize> {
        needs.iter().position(|need| {
            let limit = self.limit(need.limit);
            let reserved_here = reserved.iter().filter(|other| other.limit == need.limit);
            let reserved_here: usize = reserved_here.map(|other| limit.fitting(other.amount)).sum();
            limit.used + reserved_here + limit.fitting(need.amount) > limit.size
        })
    }

    fn take(&mut self, ticket: Ticket, needs: &Needs) {
        let holds = needs.iter().map(|need| {
            let limit = self.limit_mut(need.limit);
            let amount = limit.fitting(need.amount);
            limit.used += amount;
            let root = limit.loan.as_ref().map_or(need.limit, |loan| loan.root);
            Hold { need: Need { limit: need.limit, amount }, root, lent: None }
        });
        let holds = holds.collect();
        self.claims[ticket.slot as usize].1 = Claim::Holds(holds);
    }

    fn enqueue(&mut self, ticket: Ticket, waiter: Waiter<K>) {
        for need in &waiter.needs {
            let waiting = &mut self.limit_mut(need.limit).waiting;
            waiting.entry(waiter.rank).or_default().insert(ticket);
        }
        let turn = (Reverse(waiter.rank), ticket);
        self.lines.entry(waiter.needs.clone()).or_default().insert(turn);
        self.claims[ticket.slot as usize].1 = Claim::Waits(waiter);
    }

    /// Removes a waiter from its line, but keeps its claim.
    fn dequeue(&mut self, ticket: Ticket) -> Option<Waiter<K>> {
        let claim = self.claim_mut(ticket)?;
        match std::mem::replace(claim, Claim::None) {
            Claim::Waits(waiter) => {
                self.remove_waiter(ticket, &waiter);
                Some(waiter)
            }
            other => {
                *claim = other;
                None
            }
        }
    }

    fn remove_waiter(&mut self, ticket: Ticket, waiter: &Waiter<K>) {
        if let Some(line) = self.lines.get_mut(&waiter.needs) {
            line.remove(&(Reverse(waiter.rank), ticket));
            if line.is_empty() {
                self.lines.remove(&waiter.needs);
            }
        }
        for need in &waiter.needs {
            let waiting = &mut self.limit_mut(need.limit).waiting;
            if let Some(tickets) = waiting.get_mut(&waiter.rank) {
                tickets.remove(&ticket);
                if tickets.is_empty() {
                    waiting.remove(&waiter.rank);
                }
            }
        }
    }

    /// Returns a ticket for a new claim.
    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        let number = self.tickets;
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.claims.push((0, Claim::None));
            (self.claims.len() - 1) as u32
        });
        self.claims[slot as usize].0 = number;
        Ticket { number, slot }
    }

    /// Returns the claim of a ticket, unless it has ended.
    fn claim_mut(&mut self, ticket: Ticket) -> Option<&mut Claim<K>> {
        let (number, claim) = &mut self.claims[ticket.slot as usize];
        (*number == ticket.number).then_some(claim)
    }

    fn end(&mut self, ticket: Ticket) -> Claim<K> {
        let Some(claim) = self.claim_mut(ticket) else { return Claim::None };
        let ended = std::mem::replace(claim, Claim::None);
        self.claims[ticket.slot as usize].0 = 0;
        self.vacant.push(ticket.slot);
        ended
    }

    fn holds(&mut self, ticket: Ticket) -> Option<&mut Holds> {
        match self.claim_mut(ticket)? {
            Claim::Holds(holds) => Some(holds),
            Claim::None | Claim::Waits(_) => None,
        }
    }

    /// Frees places, and returns the limit that has more free places now.
    fn free(&mut self, Need { mut limit, amount }: Need) -> LimitId {
        // Places on loan whose lender has left return to where they came from.
        loop {
            let it = self.limit_mut(limit);
            it.used -= amount;
            let from = it.loan.as_ref().filter(|loan| loan.is_over).map(|loan| loan.from);
            let is_idle = it.is_idle();
            let Some(from) = from else { return limit };
            if is_idle {
                self.limits[limit.0 as usize] = None;
            }
            limit = from;
        }
    }

    fn limit(&self, limit: LimitId) -> &Limit {
        let limit = self.limits[limit.0 as usize].as_ref();
        limit.expect("a limit is there as long as somebody names it")
    }

    fn limit_mut(&mut self, limit: LimitId) -> &mut Limit {
        let limit = self.limits[limit.0 as usize].as_mut();
        limit.expect("a limit is there as long as somebody names it")
    }

    fn insert(&mut self, limit: Limit) -> LimitId {
        let free = self.limits.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.limits.push(None);
            self.limits.len() - 1
        });
        self.limits[at] = Some(limit);
        LimitId(at as u32)
    }
}

/// Loans.
impl<K: Clone> Pool<K> {
    /// Returns the needs in order, with loans in place of limits where there is a lender.
    fn with_loans(&mut self, needs: &[Need], lenders: &[Ticket]) -> Result<Needs, LoanTooSmall> {
        let mut met = Needs::new();
        for need in needs.iter().filter(|need| need.amount > 0) {
            let wanted = self.limit(need.limit).fitting(need.amount);
            let limit = match self.lender(need.limit, lenders) {
                None => need.limit,
                Some((_, _, held)) if held < wanted => {
                    return Err(LoanTooSmall { limit: need.limit, held, wanted });
                }
                Some((lender, at, _)) => self.lend(lender, at),
            };
            met.push(Need { limit, amount: need.amount });
        }
        // A limit that is named twice counts once, with the larger amount.
        if met.len() > 1 {
            self.sort(&mut met);
            met.dedup_by_key(|need| need.limit);
        }
        Ok(met)
    }

    fn sort(&self, needs: &mut Needs) {
        needs.sort_unstable_by_key(|need| {
            (self.limit(need.limit).tier, need.limit, Reverse(need.amount))
        });
    }

    /// Returns the nearest lender that holds some of the limit, the index of the hold, and the
    /// amount.
    fn lender(&mut self, limit: LimitId, lenders: &[Ticket]) -> Option<(Ticket, usize, usize)> {
        lenders.iter().find_map(|lender| {
            let holds = self.holds(*lender)?;
            let at = holds.iter().position(|hold| hold.root == limit)?;
            Some((*lender, at, holds[at].need.amount))
        })
    }

    /// Returns the loan of what is held here, and creates it first if needed.
    fn lend(&mut self, lender: Ticket, at: usize) -> LimitId {
        let lent = self.holds(lender).map(|holds| (holds[at].need, holds[at].root, holds[at].lent));
        let (Need { limit, amount }, root) = match lent {
            Some((_, _, Some(lent))) => return lent,
            Some((need, root, None)) => (need, root),
            None => unreachable!("a lender holds what it lends"),
        };
        let tier = self.limit(limit).tier;
        let loan = Loan { from: limit, root, is_over: false };
        let lent = self.insert(Limit::new(amount, tier, Some(loan)));
        if let Some(holds) = self.holds(lender) {
            holds[at].lent = Some(lent);
        }
        lent
    }

    /// Ends a loan whose lender leaves: its waiters now wait for the limit that it came from.
    /// Returns how much is still on loan.
    fn end_loan(&mut self, lent: LimitId, freed: &mut Vec<LimitId>) -> usize {
        let limit = self.limit_mut(lent);
        let on_loan = limit.used;
        let waiting: Vec<Ticket> = limit.waiting.values().flatten().copied().collect();
        let Some(loan) = &mut limit.loan else { return 0 };
        loan.is_over = true;
        let from = self.source(lent);
        for ticket in waiting {
            if let Some(mut waiter) = self.dequeue(ticket) {
                let turned = waiter.needs.iter_mut().filter(|need| need.limit == lent);
                turned.for_each(|need| need.limit = from);
                self.sort(&mut waiter.needs);
                freed.extend(waiter.needs.iter().map(|need| need.limit));
                self.enqueue(ticket, waiter);
            }
        }
        if on_loan == 0 {
            self.limits[lent.0 as usize] = None;
        }
        on_loan
    }

    /// Returns the limit that the places of a chain of ended loans come from.
    fn source(&self, mut limit: LimitId) -> LimitId {
        while let Some(loan) = self.limit(limit).loan.as_ref().filter(|loan| loan.is_over) {
            limit = loan.from;
        }
        limit
    }
}

/// Whether serving has changed the order of the waiters.
#[derive(PartialEq, Eq)]
enum Order {
    Same,
    Changed,
}

impl Limit {
    fn new(size: usize, tier: Tier, loan: Option<Loan>) -> Self {
        Self { size, used: 0, tier, waiting: BTreeMap::new(), loan }
    }

    /// The amount, capped at the size.
    fn fitting(&self, amount: usize) -> usize {
        amount.min(self.size)
    }

    fn is_idle(&self) -> bool {
        self.used == 0 && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests;
