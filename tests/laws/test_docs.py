"""A page that was right once is believed when it is wrong.

The pages drawn from the code are drawn again and compared, links between pages lead somewhere, and
the pages name no command, setting or cause that does not exist. It cannot see a sentence that
became untrue.
"""

import importlib.util
import re
from types import ModuleType

from tests.laws.reading import ROOT, Source, everything

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
        pages = [source for source in everything() if source.path.endswith(".md")]

        assert dead_links(pages) == []

    def test_are_found_dead(self) -> None:
        planted = Source("docs/README.md", "[a](gone.md#x) [b](reference/guide.md) [c](#here)")

        assert dead_links([planted]) == ["docs/README.md -> gone.md"]
