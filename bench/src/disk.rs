//! How long the disk takes to sync a small append: the price of durability that no design can go below.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use crate::{Failure, stats::Latencies};

/// The median of `fdatasync` after appending 500 bytes to a file in `directory`, in microseconds.
pub(crate) fn sync_micros(directory: &Path) -> Result<f64, Failure> {
    let mut file = OpenOptions::new().create_new(true).append(true).open(directory.join("sync"))?;
    let mut latencies = Latencies::new()?;
    let patience = Instant::now() + Duration::from_secs(3);
    for _ in 0..500 {
        file.write_all(&[0x61; 500])?;
        let begun = Instant::now();
        file.sync_data()?;
        latencies.record(begun.elapsed());
        if Instant::now() > patience {
            break;
        }
    }
    Ok(latencies.micros(0.5))
}
