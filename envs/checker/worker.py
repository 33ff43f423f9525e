"""A process that checks one game after another: a JSON line in, a JSON line out.

python -m turnwise.envs.checker.worker FOLDER
"""

from __future__ import annotations

import json
import os
import sys


def main() -> int:
    """Serve until standard input ends. What games print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.insert(0, sys.argv[1])
    from turnwise.envs.checker.catalogue import chosen
    from turnwise.envs.checker.run import check_game
    from turnwise.envs.checker.subject import Subject

    for line in sys.stdin:
        question = json.loads(line)
        report = check_game(Subject(question["target"]), chosen(question["part"]))
        print(json.dumps(report.to_dict()), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
