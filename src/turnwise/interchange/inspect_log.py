"""Episodes as a log of Inspect (inspect.ai-safety-institute.org.uk): a sample an episode, seen by one seat.

`.json` is one JSON object; `.eval` is a zip of `header.json`, `summaries.json`, `_journal/start.json` and a file per
sample. The whole episode stands in each sample's metadata, so that reading gives the same episodes back. Written from
the format's documentation, and read by the real library in tests/peers.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from turnwise import __version__
from turnwise.algorithms.files import replacing, write_atomically
from turnwise.interchange.chat import conversation, seats_of
from turnwise.records import Episode, RecordError

EPISODE = "turnwise_episode"
"""Key of a sample's metadata that holds the episode as JSON text."""
VERSION = 2
"""Of Inspect's log format."""
SCORER = "return"


def write_log(path: str | os.PathLike[str], episodes: Sequence[Episode]) -> None:
    """Write `.eval` or `.json`, by the ending. Raises ValueError where there are no episodes."""
    place = Path(path)
    if not episodes:
        raise ValueError("an Inspect log holds at least one sample: got no episodes")
    header, samples = _header(episodes), _samples(episodes)
    if place.suffix == ".eval":
        _write_eval(place, header, samples)
    else:
        write_atomically(place, json.dumps(header | {"samples": samples}, indent=1, ensure_ascii=False))


def read_log(path: str | os.PathLike[str]) -> list[Episode]:
    """The episodes of a log that `write_log` wrote, or that Inspect wrote again.

    Raises RecordError where the file is no log, or a sample holds no episode of ours.
    """
    place = Path(path)
    samples = _read_eval(place) if place.suffix == ".eval" else _object(place.read_text("utf-8"), place).get("samples")
    found = []
    for sample in samples or ():
        text = (sample.get("metadata") or {}).get(EPISODE)
        if not isinstance(text, str):
            raise RecordError(
                f"sample {sample.get('id')!r} of {place} holds no episode of turnwise: logs of other programs keep "
                "neither seats nor token ids, so that no episode can be made of them"
            )
        found.append(Episode.from_json(text))
    return found


def is_log(path: Path) -> bool:
    """Whether the ending is one of a log."""
    return path.suffix in (".eval", ".json")


def _header(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Everything but the samples."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    agents = Counter(agent for episode in episodes for agent in _agents(episode))
    model, games = agents.most_common(1)[0][0], sorted({episode.env_id for episode in episodes})
    name = "turnwise"
    ids = [episode.id for episode in episodes]
    digest = sha256("\n".join(ids).encode()).hexdigest()[:22]
    values = [_own_return(episode) for episode in episodes]
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1) / len(values))
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "eval_id": digest,
            "run_id": digest,
            "created": now,
            "task": "+".join(games),
            "task_id": digest,
            "task_version": 0,
            "task_args": {},
            "dataset": {"name": name, "samples": len(episodes), "sample_ids": ids, "shuffled": False},
            "model": f"turnwise/{model}",
            "config": {},
            "packages": {"turnwise": __version__},
            "metadata": {"games": games},
        },
        "plan": {"name": "plan", "steps": [{"solver": "rollout", "params": {}}], "config": {}},
        "results": {
            "total_samples": len(episodes),
            "completed_samples": len(episodes),
            "scores": [
                {
                    "name": SCORER,
                    "scorer": SCORER,
                    "scored_samples": len(episodes),
                    "params": {},
                    "metrics": {
                        "mean": {"name": "mean", "value": mean, "params": {}},
                        "stderr": {"name": "stderr", "value": spread, "params": {}},
                    },
                }
            ],
        },
        "stats": {"started_at": now, "completed_at": now, "model_usage": {}},
    }


def _agents(episode: Episode) -> list[str]:
    return [episode.seats[seat] for seat in seats_of(episode, None)] or list(episode.seats.values())


def _seat(episode: Episode) -> str:
    return next(iter(seats_of(episode, None)), next(iter(episode.seats)))


def _own_return(episode: Episode) -> float:
    return episode.returns[_seat(episode)]


def _samples(episodes: Sequence[Episode]) -> list[dict[str, Any]]:
    """An epoch counts episodes of one id, since a sample is known by both."""
    seen: Counter[str] = Counter()
    samples = []
    for episode in episodes:
        seen[episode.id] += 1
        samples.append(_sample(episode, seen[episode.id]))
    return samples


def _sample(episode: Episode, epoch: int) -> dict[str, Any]:
    seat = _seat(episode)
    messages = [_message(message) for message in conversation(episode, seat)]
    first = next((place for place, message in enumerate(messages) if message["role"] == "assistant"), len(messages))
    last = next((message["content"] for message in reversed(messages) if message["role"] == "assistant"), "")
    choice = {"message": {"role": "assistant", "content": last, "source": "generate"}, "stop_reason": "stop"}
    model = f"turnwise/{episode.seats[seat]}"
    return {
        "id": episode.id,
        "epoch": epoch,
        "input": messages[:first],
        "target": episode.ground_truth or "",
        "messages": messages,
        "output": {"model": model, "choices": [choice], "completion": last},
        "scores": {SCORER: {"value": episode.returns[seat], "answer": last, "metadata": dict(episode.returns)}},
        "metadata": {"env_id": episode.env_id, "seat": seat, EPISODE: episode.to_json()},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }


def _message(message: Mapping[str, str]) -> dict[str, Any]:
    return dict(message) | ({"source": "generate"} if message["role"] == "assistant" else {"source": "input"})


def _write_eval(path: Path, header: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> None:
    kept = ("id", "epoch", "input", "target", "scores")
    summaries = [{name: sample[name] for name in kept} | {"completed": True} for sample in samples]
    start = {name: header[name] for name in ("version", "eval", "plan")}
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps(start, ensure_ascii=False))
        for sample in samples:
            archive.writestr(
                f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample, ensure_ascii=False)
            )
        archive.writestr("summaries.json", json.dumps(summaries, ensure_ascii=False))
        archive.writestr("header.json", json.dumps(header, ensure_ascii=False))


def _read_eval(path: Path) -> list[Any]:
    """The samples, in the order of the header's ids."""
    try:
        with zipfile.ZipFile(path) as archive:
            header = _object(archive.read("header.json").decode(), path)
            names = [name for name in archive.namelist() if name.startswith("samples/") and name.endswith(".json")]
            samples = [_object(archive.read(name).decode(), path) for name in names]
    except (zipfile.BadZipFile, KeyError, NotImplementedError) as error:
        raise RecordError(f"{path} is no Inspect log: {error}") from None
    order = {name: place for place, name in enumerate(dict.fromkeys(header["eval"]["dataset"].get("sample_ids") or ()))}
    return sorted(samples, key=lambda sample: (order.get(sample["id"], len(order)), sample["epoch"]))


def _object(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RecordError(f"{path} is no Inspect log: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("eval", found.get("id")), dict | str):
        raise RecordError(f"{path} is no Inspect log: it is no JSON object with `eval`")
    return found
