"""What the pipeline of this benchmark does, written for polars."""

import resource
import sys
import time

import polars as pl


def run(csv, parquet):
    """Streams the table, so that it need not fit into memory."""
    begun = time.perf_counter()
    orders = pl.scan_csv(csv, try_parse_dates=True)
    texts = pl.col("customer", "email", "city", "note")
    (
        orders.with_columns(texts.str.strip_chars())
        .drop_nulls("amount")
        .unique(subset="id", keep="first")
        .with_columns(
            currency=pl.lit("EUR"),
            processed_at=pl.lit(time.time_ns() // 1000).cast(pl.Datetime("us", "UTC")),
        )
        .sink_parquet(parquet, compression="snappy")
    )
    seconds = time.perf_counter() - begun
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def compare(ours, theirs):
    """Fails unless the tables have the same records, in any order, but for the time of the run."""
    tables = [pl.scan_parquet(path).drop("processed_at") for path in (ours, theirs)]
    figures = [
        table.select(
            pl.len().alias("records"),
            pl.struct(pl.all()).hash(0).sum().alias("sum"),
        ).collect(engine="streaming")
        for table in tables
    ]
    if figures[0].rows() != figures[1].rows() or tables[0].collect_schema() != tables[1].collect_schema():
        sys.exit(f"{figures[0]} {tables[0].collect_schema()}\n{figures[1]} {tables[1].collect_schema()}")
    print(figures[0]["records"][0], "records")


match sys.argv[1:]:
    case ["run", csv, parquet]:
        run(csv, parquet)
    case ["compare", ours, theirs]:
        compare(ours, theirs)
    case ["version"]:
        print(pl.__version__)
