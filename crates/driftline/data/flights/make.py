#!/usr/bin/env python3
"""Makes predictions.parquet and labels.parquet from events.csv.gz and labels.csv.gz.

    python make.py DIR_WITH_THE_CSV_FILES

Run with Python 3.11.7 and pyarrow 26.0.1. Only encodings and the codec that Rust's parquet crate reads
with its `snap` feature alone are used. Nothing is lost but digits of the score: it is kept as float32.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

source = Path(sys.argv[1])
target = Path(__file__).parent
assert pa.__version__ == "26.0.1", f"made with 26.0.1, not {pa.__version__}"


def read(name, types):
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    table = csv.read_csv(source / name, convert_options=options)
    assert table.column_names == list(types), table.column_names
    return table


def micros(column):
    """Local wall-clock time, taken as UTC."""
    return pc.cast(pc.cast(column, pa.timestamp("us")), pa.timestamp("us", tz="UTC"))


def write(table, name, encodings):
    pq.write_table(
        table,
        target / name,
        row_group_size=1 << 16,
        compression="snappy",
        use_dictionary=[c for c in table.column_names if c not in encodings],
        column_encoding=encodings,
        data_page_size=1 << 20,
        write_statistics=False,
        store_schema=False,
    )
    print(name, table.num_rows, "rows,", (target / name).stat().st_size, "bytes")


text, real, whole = pa.string(), pa.float64(), pa.int64()
events = read(
    "events.csv.gz",
    {
        "id": whole, "ts": pa.timestamp("s"), "sched_hour": whole, "distance": whole,
        "temp": real, "humid": real, "wind_speed": real, "precip": real, "pressure": real, "visib": real,
        "carrier": text, "origin": text, "dest": text, "score": real, "pred": whole,
    },
)
for name, type_ in {"id": pa.int32(), "sched_hour": pa.int32(), "distance": pa.int32(), "pred": pa.int32()}.items():
    events = events.set_column(events.schema.get_field_index(name), name, pc.cast(events[name], type_))
events = events.set_column(events.schema.get_field_index("ts"), "ts", micros(events["ts"]))
score = pc.cast(events["score"], pa.float32(), safe=False)
events = events.set_column(events.schema.get_field_index("score"), "score", score)
write(
    events,
    "predictions.parquet",
    {"id": "DELTA_BINARY_PACKED", "ts": "DELTA_BINARY_PACKED", "score": "BYTE_STREAM_SPLIT"},
)

labels = read("labels.csv.gz", {"id": whole, "label_ts": pa.timestamp("s"), "late": whole})
for name in ("id", "late"):
    labels = labels.set_column(labels.schema.get_field_index(name), name, pc.cast(labels[name], pa.int32()))
labels = labels.set_column(1, "label_ts", micros(labels["label_ts"]))
write(labels, "labels.parquet", {"id": "DELTA_BINARY_PACKED", "label_ts": "DELTA_BINARY_PACKED"})
