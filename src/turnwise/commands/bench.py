"""`turnwise bench learn`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import Json, examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app(no_args_is_help=True)


@app.callback(epilog=examples("turnwise bench learn --quick"))
def bench() -> None:
    """Compare methods at equal cost."""


@app.command("learn", epilog=examples("turnwise bench learn --quick", "turnwise bench learn --jobs 2"))
def bench_learn(
    quick: Annotated[bool, typer.Option("--quick", help="One seed and fewer tokens: ten minutes.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs; the same again goes on.", metavar="DIR")] = None,
    jobs: Annotated[int, typer.Option(help="Runs at a time.")] = 2,
    only: Annotated[list[str] | None, typer.Option(help="A task; may be given several times.", metavar="TASK")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, such as 0,1,2.", metavar="LIST")] = "",
    table: Annotated[Path | None, typer.Option(help="Another table, as configs/bench_learn.yaml.")] = None,
    result: Annotated[Path | None, typer.Option(help="Result file, JSON.", metavar="FILE")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder of the pictures.", metavar="DIR")] = None,
    as_json: Json = False,
) -> None:
    """Compare methods at equal tokens.

    Trains every method on every task with every seed, and says which published claims were seen. A table that was
    stopped goes on. The whole one writes benchmarks/results/learn.json and docs/learn_TASK.png where there are such
    folders, any other one into the folder of its runs.
    """
    from turnwise.algorithms.bench.learn import learn, places, read_seeds
    from turnwise.algorithms.bench.learn import table as read_table

    with plain_errors():
        whole = not (quick or only or seeds or table)
        runs, found, drawn = places(out, result, pictures, whole=whole, quick=quick)
        chosen = read_table(table).narrowed(only or (), read_seeds(seeds), quick=quick)
        say = partial(typer.echo, err=as_json)
        told = learn(chosen, runs, found, drawn, at_once=jobs, quick=quick, say=say)
        if as_json:
            typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
