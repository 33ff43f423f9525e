"""`Words`: the parser of commands that need nothing beyond a plain install."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from turnwise.near import near


class Words(argparse.ArgumentParser):
    """Says what it does not know in one line, with the nearest that it knows; shows examples in its help."""

    def __init__(self, program: str, about: str, examples: Sequence[str]) -> None:
        shown = "\n".join(("examples:", *(f"  {line}" for line in examples)))
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(
            prog=program, description=textwrap.fill(about, 80), epilog=shown, formatter_class=layout, allow_abbrev=False
        )

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does. Exits with 2 on an option that there is not."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            kind = "option" if rest[0].startswith("-") else "further word"
            self.error(f"there is no {kind} {rest[0]}{near(rest[0], self._option_string_actions)}")
        return found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(action.choices)
            raise argparse.ArgumentError(
                None, f"{action.metavar} is {' or '.join(known)}: got {value!r}{near(value, known)}"
            )

    def error(self, message: str) -> NoReturn:
        """Exits with 2."""
        self.exit(2, f"turnwise: {message} ({self.prog} --help)\n")
