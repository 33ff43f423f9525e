"""`python -m turnwise.envs.sandbox.probes`: the table of probes as Markdown; exit code 1 where a wall did not hold."""

from __future__ import annotations

from turnwise.envs.sandbox.probes.table import main

raise SystemExit(main())
