"""The families of generated questions, by name."""

from __future__ import annotations

from collections.abc import Mapping

from turnwise.envs.python_tool.families import arithmetic, counting, graphs, numbers, sequences, tables
from turnwise.envs.python_tool.puzzle import Family

_ALL: tuple[Family, ...] = (
    *(arithmetic.expression, arithmetic.power_remainder, arithmetic.fraction_sum, arithmetic.base_conversion),
    *(arithmetic.digit_sum, arithmetic.trailing_zeros, arithmetic.mixture),
    *(numbers.divisible, numbers.gcd_lcm, numbers.primes_between, numbers.remainders, numbers.divisors),
    *(numbers.totient, counting.grid_paths, counting.arrangements, counting.change, counting.fixed_points),
    *(counting.subset_sums, counting.dice_sum, counting.urn, counting.largest_die),
    *(sequences.recurrence, sequences.collatz, sequences.josephus, sequences.linear_system),
    *(sequences.determinant, sequences.polynomial),
    *(graphs.shortest_path, graphs.spanning_tree, graphs.components),
    *(tables.group_total, tables.filter_sum, tables.ranking, tables.join, tables.word_count, tables.longest_run),
    *(tables.weekday, tables.days_between),
)

FAMILIES: Mapping[str, Family] = {family.__name__: family for family in _ALL}
