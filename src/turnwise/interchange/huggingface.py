"""Episodes as a data set of Hugging Face's `datasets`: a row an episode, columns as in our Parquet files.

Mappings, which data sets have no type for, are lists of {key, value}. Nothing is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from turnwise.parquet import episodes_of, table_of
from turnwise.records import Episode, RecordError

MAPPINGS = ("seats", "returns", "end_values", "reward_parts")


def to_dataset(episodes: Iterable[Episode]) -> Any:
    """The episodes as a `datasets.Dataset`. Raises ModuleNotFoundError, saying what to install."""
    datasets = _datasets()
    table = table_of(episodes)
    return datasets.Dataset(datasets.table.InMemoryTable(table.cast(_without_maps(table.schema))))


def from_dataset(dataset: Any) -> list[Episode]:
    """The episodes that `to_dataset` made a data set of. Raises RecordError where it is another one."""
    if "env_id" not in dataset.column_names or "turns" not in dataset.column_names:
        raise RecordError(f"a data set of episodes has columns env_id and turns: got {', '.join(dataset.column_names)}")
    return episodes_of(_row(row) for row in dataset.with_format(None).to_list())


def write_dataset(path: str | os.PathLike[str], episodes: Iterable[Episode]) -> None:
    """A folder that `datasets.load_from_disk` reads."""
    datasets = _datasets()
    datasets.disable_progress_bars()
    to_dataset(episodes).save_to_disk(str(path))


def read_dataset(path: str | os.PathLike[str]) -> list[Episode]:
    """What `write_dataset` wrote."""
    return from_dataset(_datasets().load_from_disk(str(path)))


def is_dataset(folder: Path) -> bool:
    """Whether `datasets` saved this folder."""
    return (folder / "dataset_info.json").is_file() and (folder / "state.json").is_file()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: _pairs(row[name]) for name in MAPPINGS if name in row}


def _pairs(entries: Any) -> Any:
    """{key, value} as pairs, all the way down."""
    if not isinstance(entries, list):
        return entries
    return [(entry["key"], _pairs(entry["value"])) if isinstance(entry, Mapping) else entry for entry in entries]


def _without_maps(schema: Any) -> Any:
    import pyarrow

    def plain(kind: Any) -> Any:
        if pyarrow.types.is_map(kind):
            return pyarrow.list_(pyarrow.struct([("key", kind.key_type), ("value", plain(kind.item_type))]))
        return kind

    return pyarrow.schema([pyarrow.field(field.name, plain(field.type)) for field in schema])


def _datasets() -> Any:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'data sets need the package datasets, and {error.name} is not installed: pip install "turnwise[data]"'
        ) from None
    return datasets
