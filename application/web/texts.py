"""The words of the pages, from one catalogue a language: found by their key, with plurals."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("texts")
# Which numbers take the form `one`; all others take `other`.
PLURALS: Final[Mapping[str, Callable[[int], bool]]] = {
    "en": lambda number: number == 1,
    "fr": lambda number: number in {0, 1},
}
COUNT: Final = "count"

Words = Mapping[str, str | Mapping[str, str]]


class TextMissing(Exception):
    """A page asks for words the catalogue does not have, or leaves out what they name.

    Args:
        key: Of the words.
    """

    def __init__(self, *, key: str) -> None:
        super().__init__(key)
        self.key = key


@cache
def words_of(language: str) -> Words:
    """Return every text of a language by its key."""
    found: Words = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def languages() -> list[str]:
    """Return the languages there is a catalogue for."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def text_of(key: str, facts: Mapping[str, str], *, count: int | None, language: str) -> str:
    """Return one text, its braces filled.

    Args:
        key: Of the text.
        facts: What fills the braces, by name.
        count: Which of its forms is right, where it has several.
        language: Of the catalogue.

    Raises:
        TextMissing: There is no such text, or one of its facts is not given.
    """
    entry = words_of(language).get(key)
    if isinstance(entry, Mapping):
        if count is None:
            raise TextMissing(key=key)
        entry = entry["one" if PLURALS[language](count) else "other"]
    if entry is None:
        raise TextMissing(key=key)
    try:
        return entry.format(**facts)
    except (KeyError, IndexError):
        raise TextMissing(key=key) from None
