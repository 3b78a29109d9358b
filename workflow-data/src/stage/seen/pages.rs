//! A set of hashes in a temporary file.
//!
//! The file is an array of pages. The first bits of a hash are the number of its page. When a page
//! is full, the file is written again with twice as many pages, and each page becomes two. Hashes
//! are random, so pages fill evenly: some page is full when half to three quarters of all places are
//! taken.
//!
//! Most keys are new, and a page for each of them would be read and written. So a filter in memory
//! says of most new hashes that they are new, and hashes are written when there are many of them for
//! each page.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use super::filter::Filter;
use super::memory::HashSets;

pub(super) struct HashPages {
    /// It has no name, so nothing is left of it when the process ends.
    file: File,
    /// How many bits of a hash are the number of its page.
    bits: u32,
    /// All hashes.
    filter: Filter,
    /// Those that are not in the file yet.
    recent: HashSets,
    /// The most memory of these, in bytes.
    limit: usize,
}

const PAGE: usize = 4096;
const HASH: usize = size_of::<u128>();
/// The first places of a page are the number of its hashes.
const PLACES: usize = PAGE / HASH - 1;

impl HashPages {
    /// Moves hashes to a file. `limit` is the most memory of hashes, in bytes: an eighth of it is
    /// the filter, and a quarter are hashes that wait to be written.
    pub(super) fn spill(mut sets: HashSets, limit: usize) -> io::Result<Self> {
        let pages = sets.len() / (PLACES / 2) + 2;
        let bits = pages.next_power_of_two().ilog2();
        let file = tempfile::tempfile()?;
        file.set_len((PAGE as u64) << bits)?;
        let (filter, recent) = (Filter::new(limit / 8), HashSets::new());
        let mut spilled = Self { file, bits, filter, recent, limit: limit / 4 };
        for hashes in sets.drain() {
            hashes.iter().for_each(|hash| spilled.filter.insert(*hash));
            spilled.append(hashes)?;
        }
        Ok(spilled)
    }

    /// Adds hashes in this order. Returns for each one whether it is new.
    pub(super) fn insert_all(&mut self, hashes: &[u128]) -> io::Result<Vec<bool>> {
        let mut is_new = vec![true; hashes.len()];
        for place in self.written(hashes)? {
            is_new[place] = false;
        }
        for (hash, is_new) in hashes.iter().zip(&mut is_new) {
            *is_new = *is_new && self.recent.insert(*hash);
            if *is_new {
                self.filter.insert(*hash);
            }
        }
        if self.recent.memory() > self.limit {
            let mut recent = std::mem::replace(&mut self.recent, HashSets::new());
            for hashes in recent.drain() {
                self.append(hashes)?;
            }
        }
        Ok(is_new)
    }

    /// The places of hashes that are in the file.
    fn written(&mut self, hashes: &[u128]) -> io::Result<Vec<usize>> {
        let may_be = |hash: u128| self.filter.may_contain(hash) && !self.recent.contains(hash);
        let mut places: Vec<_> = (0..hashes.len()).filter(|at| may_be(hashes[*at])).collect();
        // In the order of the pages, each page is read once.
        places.sort_unstable_by_key(|place| hashes[*place]);
        let mut written = Vec::new();
        for same_page in
            places.chunk_by(|one, other| self.number(hashes[*one]) == self.number(hashes[*other]))
        {
            let page = self.read(self.number(hashes[same_page[0]]))?;
            written.extend(same_page.iter().filter(|place| page.contains(&hashes[**place])));
        }
        Ok(written)
    }

    /// Writes hashes that are not in the file.
    fn append(&mut self, mut hashes: Vec<u128>) -> io::Result<()> {
        hashes.sort_unstable();
        let mut rest = &hashes[..];
        while let Some(first) = rest.first() {
            let number = self.number(*first);
            let (same_page, others) =
                rest.split_at(rest.partition_point(|hash| self.number(*hash) == number));
            let mut page = self.read(number)?;
            if page.len() + same_page.len() > PLACES {
                // The same hashes again, in a page with room.
                self.grow()?;
                continue;
            }
            page.extend(same_page);
            self.write(number, &page)?;
            rest = others;
        }
        Ok(())
    }

    /// Each page becomes two: hashes with the next bit 0, and with 1.
    fn grow(&mut self) -> io::Result<()> {
        let bits = self.bits + 1;
        let mut pages = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
        self.file.rewind()?;
        let mut old = BufReader::with_capacity(1 << 20, &self.file);
        for _ in 0..1_u64 << self.bits {
            let hashes = read_page(&mut old)?;
            let has_one = |hash: &u128| hash >> (u128::BITS - bits) & 1 == 1;
            let (ones, zeros): (Vec<_>, Vec<_>) = hashes.into_iter().partition(has_one);
            write_page(&mut pages, &zeros)?;
            write_page(&mut pages, &ones)?;
        }
        let file = pages.into_inner().map_err(io::IntoInnerError::into_error)?;
        (self.file, self.bits) = (file, bits);
        Ok(())
    }

    fn number(&self, hash: u128) -> u64 {
        (hash >> (u128::BITS - self.bits)) as u64
    }

    fn read(&self, number: u64) -> io::Result<Vec<u128>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(number * PAGE as u64))?;
        read_page(&mut file)
    }

    fn write(&mut self, number: u64, hashes: &[u128]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(number * PAGE as u64))?;
        write_page(&mut self.file, hashes)
    }
}

fn read_page(file: &mut impl Read) -> io::Result<Vec<u128>> {
    let mut page = [0; PAGE];
    file.read_exact(&mut page)?;
    let mut places = page.chunks_exact(HASH).map(|bytes| {
        let mut hash = [0; HASH];
        hash.copy_from_slice(bytes);
        u128::from_le_bytes(hash)
    });
    let count = places.next().unwrap_or_default();
    Ok(places.take(count as usize).collect())
}

fn write_page(file: &mut impl Write, hashes: &[u128]) -> io::Result<()> {
    let mut page = [0; PAGE];
    let count = hashes.len() as u128;
    let places = page.chunks_exact_mut(HASH);
    for (bytes, hash) in places.zip(std::iter::once(&count).chain(hashes)) {
        bytes.copy_from_slice(&hash.to_le_bytes());
    }
    file.write_all(&page)
}
