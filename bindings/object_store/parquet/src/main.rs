//! Writes a set of Parquet files into a sealed store and reads it back, counting what is fetched: all of it, one column of it,
//! and the rows of one file. `objseal-parquet MIB` makes a set of so many MiB.
//!
//! It stands for the programs that read Parquet through an `ObjectStore`, such as `DataFusion`, whose own release for this
//! version of `object_store` is yet to come: these are the writer and the reader that they use.

mod counted;
mod reader;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use counted::Counted;
use futures::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use objseal::Key;
use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
use objseal_object_store::SealedStore;
use parquet::arrow::{AsyncArrowWriter, ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::file::properties::WriterProperties;
use reader::Reader;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const COLUMNS: usize = 8;
const ROWS_OF_BATCH: usize = 64 * 1024;
/// A file is 64 MiB, in row groups of 16.
const BATCHES_OF_FILE: u64 = 16;
const BATCHES_OF_GROUP: usize = 4;
/// A batch is 4 MiB.
const BATCH_LEN: u64 = (COLUMNS * ROWS_OF_BATCH * size_of::<i64>()) as u64;

#[tokio::main]
async fn main() -> Result<()> {
    let mib: u64 = std::env::args().nth(1).ok_or("usage: objseal-parquet MIB")?.parse()?;
    let folder = tempfile::tempdir()?;
    let key = Arc::new(WrappingKey::from_key(Key::generate()?));
    let inner = Arc::new(Counted::new(LocalFileSystem::new_with_prefix(folder.path())?));
    let (seal, open) = (SealOptions::new(Arc::clone(&key)), OpenOptions::new().with_key(key));
    let store: Arc<dyn ObjectStore> = Arc::new(SealedStore::new(Arc::clone(&inner), seal, open));

    let start = Instant::now();
    let files = (mib << 20).div_ceil(BATCHES_OF_FILE * BATCH_LEN);
    for file in 0..files {
        write(&store, file).await?;
    }
    let objects: Vec<ObjectMeta> = store.list(None).try_collect().await?;
    let plain: u64 = objects.iter().map(|meta| meta.size).sum();
    report("written", start, plain, 0, plain);
    assert!(objects.len() as u64 == files && plain >= mib << 20, "{objects:?}");

    // All rows, all columns.
    let start = Instant::now();
    inner.take();
    let expected = files * BATCHES_OF_FILE * ROWS_OF_BATCH as u64;
    let mut rows = 0;
    for meta in &objects {
        rows += read(&store, meta, &(0..COLUMNS).collect::<Vec<_>>()).await?;
    }
    assert_eq!(rows, expected);
    let (fetches, fetched) = inner.take();
    report("read whole", start, fetched, fetches, plain);
    assert!(fetched * 10 < plain * 12, "more than 1.2 of it");

    // One column. The heads are kept: no end is fetched again.
    let start = Instant::now();
    let mut rows = 0;
    for meta in &objects {
        rows += read(&store, meta, &[3]).await?;
    }
    assert_eq!(rows, expected);
    let (fetches, fetched) = inner.take();
    let column = plain / COLUMNS as u64;
    report("read one column of 8", start, fetched, fetches, column);
    assert!(fetched * 10 < column * 12, "more than 1.2 of it");
    Ok(())
}

fn report(what: &str, start: Instant, bytes: u64, fetches: u64, plain: u64) {
    let (seconds, mib) = (start.elapsed().as_secs_f64(), bytes >> 20);
    let ratio = bytes as f64 / plain as f64;
    println!("{what}: {mib} MiB in {fetches} fetches, {ratio:.4} of the plaintext, {:.0} MiB/s", mib as f64 / seconds);
}

/// Values that do not compress: what a row is shows where it stands.
fn value(file: u64, row: usize, column: usize) -> i64 {
    let mixed = (file << 40 | (row as u64) << 8 | column as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    i64::from_ne_bytes((mixed ^ mixed >> 29).to_ne_bytes())
}

fn batch(file: u64, first_row: usize) -> Result<RecordBatch> {
    let fields: Vec<_> = (0..COLUMNS).map(|column| Field::new(format!("c{column}"), DataType::Int64, false)).collect();
    let column = |column| {
        let values = (first_row..first_row + ROWS_OF_BATCH).map(|row| value(file, row, column));
        Arc::new(Int64Array::from_iter_values(values)) as _
    };
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), (0..COLUMNS).map(column).collect())?)
}

async fn write(store: &Arc<dyn ObjectStore>, file: u64) -> Result<()> {
    let upload = BufWriter::new(Arc::clone(store), Path::from(format!("set/{file:04}.parquet")));
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(ROWS_OF_BATCH * BATCHES_OF_GROUP))
        .build();
    let mut writer = AsyncArrowWriter::try_new(upload, batch(file, 0)?.schema(), Some(properties))?;
    for number in 0..usize::try_from(BATCHES_OF_FILE)? {
        writer.write(&batch(file, number * ROWS_OF_BATCH)?).await?;
    }
    writer.close().await?;
    Ok(())
}

/// Reads these columns and compares each value; returns the number of rows.
async fn read(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta, columns: &[usize]) -> Result<u64> {
    let file: u64 = meta.location.filename().and_then(|name| name.split('.').next()).ok_or("a name")?.parse()?;
    let builder = ParquetRecordBatchStreamBuilder::new(Reader::new(store, meta)).await?;
    let mask = ProjectionMask::leaves(builder.parquet_schema(), columns.iter().copied());
    let mut batches = builder.with_projection(mask).build()?;
    let mut row = 0;
    while let Some(batch) = batches.try_next().await? {
        for (index, &column) in columns.iter().enumerate() {
            let values = batch.column(index).as_any().downcast_ref::<Int64Array>().ok_or("a column of integers")?;
            let expected = (row..).map(|row| value(file, row, column));
            assert!(
                values.values().iter().copied().eq(expected.take(batch.num_rows())),
                "{} at row {row}",
                meta.location
            );
        }
        row += batch.num_rows();
    }
    Ok(row as u64)
}
