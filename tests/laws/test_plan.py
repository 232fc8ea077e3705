"""A file nobody decided on becomes the place where everything without a place is put.

The tree equals the plan printed in docs/explanation/architecture.md: a new file is a decision, and
so is a file that went. It cannot see whether a file holds what its line says.
"""

import re

from tests.laws.reading import PRODUCT, ROOT, python_in

PAGE = ROOT / "docs/explanation/architecture.md"
LINE = re.compile(r"^(?P<path>[a-z_]+/[a-z0-9_/]*(?:\.py)?)\s{2,}\S")


def planned(page: str) -> set[str]:
    """Return the paths in the page's text blocks; one that ends in / covers what is below it."""
    found: set[str] = set()
    for block in re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL):
        found |= {match["path"] for line in block.splitlines() if (match := LINE.match(line))}
    return found


def differences(*, plan: set[str], tree: set[str]) -> list[str]:
    """Return what stands unplanned and what is planned and does not stand."""
    folders = tuple(path for path in plan if path.endswith("/"))
    unplanned = {path for path in tree - plan if not path.startswith(folders or "\0")}
    missing = {path for path in plan - tree if not path.endswith("/")}
    empty = {path for path in folders if not any(each.startswith(path) for each in tree)}
    return sorted(
        [f"not planned: {path}" for path in unplanned]
        + [f"not there: {path}" for path in missing | empty]
    )


class TestPlan:
    def test_equals_the_tree(self) -> None:
        tree = {
            source.path for source in python_in(*PRODUCT) if not source.path.endswith("__init__.py")
        }

        assert differences(plan=planned(PAGE.read_text(encoding="utf-8")), tree=tree) == []

    def test_shows_a_file_too_many_and_one_too_few(self) -> None:
        page = "```text\na/b.py   rules\na/c.py   gone\nd/e/      each one\n```\n"

        found = differences(plan=planned(page), tree={"a/b.py", "a/new.py", "d/e/one.py"})

        assert found == ["not planned: a/new.py", "not there: a/c.py"]
