"""One wrong change tried: a child with the changed file in place runs that file's own tests."""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from enum import StrEnum
from io import StringIO
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from tests.laws.reading import ROOT

TRIAL_S = 40
_BROKEN = 77  # the changed file cannot even be imported: no test is needed to notice
# The core needs no fixture, no plugin and nothing kept: a start costs a tenth without them.
# Tried only on what nothing else noticed.
_SLOW = "TestRubbish or full_page or as_many_values or outside_the_table"
_NONE_CHOSEN = 5  # how pytest says that no test has such a name
_PLAIN = ("-x", "-q", "--noconftest", "-p", "no:cacheprovider")


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    BROKEN = "broken"  # could not be imported; it counts for nothing


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another text than its file has."""

    def __init__(self, name: str, *, tree: ast.Module, file: Path) -> None:
        self._name = name
        self._tree = tree
        self._file = file

    @override
    def find_spec(
        self, fullname: str, _path: object, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._file, loader=self)

    @override
    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    @override
    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, str(self._file), "exec"), vars(module))  # noqa: S102 - our own file, changed


def warm_up() -> None:
    """Load what every child needs and none changes; a child finds it in its memory."""

    @given(st.tuples(st.text(), st.dates(), st.decimals(), st.emails()))
    def drawn(_values: object) -> None:
        pass

    drawn()
    msgspec.json.encode({})
    with redirect_stdout(StringIO()):
        pytest.main([*_PLAIN, "--collect-only", "tests/laws/test_size.py"])


def module_of(file: str) -> str:
    """Return the name a file is imported by."""
    return file.removesuffix(".py").replace("/", ".")


def fate_of(file: str, *, tree: ast.Module, tests: Sequence[str]) -> Fate:
    """Try one change in a child of this process."""
    child = os.fork()
    if child == 0:
        _try_here(file, tree=tree, tests=tests)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return Fate.KILLED  # it never came to an end
    match os.WEXITSTATUS(status):
        case 0:
            return Fate.SURVIVED
        case code if code == _BROKEN:
            return Fate.BROKEN
        case _:
            return Fate.KILLED


def _try_here(file: str, *, tree: ast.Module, tests: Sequence[str]) -> None:
    code = _BROKEN
    try:
        signal.alarm(TRIAL_S)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.meta_path.insert(0, _Changed(module_of(file), tree=tree, file=ROOT / file))
        importlib.import_module(module_of(file))
        code = int(pytest.main([*_PLAIN, "-k", f"not ({_SLOW})", *tests]))
        if code == 0:
            code = int(pytest.main([*_PLAIN, "-k", _SLOW, *tests]))
            code = 0 if code == _NONE_CHOSEN else code
    finally:
        # Nothing of the parent's may run twice: no exit handler, no buffer written again.
        os._exit(code)
