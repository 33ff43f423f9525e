"""Where the games come from: `GeneratedGames` makes them on demand and keeps them, `GivenGame` is one file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from turnwise.envs.cache import cache_key, cached_folder
from turnwise.envs.core import EnvFailure
from turnwise.envs.textworld.making import make_game_file
from turnwise.envs.textworld.recipes import LEVELS, Recipe, check_number

FORMAT = 1  # of the cache; another one makes every game anew
HIGHEST_SEED = 2**31 - 1
GAME_FILE = "game.z8"


@dataclass(frozen=True, slots=True)
class GeneratedGames:
    """`games` games of one recipe, numbered from `first_game` on; the number is TextWorld's seed.

    games None: as many as there are seeds. Raises ValueError on a bad number.
    """

    recipe: Recipe
    games: int | None = 100
    first_game: int = 0

    def __post_init__(self) -> None:
        check_number("first_game", self.first_game, 0, HIGHEST_SEED - 1)
        if self.games is not None:
            check_number("games", self.games, 1, HIGHEST_SEED - self.first_game)

    @property
    def task(self) -> str:
        return self.recipe.kind

    @property
    def levels(self) -> tuple[str, ...]:
        return LEVELS

    @property
    def level(self) -> str | None:
        return self.recipe.level

    def draw(self, rng: np.random.Generator) -> int:
        """The number of one of the games."""
        count = HIGHEST_SEED - self.first_game if self.games is None else self.games
        return self.first_game + int(rng.integers(count))

    def path(self, number: int) -> Path:
        """The game's file, out of the cache or made now (0.5 to 8 s). Two processes may make it at once.

        Raises ValueError where TextWorld finds no such game, EnvFailure where it cannot be compiled or written.
        """
        from importlib.metadata import version

        key = cache_key(format=FORMAT, textworld=version("textworld"), game=self.name(number))
        try:
            folder = cached_folder(
                f"textworld/{self.recipe.kind}",
                f"{number}-{key}",
                lambda draft: make_game_file(self.recipe, number, draft / GAME_FILE),
            )
        except OSError as error:
            raise EnvFailure(f"the cache of TextWorld games cannot be written: {error}") from error
        return folder / GAME_FILE

    def name(self, number: int) -> str:
        """What tells the game from every other one."""
        return f"{self.recipe} seed={number}"


@dataclass(frozen=True, slots=True)
class GivenGame:
    """One game that a user has made, for example with `tw-make`. Raises ValueError unless both its files are there."""

    file: str
    task: str = "game_file"
    levels: tuple[str, ...] = ()
    level: str | None = None

    def __post_init__(self) -> None:
        path = Path(self.file)
        if path.suffix != ".z8":
            raise ValueError(f"game_file is a .z8 file that TextWorld made: got {self.file!r}")
        for needed in (path, path.with_suffix(".json")):
            if not needed.is_file():
                raise ValueError(f"game_file needs the .z8 file and its .json beside it: {str(needed)!r} is not there")

    def draw(self, rng: np.random.Generator) -> int:
        """0: there is one game, and chance has no part in it."""
        return 0

    def path(self, number: int) -> Path:
        return Path(self.file)

    def name(self, number: int) -> str:
        """What tells the game from every other one: a digest of the file."""
        return hashlib.sha256(Path(self.file).read_bytes()).hexdigest()
