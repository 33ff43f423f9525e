"""Suites: fixed sets of tasks that agents are compared at."""
