"""What a person sees while a run goes (a live view on a terminal, plain lines elsewhere) and when it has ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from turnwise.algorithms.reporting.measures import best, dig, duration, label, main_measure, shown
from turnwise.algorithms.reporting.runlog import flat

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_REDRAW_S = 0.5


class Progress:
    """Shows how far a run is. Used as a context manager; `update` takes each metrics record as it is written.

    total_steps: steps of the whole run. done_steps: steps that were made before, in a run that goes on. The pace is
    that since the first `update`, so that what is prepared before it does not count.
    token_budget: where the run ends by its tokens, how many; the bar then counts those.
    every: away from a terminal, a line is printed each so many steps, after each evaluation and at the end.
    clock: seconds, ascending.
    """

    def __init__(
        self,
        total_steps: int,
        *,
        done_steps: int = 0,
        token_budget: int | None = None,
        every: int = 10,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.every = total_steps if token_budget is None else token_budget, every
        self._unit = "step" if token_budget is None else "tokens"
        self._done = done_steps if token_budget is None else 0
        self._first: int | None = None
        self._stream = sys.stdout if stream is None else stream
        self._clock = clock
        self._started = self._drawn = clock()
        self._record: Mapping[str, Any] = {}
        self._measure: str | None = None
        self._measured: list[float] = []
        self._live: Any = None

    def __enter__(self) -> Progress:
        self._drawn = self._clock()
        if self._stream.isatty():
            from rich.live import Live

            self._live = Live(self._view(), console=_console(self._stream), auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self._view(), refresh=True)
            self._live.stop()
            self._live = None

    def update(self, record: Mapping[str, Any]) -> None:
        """Take the metrics of one more step; draws at most twice a second. What `alerts` holds is said at once."""
        self._record, self._done = record, int(record[self._unit])
        if self._first is None:
            self._first, self._started = self._done, self._clock()
        evaluated = self._note_evaluation(record)
        for alert in record.get("alerts", ()):
            self._warn(f"alert at step {alert['step']}, {alert['kind']}: {alert['text']}")
        if self._live is None:
            if evaluated or record["step"] % self.every == 0 or self._done >= self.total:
                print(self.line(), file=self._stream, flush=True)
        elif self._clock() - self._drawn >= _REDRAW_S:
            self._drawn = self._clock()
            self._live.update(self._view(), refresh=True)

    def _warn(self, text: str) -> None:
        if self._live is None:
            print(text, file=self._stream, flush=True)
        else:
            self._live.console.print(text, style="yellow", markup=False, highlight=False)

    def line(self) -> str:
        """The state of the run in one plain line."""
        return "  ".join([self._place(), *(f"{k} {v}" for k, v in self.figures().items())])

    def figures(self) -> dict[str, str]:
        """What is shown beside the bar: name -> text."""
        found = {name: shown(name, value) for name, value in flat(self._record).items() if name.startswith("return/")}
        shares = [name for name in flat(self._record) if name.startswith("win_rate/")] + ["invalid_rate"]
        found |= {name: shown(name, self._record[name]) for name in shares if name in self._record}
        if self._measure is not None:
            start, now, top = self._measured[0], self._measured[-1], best(self._measure, self._measured)
            texts = [shown(self._measure, value) for value in (start, now, top)]
            found[label(self._measure)] = f"{texts[0]} -> {texts[1]} (best {texts[2]})"
        return found | self._pace()

    def _note_evaluation(self, record: Mapping[str, Any]) -> bool:
        evaluation = record.get("eval")
        if not isinstance(evaluation, Mapping):
            return False
        self._measure = self._measure or main_measure(evaluation)
        value = dig(evaluation, self._measure) if self._measure else None
        if isinstance(value, int | float):
            self._measured.append(float(value))
        return bool(self._measured)

    def _pace(self) -> dict[str, str]:
        made, seconds = self._done - (self._first or 0), self._clock() - self._started
        if self._first is None or made <= 0 or seconds <= 0:
            return {}
        left = (self.total - self._done) * seconds / made
        pace = f"{made / seconds:.2f}" if self._unit == "step" else f"{made / seconds:,.0f}"
        return {f"{self._unit.removesuffix('s')}s/s": pace, "left": duration(max(0.0, left))}

    def _place(self) -> str:
        return f"{self._unit} {self._done}/{self.total}"

    def _view(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(no_wrap=True)
        bar = ProgressBar(total=max(1, self.total), completed=self._done, width=40)
        table.add_row(self._place(), bar)
        for name, text in self.figures().items():
            table.add_row(name, text)
        return table


def summary_table(summary: Mapping[str, Any], stream: TextIO | None = None) -> None:
    """Print the summary of a run as a table, one measure a row."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Summary", title_justify="left", show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right", overflow="fold")
    for name, value in flat(summary).items():
        table.add_row(Text(label(name)), Text(shown(name, value)))
    _console(sys.stdout if stream is None else stream).print(table)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream)
