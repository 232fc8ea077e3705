"""Puts one bug into the running code and takes it out again; only tests can.

Everywhere else tests leave our own code alone. Here a change of it is the subject: a harness that
does not see a planted bug proves nothing. An edit names a function and the words it replaces; where
the words are gone, the edit fails loudly instead of testing the sound code.
"""

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType
from typing import TypeVar

_T = TypeVar("_T")
MARK = "planted"


class Moved(Exception):
    """The code an edit changes no longer reads as it did; the edit must follow it.

    Args:
        place: Module and function.
        why: What is different.
    """

    def __init__(self, place: str, *, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one function.

    Args:
        place: `module:function` or `module:Class.function`, below `application`.
        was: Words that stand in it exactly once.
        now: What stands there instead; it calls `planted()`, or passes a value through
            `planted(value)`, wherever the bug is at work.
    """

    place: str
    was: str
    now: str


class Reached:
    """Counts how often a bug was at work."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, value: _T = None) -> _T:  # type: ignore[assignment] # a mark without a value
        """Count, and pass the value through."""
        self.times += 1
        return value


@contextmanager
def growing(edits: Sequence[Edit]) -> Iterator[Reached]:
    """Have the code run with these edits; everything is as before when it ends.

    Raises:
        Moved: The code no longer holds what an edit replaces. Nothing is changed.
    """
    by_place: dict[str, list[Edit]] = {}
    for edit in edits:
        by_place.setdefault(edit.place, []).append(edit)
    grown = [(function_at(place), changed(place, each)) for place, each in by_place.items()]
    reached = Reached()
    with ExitStack() as undo:
        for function, code in grown:
            if function.__globals__.setdefault(MARK, reached) is not reached:
                raise Moved(function.__qualname__, why=f"another bug grows in {MARK}")
            undo.callback(function.__globals__.pop, MARK, None)
            undo.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = code
        yield reached


def function_at(place: str) -> FunctionType:
    """Return the function of a place.

    Raises:
        Moved: There is none.
    """
    module, _, name = place.partition(":")
    thing: object = import_module(f"application.{module}")
    for part in name.split("."):
        if part not in vars(thing):
            raise Moved(place, why=f"no {part}")
        thing = vars(thing)[part]
    if not isinstance(thing, FunctionType):
        raise Moved(place, why="it is no plain function")
    return thing


def changed(place: str, edits: Sequence[Edit]) -> CodeType:
    """Return the code of a function with these edits.

    Raises:
        Moved: Words an edit replaces do not stand there exactly once.
    """
    function = function_at(place)
    text = textwrap.dedent(inspect.getsource(function))
    for edit in edits:
        was, now = textwrap.dedent(edit.was).strip("\n"), textwrap.dedent(edit.now).strip("\n")
        margin = _margin(text, was)
        if margin is None:
            raise Moved(place, why=f"not once in it: {was!r}")
        if MARK not in now:
            raise Moved(place, why="the edit does not say when it is at work")
        text = text.replace(_indented(was, margin), _indented(now, margin))
    whole = compile(text, f"<bug in {place}>", "exec")
    (code,) = (
        one
        for one in whole.co_consts
        if isinstance(one, CodeType) and one.co_name == function.__name__
    )
    return code


def _margin(text: str, was: str) -> str | None:
    """Return how far the words are indented; None where they do not stand there exactly once."""
    first = was.split("\n", maxsplit=1)[0]
    margins = {
        line[: len(line) - len(line.lstrip())] for line in text.splitlines() if first in line
    }
    hits = [one for one in margins if text.count(_indented(was, one)) == 1]
    return hits[0] if len(hits) == 1 else None


def _indented(words: str, margin: str) -> str:
    """Return words with every line but the first moved in."""
    first, *rest = words.split("\n")
    return "\n".join([first, *(margin + line if line.strip() else line for line in rest)])
