//! The table that is read: about 100 bytes for each record.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

const CITIES: [&str; 8] =
    ["Berlin", "Hamburg", "Munich", "Cologne", "Frankfurt", "Leipzig", "Dresden", "Bremen"];

/// Writes a table of orders: every twentieth record repeats an ID, every hundredth has no amount,
/// and every third has spaces around its texts. Returns its size in bytes.
pub(crate) fn write(path: &Path, rows: u64) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(file, "id,customer,email,city,amount,quantity,is_paid,ordered_on,note")?;
    for row in 0..rows {
        let random = mix(row);
        let id = if row % 20 == 19 { mix(row / 2) >> 20 } else { random >> 20 };
        let space = if row % 3 == 0 { " " } else { "" };
        let customer = random % 100_000;
        let city = CITIES[(random >> 8) as usize % CITIES.len()];
        write!(file, "{id},{space}Customer {customer}{space},c{customer}@shop.example,{city},")?;
        if row % 100 != 99 {
            write!(file, "{}.{:02}", random % 1_000, (random >> 12) % 100)?;
        }
        let (month, day) = (1 + (random >> 16) % 12, 1 + (random >> 24) % 28);
        writeln!(
            file,
            ",{},{},2026-{month:02}-{day:02},{space}delivered by truck {}",
            1 + (random >> 32) % 9,
            random & 1 == 0,
            (random >> 40) % 5_000,
        )?;
    }
    file.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

/// A number that looks random (SplitMix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
