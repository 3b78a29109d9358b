//! Numbered lists, one after another in one array.

/// Lists of numbers, each found by its own number.
#[derive(Default)]
pub(crate) struct Lists {
    /// List `n` is `items[starts[n]..starts[n + 1]]`.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// Puts each item of `(list, item)` pairs into its list, where they keep their order.
    pub(super) fn of(lists: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0_u32; lists + 1];
        for (list, _) in pairs.clone() {
            starts[list as usize + 1] += 1;
        }
        for list in 0..lists {
            starts[list + 1] += starts[list];
        }
        let mut next = starts.clone();
        let mut items = vec![0_u32; starts[lists] as usize];
        for (list, item) in pairs {
            let slot = &mut next[list as usize];
            items[*slot as usize] = item;
            *slot += 1;
        }
        Self { starts, items }
    }

    /// How many items there are in all lists.
    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.items.len()
    }

    /// Where the items of a list are, for [`Self::item`]; nowhere when there is no such list.
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
