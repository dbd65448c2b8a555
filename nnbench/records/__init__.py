"""Records, their files, and the journal of a run."""

from nnbench.records.arrays import Arrays
from nnbench.records.errors import DamagedError, NewerSchemaError, RecordError, StorageError
from nnbench.records.files import (
    read_own_record,
    read_record,
    read_run,
    strict_dumps,
    strict_loads,
    without_nan,
    write_atomic,
    write_record,
    write_run,
)
from nnbench.records.folder import copy_records, read_records
from nnbench.records.journal import Entry, Journal
from nnbench.records.record import (
    OK,
    QUALITY_FLAGS,
    SAMPLES_MOST,
    SCHEMA_HISTORY,
    SCHEMA_VERSION,
    STATUSES,
    Record,
    differences,
    record_from_json,
    record_id,
    records_by_arm,
    records_of,
)

__all__ = [
    "OK",
    "QUALITY_FLAGS",
    "SAMPLES_MOST",
    "SCHEMA_HISTORY",
    "SCHEMA_VERSION",
    "STATUSES",
    "Arrays",
    "DamagedError",
    "Entry",
    "Journal",
    "NewerSchemaError",
    "Record",
    "RecordError",
    "StorageError",
    "copy_records",
    "differences",
    "read_own_record",
    "read_record",
    "read_records",
    "read_run",
    "record_from_json",
    "record_id",
    "records_by_arm",
    "records_of",
    "strict_dumps",
    "strict_loads",
    "without_nan",
    "write_atomic",
    "write_record",
    "write_run",
]  # fmt: skip
