"""A page that was right once is believed when it is wrong.

The pages drawn from the code are drawn again and compared, links between pages lead somewhere, and
the pages name no command, setting or cause that does not exist. It cannot see a sentence that
became untrue.
"""

import importlib.util
import re
from types import ModuleType

from typer.core import TyperGroup
from typer.main import get_command

from application.cli.commands import app
from application.settings import Settings
from tests.laws.reading import ROOT, Source, everything

COMMAND = re.compile(r"(?:^ *|`|bin/|\$ )feebridge ([a-z][a-z-]+)", flags=re.MULTILINE)
TOOL = re.compile(r"sync_invoices\.py ([a-z][a-z-]+)")
NOT_DUE = frozenset({"adopt"})  # named by causes that later commands bring
SETTING = re.compile(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def generator() -> ModuleType:
    """Return docs/generate.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dead_links(pages: list[Source]) -> list[str]:
    return [
        f"{page.path} -> {target}"
        for page in pages
        for target, _ in LINK.findall(page.text)
        if not (ROOT / page.path).parent.joinpath(target).exists()
    ]


def pages() -> list[Source]:
    return [source for source in everything() if source.path.endswith(".md")]


def unknown_commands(sources: list[Source]) -> list[str]:
    """Return the commands pages name and the program does not have."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return [
        f"{source.path} {command}"
        for source in sources
        for command in [*COMMAND.findall(source.text), *TOOL.findall(source.text)]
        if command not in {*root.commands, *NOT_DUE}
    ]


def unknown_settings(sources: list[Source]) -> list[str]:
    """Return the settings pages name and the program does not read."""
    return [
        f"{source.path} {name}"
        for source in sources
        for name in SETTING.findall(source.text)
        if name.lower() not in Settings.model_fields
    ]


class TestReferencePages:
    def test_say_what_the_code_says(self) -> None:
        stale = [
            name
            for name, text in generator().pages()
            if (ROOT / "docs/reference" / name).read_text(encoding="utf-8") != text
        ]

        assert stale == []


class TestLinks:
    def test_lead_somewhere(self) -> None:
        assert dead_links(pages()) == []

    def test_are_found_dead(self) -> None:
        planted = Source("docs/README.md", "[a](gone.md#x) [b](reference/guide.md) [c](#here)")

        assert dead_links([planted]) == ["docs/README.md -> gone.md"]


class TestPages:
    def test_name_commands_that_exist(self) -> None:
        assert unknown_commands(pages()) == []

    def test_name_settings_that_exist(self) -> None:
        assert unknown_settings(pages()) == []

    def test_are_caught_making_things_up(self) -> None:
        planted = Source("a.md", "    feebridge dance\nset `MOON_PHASE=full` or `BATCH_SIZE=5`\n")

        assert unknown_commands([planted]) == ["a.md dance"]
        assert unknown_settings([planted]) == ["a.md MOON_PHASE"]
