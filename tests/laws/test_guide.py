"""The guide is the contract; a word changed in our copy of it would change the promise unseen.

The copy is the customer's file byte for byte, and what it names stands where it says. Whether the
commands print what it prints is for the walks.
"""

import ast
import hashlib
import re

from tests.laws.reading import ROOT, Source, length

GUIDE = ROOT / "docs/reference/guide.md"
SHA256 = "93725489e42820ba2b4dba1e36321cf722bb1e7bd23849a9177e29e64ede4a00"
TOOL = ROOT / "tools/sync_invoices.py"
STATEMENTS = 3


def titles_in(guide: str) -> list[str]:
    """Return the four error titles, as quoted there."""
    return re.findall(r'^\d\. \*\*"([^"]+)"\*\*$', guide, flags=re.MULTILINE)


def commands_in(guide: str) -> set[str]:
    return set(re.findall(r"python3 tools/sync_invoices\.py (\w+)", guide))


def statements(source: Source) -> list[ast.stmt]:
    """Return what a file does, without its docstring and what it imports from Python itself."""
    return [
        node
        for node in source.tree.body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not isinstance(node, ast.Import)
        and not (isinstance(node, ast.ImportFrom) and node.module == "pathlib")
    ]


class TestGuide:
    def test_is_the_customer_s_word_for_word(self) -> None:
        assert hashlib.sha256(GUIDE.read_bytes()).hexdigest() == SHA256

    def test_names_files_that_stand(self) -> None:
        guide = GUIDE.read_text(encoding="utf-8")
        due = {
            "application/api/v1/sync.py",
            "application/services/invoice_sync.py",
            "tools/sync_invoices.py",
        }

        assert {path for path in due if path in guide and (ROOT / path).is_file()} == due

    def test_has_four_titles_and_four_commands(self) -> None:
        guide = GUIDE.read_text(encoding="utf-8")

        assert titles_in(guide) == [
            "Customer not found",
            "Invalid amount",
            "QuickBooks API rate limit",
            "Authentication failed",
        ]
        assert commands_in(guide) == {"analyze", "preview", "batch", "all", "status"}


class TestTool:
    def test_is_three_statements(self) -> None:
        source = Source("tools/sync_invoices.py", TOOL.read_text(encoding="utf-8"))

        assert len(statements(source)) == STATEMENTS
        assert sum(length(each) for each in statements(source)) == STATEMENTS

    def test_would_be_seen_doing_more(self) -> None:
        planted = Source("tool.py", '"""Door."""\nimport sys\nx = 1\ny = 2\nfrom a import b\nb()\n')

        assert len(statements(planted)) == 4
