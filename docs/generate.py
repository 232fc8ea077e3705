"""Write the reference pages that are drawn from the code; exit 1 when that changed one."""

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from application.settings import Settings

HERE = Path(__file__).resolve().parent / "reference"
UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_per_second": "a second",
    "_per_minute": "a minute",
}
SETTINGS_HEAD = """# Settings

Each is read from the environment, or from a file `.env` in the folder the command is started in;
the environment wins. A setting that is wrong, or that disagrees with another, stops every command
with exit 9 and is named.

| Setting | Default | Unit, limits | What it does |
| --- | --- | --- | --- |
"""


def unit_of(name: str) -> str:
    """Return what a setting counts, from the end of its name."""
    longest_first = sorted(UNITS, key=len, reverse=True)
    return next((UNITS[end] for end in longest_first if name.endswith(end)), "")


def limits_of(field: FieldInfo) -> str:
    """Return the smallest and largest value, as far as there are any."""
    least = next(
        (each.ge for each in field.metadata if getattr(each, "ge", None) is not None), None
    )
    most = next((each.le for each in field.metadata if getattr(each, "le", None) is not None), None)
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"{least} or more" if least is not None else ""


def shown(default: object) -> str:
    """Return a default as a person types it."""
    if default is None or default is PydanticUndefined or default == []:
        return "-"
    return f"`{default}`"


def settings_page() -> str:
    """Return the page of all settings, in the order of the class."""
    rows = [
        f"| `{name.upper()}` | {shown(field.default)} "
        f"| {', '.join(filter(None, (unit_of(name), limits_of(field)))) or '-'} "
        f"| {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of every page that comes from the code."""
    yield "settings.md", settings_page()


def main() -> int:
    """Write what differs and say so."""
    changed = 0
    for name, text in pages():
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"docs/reference/{name} was out of date and has been written anew")
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main())
