"""`python -m turnwise.envs.checker`: `turnwise check` without the command line's own packages."""

from turnwise.envs.checker.command import main

if __name__ == "__main__":
    raise SystemExit(main())
