"""Numbers, money, days and times as the pages write them: in one place, in office time."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from application.catalogue import printable
from application.web.texts import COUNT, text_of

CENT: Final = Decimal("0.01")
HOUR_S: Final = 3_600
MINUTE_S: Final = 60
WEEK_DAYS: Final = 6
NONE: Final = "\u2013"


@dataclass(frozen=True, slots=True)
class Formats:
    """How one page writes what it shows.

    Args:
        language: Of the words.
        office: The zone times are told in.
        currency: Of every amount.
        now: The moment the page is made.
    """

    language: str
    office: ZoneInfo
    currency: str
    now: datetime

    def text(self, key: str, **facts: object) -> str:
        """Return words of the catalogue; numbers, money and times among the facts are written out.

        Args:
            key: Of the text.
            facts: What fills its braces; `count` also chooses between one and several.
        """
        count = facts.get(COUNT)
        return text_of(
            key,
            {name: self.told(fact) for name, fact in facts.items()},
            count=count if isinstance(count, int) else None,
            language=self.language,
        )

    def told(self, fact: object) -> str:
        """Return one fact as a sentence holds it; an amount with its currency."""
        match fact:
            case int():
                return self.count(fact)
            case Decimal():
                return self.amount(fact)
            case datetime() | None:
                return self.moment(fact)
            case date():
                return self.day(fact)
            case _:
                return printable(str(fact))

    def count(self, number: int) -> str:
        """Return `1,250`."""
        return f"{number:,}"

    def money(self, amount: Decimal | None) -> str:
        """Return `450,000`, or `450,000.50` where there is a fraction, without currency."""
        if amount is None:
            return NONE
        whole = amount.quantize(CENT)
        return f"{whole:,.0f}" if whole == whole.to_integral_value() else f"{whole:,.2f}"

    def amount(self, amount: Decimal) -> str:
        """Return `450,000 RWF`."""
        return f"{self.money(amount)} {self.currency}"

    def percent(self, share: Decimal) -> str:
        """Return `96.3%`; never 100% while something is missing."""
        rounded = share.quantize(Decimal("0.1"))
        if rounded == 100 and share < 100:  # noqa: PLR2004 - per cent
            rounded = Decimal("99.9")
        return f"{rounded}%"

    def day(self, day: date | None) -> str:
        """Return `18 Jan 2025`."""
        return NONE if day is None else f"{day.day} {self._month(day)} {day.year}"

    def month(self, day: date) -> str:
        """Return `Jan 2025`."""
        return f"{self._month(day)} {day.year}"

    def clock(self, at: datetime) -> str:
        """Return `10:12`."""
        return f"{at.astimezone(self.office):%H:%M}"

    def seconds_clock(self, at: datetime) -> str:
        """Return `10:12:44`."""
        return f"{at.astimezone(self.office):%H:%M:%S}"

    def moment(self, at: datetime | None) -> str:
        """Return `today 10:12`, `Tue 20:00` within a week, else `18 Jan 2025 10:12`."""
        if at is None:
            return NONE
        local = at.astimezone(self.office)
        away = (local.date() - self.now.astimezone(self.office).date()) // timedelta(days=1)
        near = {0: "moment.today", 1: "moment.tomorrow", -1: "moment.yesterday"}.get(away)
        if near is not None:
            return self.text(near, time=self.clock(at))
        if abs(away) <= WEEK_DAYS:
            return f"{self.text(f'weekday.{local.weekday()}')} {self.clock(at)}"
        return f"{self.day(local.date())} {self.clock(at)}"

    def lasted(self, span: timedelta | None) -> str:
        """Return `3 s`, `21 min` or `2 h 5 min`."""
        if span is None:
            return NONE
        seconds = max(0, round(span / timedelta(seconds=1)))
        if seconds < MINUTE_S:
            return self.text("span.seconds", number=seconds)
        if seconds < HOUR_S:
            return self.text("span.minutes", number=seconds // MINUTE_S)
        hours, rest = divmod(seconds, HOUR_S)
        return self.text("span.hours", number=hours, minutes=rest // MINUTE_S)

    def stamp(self, at: datetime) -> str:
        """Return an instant as programs read it, in office time."""
        return at.astimezone(self.office).isoformat(timespec="seconds")

    def _month(self, day: date) -> str:
        return self.text(f"month.{day.month}")
