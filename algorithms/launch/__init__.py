"""Running beyond one process: who starts what, and where it runs."""
