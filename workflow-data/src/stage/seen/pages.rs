//! A set of hashes in a temporary file.
//!
//! The file is an array of pages. The first bits of a hash are the number of its page. When a page
//! is full, the file is written again with twice as many pages, and each page becomes two. Hashes
//! are random, so pages fill evenly: some page is full when half to three quarters of all places are
//! taken.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use super::memory::HashSets;

pub(super) struct HashPages {
    /// It has no name, so nothing is left of it when the process ends.
    file: File,
    /// How many bits of a hash are the number of its page.
    bits: u32,
}

const PAGE: usize = 4096;
const HASH: usize = size_of::<u128>();
/// The first places of a page are the number of its hashes.
const PLACES: usize = PAGE / HASH - 1;

impl HashPages {
    /// Moves hashes to a file.
    pub(super) fn spill(sets: &mut HashSets) -> io::Result<Self> {
        let pages = sets.len() / (PLACES / 2) + 2;
        let mut spilled = Self::empty(pages.next_power_of_two().ilog2())?;
        for hashes in sets.drain() {
            spilled.insert_all(&hashes)?;
        }
        Ok(spilled)
    }

    fn empty(bits: u32) -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        file.set_len((PAGE as u64) << bits)?;
        Ok(Self { file, bits })
    }

    /// Adds hashes in this order. Returns for each one whether it is new.
    pub(super) fn insert_all(&mut self, hashes: &[u128]) -> io::Result<Vec<bool>> {
        // In the order of the pages, each page is read and written once.
        let mut order: Vec<_> = (0..hashes.len()).collect();
        order.sort_by_key(|place| hashes[*place]);
        let mut is_new = vec![false; hashes.len()];
        let mut rest = &order[..];
        while let Some(first) = rest.first() {
            let number = self.number(hashes[*first]);
            let same_page = rest.partition_point(|place| self.number(hashes[*place]) == number);
            let mut page = self.read(number)?;
            let before = page.len();
            let mut added = Vec::new();
            for place in &rest[..same_page] {
                let hash = hashes[*place];
                if !page[..before].contains(&hash) && page[before..].last() != Some(&hash) {
                    page.push(hash);
                    added.push(*place);
                }
            }
            if page.len() > PLACES {
                // The same hashes again, in a page with room.
                self.grow()?;
                continue;
            }
            if !added.is_empty() {
                self.write(number, &page)?;
            }
            added.into_iter().for_each(|place| is_new[place] = true);
            rest = &rest[same_page..];
        }
        Ok(is_new)
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
        *self = Self { file, bits };
        Ok(())
    }

    fn number(&self, hash: u128) -> u64 {
        (hash >> (u128::BITS - self.bits)) as u64
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u128>> {
        self.file.seek(SeekFrom::Start(number * PAGE as u64))?;
        read_page(&mut self.file)
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
