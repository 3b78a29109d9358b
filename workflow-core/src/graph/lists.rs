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
        let mut filling = Filling::new(lists, pairs.clone().map(|(list, _)| list));
        pairs.for_each(|(list, item)| filling.put(list, item));
        filling.lists
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

/// Lists that are being filled.
pub(super) struct Filling {
    pub(super) lists: Lists,
    /// Of each list, where its next item goes.
    next: Vec<u32>,
}

impl Filling {
    /// Lists with room for an item wherever `keys` names a list.
    pub(super) fn new(lists: usize, keys: impl Iterator<Item = u32>) -> Self {
        let mut starts = vec![0_u32; lists + 1];
        keys.for_each(|list| starts[list as usize + 1] += 1);
        for list in 0..lists {
            starts[list + 1] += starts[list];
        }
        let next = starts.clone();
        let items = vec![0_u32; starts[lists] as usize];
        Self { lists: Lists { starts, items }, next }
    }

    #[inline]
    pub(super) fn put(&mut self, list: u32, item: u32) {
        let next = &mut self.next[list as usize];
        self.lists.items[*next as usize] = item;
        *next += 1;
    }
}
