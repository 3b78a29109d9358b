//! Numbered lists of numbers in one array.

/// Lists of numbers, each found by its own number.
#[derive(Default)]
pub(crate) struct Lists {
    /// List `n` is `items[starts[n]..starts[n + 1]]`.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// Puts the item of each `(list, item)` pair into its list, in order.
    pub(super) fn of(lists: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        // Lengths are counted two places further. Summing them up leaves each start one place
        // further, and filling the lists moves it to its own place.
        let mut starts = vec![0_u32; lists + 2];
        pairs.clone().for_each(|(list, _)| starts[list as usize + 2] += 1);
        for list in 2..starts.len() {
            starts[list] += starts[list - 1];
        }
        let mut items = vec![0_u32; starts[lists + 1] as usize];
        pairs.for_each(|(list, item)| {
            let next = &mut starts[list as usize + 1];
            items[*next as usize] = item;
            *next += 1;
        });
        starts.pop();
        Self { starts, items }
    }

    /// Returns the lists in the order of the graph, with the jobs in them renumbered.
    pub(super) fn reordered(self, order: &[u32], new_of: &[u32]) -> Self {
        if order.is_sorted() {
            return self;
        }
        let mut starts = Vec::with_capacity(order.len() + 1);
        let mut items = Vec::with_capacity(self.items.len());
        starts.push(0);
        for old in order {
            items.extend(self.get(*old).iter().map(|job| new_of[*job as usize]));
            starts.push(items.len() as u32);
        }
        Self { starts, items }
    }

    /// Returns the number of items in all lists.
    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.items.len()
    }

    /// Returns the range of a list, for [`Self::item`]. Empty if there is no such list.
    #[inline]
    pub(crate) fn range(&self, list: u32) -> (usize, usize) {
        let list = list as usize;
        match (self.starts.get(list), self.starts.get(list + 1)) {
            (Some(start), Some(end)) => (*start as usize, *end as usize),
            _ => (0, 0),
        }
    }

    #[inline]
    pub(crate) fn item(&self, at: usize) -> u32 {
        self.items[at]
    }

    #[inline]
    pub(crate) fn get(&self, list: u32) -> &[u32] {
        let (start, end) = self.range(list);
        &self.items[start..end]
    }
}
