"""Episodes in files, by the file's form: JSON lines, Parquet, a Hugging Face data set, an Inspect log, a run folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from turnwise.algorithms.files import write_atomically
from turnwise.interchange.huggingface import is_dataset, read_dataset, write_dataset
from turnwise.interchange.inspect_log import is_log, read_log, write_log
from turnwise.parquet import read_parquet, write_parquet
from turnwise.records import Episode, RecordError

Path_ = str | os.PathLike[str]


def read_episodes(path: Path_) -> list[Episode]:
    """The episodes of a file or folder, whatever its form.

    path: `.jsonl`, `.parquet`, a data set that `datasets` saved, an Inspect log (`.eval`, `.json`), or a folder: a run
    stands for the episodes of its training, any other folder for all files of episodes in it, by name.

    Raises: FileNotFoundError where there is nothing; RecordError where the file holds something else, such as chat
        messages or pairs, from which no episode can be made again.
    """
    place = Path(path)
    if place.is_dir():
        if is_dataset(place):
            return read_dataset(place)
        return [episode for part in _files_of(place) for episode in read_episodes(part)]
    if not place.exists():
        raise FileNotFoundError(f"there is no {place}: give a file of episodes or a run folder")
    if place.suffix == ".parquet":
        return read_parquet(place)
    if place.suffix == ".jsonl":
        return list(_lines(place))
    if is_log(place):
        return read_log(place)
    raise RecordError(f"{place} is no file of episodes: it ends in .jsonl, .parquet, .eval or .json (an Inspect log)")


def write_episodes(path: Path_, episodes: Iterable[Episode], form: str | None = None) -> None:
    """Write episodes so that `read_episodes` gives the same ones back.

    form: jsonl, parquet, datasets or inspect; None: by the ending of the path, which without an ending is a data set.
    Raises ValueError on another one.
    """
    place, given = Path(path), form or _form_of(Path(path))
    if given not in WRITERS:
        raise ValueError(f"episodes are written as {', '.join(WRITERS)}: got {given!r}")
    place.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[given](place, list(episodes))


def _write_jsonl(path: Path, episodes: list[Episode]) -> None:
    write_atomically(path, "".join(episode.to_json() + "\n" for episode in episodes))


WRITERS: dict[str, Callable[[Path, list[Episode]], None]] = {
    "jsonl": _write_jsonl,
    "parquet": write_parquet,
    "datasets": write_dataset,
    "inspect": write_log,
}
_ENDINGS = {".jsonl": "jsonl", ".parquet": "parquet", "": "datasets", ".eval": "inspect", ".json": "inspect"}


def _form_of(path: Path) -> str:
    return _ENDINGS.get(path.suffix, path.suffix)


def _files_of(folder: Path) -> list[Path]:
    """Of a run: what it recorded of its training, or its sample games where it recorded nothing."""
    for found in (sorted((folder / "episodes").glob("*.parquet")), [folder / "games.jsonl"]):
        if found and found[0].exists():
            return found
    found = sorted(path for path in folder.iterdir() if path.suffix in (".parquet", ".jsonl", ".eval"))
    found = [path for path in found if path.name not in ("metrics.jsonl", "alerts.jsonl", "ledger.jsonl")]
    if not found:
        raise FileNotFoundError(f"{folder} holds no episodes: neither a run's episodes/ nor .jsonl or .parquet files")
    return found


def _lines(path: Path) -> Iterator[Episode]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            yield Episode.from_json(line)
        except RecordError as error:
            raise RecordError(f"line {number} of {path} is no episode: {_why(line) or error}") from None


def _why(line: bytes) -> str | None:
    """What a line of another kind is, where it is one that we write."""
    try:
        keys = json.loads(line).keys()
    except (ValueError, AttributeError):
        return None
    if {"chosen", "rejected"} <= keys:
        return "it is a pair of replies (dpo); pairs keep neither rewards of turns nor the rest of the game"
    if "messages" in keys:
        return "it is a conversation of one seat (sft), which keeps neither the other seats nor tokens and rewards"
    return None
