"""Settings as people may see them: what might hold a secret only as set or not set."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

SECRET: Final = ("url", "uri", "secret", "keys", "client_id", "password")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    name: str
    value: str | None  # None: it is secret
    is_set: bool
    about: str


def settings_shown(
    values: Mapping[str, object], *, about: Mapping[str, str], only: Iterable[str] = ()
) -> Iterator[Setting]:
    """Yield each setting.

    Args:
        values: By field.
        about: What each is for.
        only: These alone, by name; without, all.
    """
    wanted = {one.lower() for one in only}
    for name, value in values.items():
        if wanted and name not in wanted:
            continue
        hidden = any(word in name for word in SECRET) or hasattr(value, "get_secret_value")
        yield Setting(
            name=name.upper(),
            value=None if hidden else str(value),
            is_set=bool(value) if hidden else value is not None,
            about=about.get(name, ""),
        )
