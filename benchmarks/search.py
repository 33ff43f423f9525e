"""What a search index costs and finds: bm25s, tantivy and faiss over the closed world, at growing sizes.

    python benchmarks/search.py --json benchmarks/results/search.json

Every figure comes from a fresh process, with one thread and an empty cache of its own:

- build_s: making the index, the passages written on the way; build_mb: the most memory that process ever had.
- disk_mb: size of the index. open_ms: the first search in a process that finds the index made.
- p50_ms, p95_ms: wall time of the searches that follow. recall: share of searches that have the needed passage among
  the first three; a search is the subject's name and the relation's keywords, over questions of two facts.
- rss_mb: growth of the resident memory from before the index is opened to after the searches. second_rss_mb and
  second_private_mb: the same in a second process beside the first, and how much of it no other process shares.

faiss compares words hashed into 512 places, which is an embedder that needs no model, not a good one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from common import print_table, save_result

from turnwise.envs.search.questions import draw_question
from turnwise.envs.search.sources import Source
from turnwise.envs.search.world import World, shared_world

LIBRARIES = {"bm25": "bm25s", "tantivy": "tantivy", "dense": "faiss"}
FLOOR_MS, FLOOR_SIZE = 3.0, 100_000  # the median search of bm25
WIDTH = 512
COLUMNS = (
    *("retriever", "size", "build_s", "build_mb", "disk_mb", "open_ms", "p50_ms", "p95_ms", "recall"),
    *("rss_mb", "second_rss_mb", "second_private_mb", "floor_ms"),
)


def hashed_words(texts: Sequence[str]) -> np.ndarray:
    """[texts, 512] float32: counts of words in hashed places, each row of length 1."""
    vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        places = [zlib.crc32(word.encode()) % WIDTH for word in text.lower().replace(".", " ").split()]
        np.add.at(vectors[row], places, 1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def source(retriever: str, size: int) -> Source:
    """The closed world of this size, searched in this way."""
    return Source(size=size, retriever=retriever, embed=hashed_words if retriever == "dense" else None)


def searches(world: World, questions: int) -> Iterator[tuple[str, str]]:
    """(query, title of the passage that it needs), two per question."""
    rng = np.random.default_rng(0)
    for _ in range(questions):
        for fact in draw_question(world, 2, rng).chain:
            yield f"{world.titles[fact.subject]} {fact.relation.keywords}", world.titles[fact.subject]


def memory() -> tuple[float, float]:
    """(resident, private to this process) memory now, in MB of 10**6 bytes."""
    kilobytes = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        if name in kilobytes:
            kilobytes[name] = int(value.split()[0])
    resident, *private = kilobytes.values()
    return resident * 1024 / 1e6, sum(private) * 1024 / 1e6


def build(retriever: str, size: int) -> dict[str, float]:
    """Make the index in this process."""
    world, opened = shared_world(size, 0), source(retriever, size).open()
    import_module(LIBRARIES[retriever])
    before = time.perf_counter()
    opened.search(world.titles[0], 3)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"build_s": round(time.perf_counter() - before, 3), "build_mb": round(most, 1)}


def ask(retriever: str, size: int, questions: int) -> dict[str, float]:
    """Open the index in this process and search it."""
    world, opened = shared_world(size, 0), source(retriever, size).open()
    asked = list(searches(world, questions))
    import_module(LIBRARIES[retriever])
    resident, private = memory()
    before = time.perf_counter()
    opened.search(asked[0][0], 3)
    first, times, found = time.perf_counter() - before, [], 0
    for query, title in asked:
        before = time.perf_counter()
        hits = opened.search(query, 3)
        times.append(time.perf_counter() - before)
        found += title in [hit.title for hit in hits]
    now_resident, now_private = memory()
    return {
        "open_ms": round(1e3 * first, 3),
        "p50_ms": round(1e3 * float(np.percentile(times, 50)), 4),
        "p95_ms": round(1e3 * float(np.percentile(times, 95)), 4),
        "recall": round(found / len(asked), 4),
        "rss_mb": round(now_resident - resident, 1),
        "private_mb": round(now_private - private, 1),
    }


def child(task: str, retriever: str, size: int, questions: int) -> None:
    """Do one task, print its figures, and stay until the standard input ends."""
    print(json.dumps(build(retriever, size) if task == "build" else ask(retriever, size, questions)), flush=True)
    sys.stdin.read()


def started(task: str, words: Sequence[str], environment: Mapping[str, str]) -> tuple[Any, dict[str, float]]:
    """A child that has done its task, still alive, and its figures. Raises RuntimeError where it fails."""
    line = [sys.executable, __file__, "--child", task, *words]
    process = subprocess.Popen(line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told = process.stdout.readline() if process.stdout else ""
    if not told:
        process.communicate()
        raise RuntimeError(f"{' '.join(line)} ended with status {process.returncode} and no figures")
    return process, json.loads(told)


def measured(retriever: str, size: int, questions: int) -> dict[str, Any]:
    """The row of one retriever at one size."""
    words = [retriever, str(size), str(questions)]
    with tempfile.TemporaryDirectory(prefix="turnwise-search-") as cache:
        environment = os.environ | {"TURNWISE_CACHE": cache, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
        builder, built = started("build", words, environment)
        builder.communicate()
        disk = sum(file.stat().st_size for file in Path(cache).rglob("*") if file.is_file())
        first, alone = started("ask", words, environment)
        second, beside = started("ask", words, environment)
        first.communicate()
        second.communicate()
    row = {"retriever": retriever, "size": size, **built, "disk_mb": round(disk / 1e6, 2), **alone}
    row |= {f"second_{name}": beside[name] for name in ("rss_mb", "private_mb")}
    return row | ({"floor_ms": FLOOR_MS} if retriever == "bm25" and size == FLOOR_SIZE else {})


def main() -> None:
    """Measure, print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000], help="passages, from 200")
    parser.add_argument("--retrievers", nargs="*", default=list(LIBRARIES), choices=list(LIBRARIES))
    parser.add_argument("--questions", type=int, default=200, help="two searches each")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        task, retriever, size, questions = arguments.child
        child(task, retriever, int(size), int(questions))
        return
    rows = [measured(name, size, arguments.questions) for name in arguments.retrievers for size in arguments.sizes]
    print_table(rows, COLUMNS)
    if arguments.json:
        packages = ("bm25s", "tantivy", "faiss-cpu", "numpy")
        save_result(arguments.json, rows, packages=packages, questions=arguments.questions)


if __name__ == "__main__":
    main()
