"""Writes the shipped word lists from SCOWL (Debian's package `scowl`); see LISTS.txt for its licence.

    python -m turnwise.envs.words.make_lists

Words of 4 to 8 letters a to z. Common ones are secrets, rarer ones are allowed as guesses only.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SOURCE = Path("/usr/share/dict/scowl")
TARGET = Path(__file__).parent
LENGTHS = range(4, 9)
COMMON, ALLOWED = (10, 20, 35), (10, 20, 35, 40, 50, 55, 60)
"""SCOWL's levels: up to 35 are words that most people know, up to 60 those of a good dictionary."""
ENDINGS = ("s", "ed", "ing")
"""A secret with one of these endings is left out where the word without it is known: plurals and forms of verbs."""
_STEMS = (
    *("arse", "ass", "bastard", "bitch", "bloody", "boob", "bugger", "bullshit", "butt", "cock", "coon", "crap", "cum"),
    *("cunt", "damn", "dick", "dildo", "dyke", "erotic", "fag", "fart", "fuck", "genital", "gook", "hell", "homo"),
    *("honky", "hooker", "incest", "jerk", "kike", "lesbian", "lynch", "molest", "murder", "nazi", "negro", "nigg"),
    *("nipple", "nude", "orgasm", "orgy", "paki", "penis", "piss", "poof", "porn", "prick", "pube", "pubic", "pussy"),
    *("queer", "rape", "raping", "rapist", "rectum", "retard", "savage", "scrotum", "semen", "sex", "shit", "slave"),
    *("slut", "sodom", "spastic", "sperm", "spic", "suicid", "terror", "testicl", "tit", "torture", "tranny", "turd"),
    *("twat", "vagina", "wank", "whore", "wog", "wop", "yid", "heroin", "cocaine", "rapes", "raped", "tits", "titty"),
)
"""Beginnings of words that are nobody's secret. A few harmless words go with them."""
_HARMLESS = ("title", "tithe", "titan", "titled", "sextant", "hello", "sexton", "button", "butter", "cockpit", "assess")


def read(levels: Iterable[int]) -> set[str]:
    """Words of these levels, without names, abbreviations and foreign letters."""
    found: set[str] = set()
    for level in levels:
        for kind in ("english", "american"):
            path = SOURCE / f"{kind}-words.{level}"
            found |= set(path.read_text(encoding="latin-1").split()) if path.exists() else set()
    return {word for word in found if len(word) in LENGTHS and word.isascii() and word.isalpha() and word.islower()}


def decent(word: str) -> bool:
    """Whether a word may be anybody's secret."""
    return word.startswith(_HARMLESS) or not word.startswith(_STEMS)


def main() -> None:
    """Write the lists."""
    allowed = read(ALLOWED)
    common = {word for word in read(COMMON) if decent(word)}
    for ending in ENDINGS:
        common -= {
            word
            for word in common
            if word.endswith(ending) and not word.endswith("ss") and _stem(word, ending) & allowed
        }
    for length in LENGTHS:
        for name, words in (("common", common), ("allowed", {word for word in allowed if decent(word)})):
            chosen = sorted(word for word in words if len(word) == length)
            (TARGET / f"{name}_{length}.txt").write_text("\n".join(chosen) + "\n", encoding="ascii")
            print(f"{name}_{length}.txt: {len(chosen)} words")


def _stem(word: str, ending: str) -> set[str]:
    """What the word may be a form of."""
    bare = word.removesuffix(ending)
    return {bare, bare + "e", bare[:-1] if bare[-1:] == bare[-2:-1] else bare, bare[:-1] + "y", bare.removesuffix("e")}


if __name__ == "__main__":
    main()
