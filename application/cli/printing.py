"""Tables, figures and marks for a terminal; --json; plain when the output is not a terminal."""

import io
import json
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TextIO
from zoneinfo import ZoneInfo

from application.cli.asking import Ask
from application.shown.texts import json_text

LIST_BELOW = 60
WIDTH_UNKNOWN = 80
CELL_LEAST = 8
MINUTE_S = 60
HOUR_S = 3600
MARKS: Final = {
    "statistics": ("📊", "[i]"),
    "synced": ("✅", "[ok]"),
    "waiting": ("⏳", "[..]"),
    "failed": ("❌", "[x]"),
    "in_progress": ("🔄", "[>]"),
    "progress": ("📈", "[%]"),
}


class Screen:
    """Where a command writes: results on stdout, progress and notes on stderr.

    Args:
        out: Standard output.
        err: Standard error.
        ask: How somebody wants to be answered.
    """

    def __init__(self, *, out: TextIO, err: TextIO, ask: Ask) -> None:
        self.ask = ask
        self._out = out
        self._err = err
        self._gone: set[int] = set()
        for stream in (out, err):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    @property
    def width(self) -> int:
        """Columns of the terminal, else 80."""
        return shutil.get_terminal_size((WIDTH_UNKNOWN, 24)).columns

    @property
    def err_is_terminal(self) -> bool:
        """Whether somebody watches."""
        return self._err.isatty()

    def mark(self, name: str) -> str:
        """Return the guide's emoji, or its sign in brackets where the encoding has none."""
        emoji, sign = MARKS[name]
        return emoji if self.can_show(emoji) else sign

    def can_show(self, text: str) -> bool:
        """Return whether the encoding of stdout has these characters."""
        try:
            text.encode(self._out.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def say(self, text: str = "") -> None:
        """Write a line of the result; silent where a program reads stdout."""
        if not self.ask.bare:
            self._write(self._out, text)

    def note(self, text: str) -> None:
        """Write a line beside the result, unless asked to be quiet."""
        if not self.ask.quiet:
            self._write(self._err, text)

    def complain(self, text: str) -> None:
        """Write a line of an error."""
        self._write(self._err, text)

    def next(self, command: str) -> None:
        """Name the one command that makes sense now."""
        if not self.ask.quiet:
            self.say(f"Next: {command}")

    def document(self, content: object) -> None:
        """Write one JSON document on a line of its own."""
        text = json_text(content)
        if not self.can_show(text):
            text = "".join(each if each.isascii() else _escaped_for_json(each) for each in text)
        self._write(self._out, text)

    def table(self, columns: Sequence["Column"], rows: Sequence[Sequence[str]]) -> None:
        """Write rows under their titles, as a list where the terminal is narrow."""
        for line in table_lines(columns, rows, width=self.width):
            self.say(line)

    def flush(self) -> None:
        """Write out what is held back."""
        for stream in (self._out, self._err):
            self._guarded(stream, "")

    def _write(self, stream: TextIO, text: str) -> None:
        self._guarded(stream, text + "\n")

    def _guarded(self, stream: TextIO, text: str) -> None:
        # A reader that went away (`| head`) must not stop a run in the middle of its work.
        if id(stream) in self._gone:
            return
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            self._gone.add(id(stream))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; numbers stand right and are never cut."""

    title: str
    number: bool = False
    whole: bool = False  # never cut either


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int
) -> Iterator[str]:
    """Yield the lines of a table, or of a list below 60 columns."""
    if width < LIST_BELOW:
        yield from _list_lines(columns, rows)
        return
    widths = _widths(columns, rows, width=width)
    yield _line([column.title for column in columns], columns=columns, widths=widths)
    for row in rows:
        yield _line(row, columns=columns, widths=widths)


def _list_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        for position, (column, cell) in enumerate(zip(columns, row, strict=True)):
            yield f"{'  ' if position == 0 else '    '}{column.title}: {cell}"


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int) -> list[int]:
    widths = [
        max(columns_of(cell) for cell in (column.title, *(row[position] for row in rows)))
        for position, column in enumerate(columns)
    ]
    # The last column may run over: it is text, and cutting it would hide what to do.
    soft = [at for at, column in enumerate(columns[:-1]) if not column.number and not column.whole]
    while sum(widths) + 2 * len(widths) > width and soft:
        widest = max(soft, key=lambda at: widths[at])
        if widths[widest] <= CELL_LEAST:
            break
        widths[widest] -= 1
    return widths


def _line(cells: Sequence[str], *, columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts: list[str] = []
    for position, cell in enumerate(cells):
        last = position == len(cells) - 1
        text = cell if last else cut(cell, most=widths[position])
        room = " " * max(0, widths[position] - columns_of(text))
        parts.append(room + text if columns[position].number else text + room)
    return ("  " + "  ".join(parts)).rstrip()


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def cut(text: str, *, most: int) -> str:
    """Return the text, or its beginning and two dots where it is too wide."""
    if columns_of(text) <= most:
        return text
    kept = text
    while columns_of(kept) > most - 2:
        kept = kept[:-1]
    return kept + ".."


def number(count: int) -> str:
    """Return a count with thousands apart."""
    return f"{count:,}"


def money(amount: Decimal | None) -> str:
    """Return an amount: no decimals unless there are any."""
    if amount is None:
        return "-"
    whole = amount == amount.to_integral_value()
    return f"{amount:,.0f}" if whole else f"{amount:,.2f}"


def lasted(milliseconds: int) -> str:
    """Return a time span as people say it: `3 s`, `1 min 24 s`, `2 h 5 min`."""
    seconds = (milliseconds + 500) // 1000
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min {seconds % MINUTE_S} s"
    return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S} min"


def day(when: date) -> str:
    """Return a calendar day: `2 Mar 2026`."""
    return f"{when.day} {when:%b %Y}"


def moment(when: datetime, *, office: ZoneInfo, now: datetime) -> str:
    """Return an instant in office time: `today 06:02`, `22 Nov 09:30`."""
    here = when.astimezone(office)
    today = here.date() == now.astimezone(office).date()
    return f"today {here:%H:%M}" if today else f"{here.day} {here:%b %H:%M}"


def _escaped_for_json(sign: str) -> str:
    return json.dumps(sign)[1:-1]
