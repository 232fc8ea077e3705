"""A page that trusts what it is given, loads from elsewhere, or speaks beside its catalogue.

Templates mark nothing as safe, hold no inline script or style and put a token into every form that
is posted; vendored scripts are the bytes we recorded; every word stands in the catalogue of texts,
and none stands there unused. It cannot see a word that code puts together from parts.
"""

import json
import re
from hashlib import sha256

from application.web.texts import FOLDER, languages
from tests.laws.reading import ROOT, Source, python_in

WEB = ROOT / "application/web"
STATIC = WEB / "static"
OURS = {"app.js"}
TRUSTING = re.compile(r"\|\s*safe\b|autoescape|\bMarkup\b|markupsafe")
INLINE = re.compile(
    r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=\"/static/)|javascript:|hx-on"
)
OUTSIDE = re.compile(r"(?:src|href|action|hx-(?:get|post))=\"(?:[a-z]+:)?//")
POSTED = re.compile(r"<form[^>]*method=\"post\".*?</form>", flags=re.DOTALL)
KEY = re.compile(r"[\"']([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+)[\"']")
PREFIX = re.compile(r"[\"']((?:[a-z][a-z0-9_]*\.)+)[\"']\s*~|f[\"']((?:[a-z][a-z0-9_]*\.)+)\{")


def templates() -> list[Source]:
    return [
        Source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
        for file in sorted((WEB / "templates").rglob("*.html"))
    ]


def code() -> list[Source]:
    """Return the code of the pages; how to write one is told in a docstring, not done."""
    return [one for one in python_in("application/web") if not one.path.endswith("__init__.py")]


def found(sources: list[Source], shape: re.Pattern[str]) -> list[str]:
    return [
        f"{source.path}:{number}"
        for source in sources
        for number, line in enumerate(source.lines, start=1)
        if shape.search(line)
    ]


def without_token(sources: list[Source]) -> list[str]:
    return [
        source.path
        for source in sources
        for form in POSTED.findall(source.text)
        if "token()" not in form
    ]


def asked_for(sources: list[Source], known: set[str]) -> tuple[set[str], set[str]]:
    """Return the keys pages name, and those a prefix of theirs covers."""
    named = {key for source in sources for key in KEY.findall(source.text)}
    prefixes = {a or b for source in sources for a, b in PREFIX.findall(source.text)}
    return named, {key for key in known if key.startswith(tuple(prefixes))}


def keys_of(language: str) -> set[str]:
    return set(json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8")))


class TestTemplates:
    def test_trust_nothing(self) -> None:
        pages = [one for one in code() if not one.path.endswith("rendering.py")]

        assert found([*templates(), *pages], TRUSTING) == []

    def test_hold_no_script_and_no_style(self) -> None:
        assert found(templates(), INLINE) == []

    def test_load_nothing_from_elsewhere(self) -> None:
        assert found(templates(), OUTSIDE) == []

    def test_put_a_token_into_every_form_that_is_posted(self) -> None:
        assert without_token(templates()) == []

    def test_are_caught(self) -> None:
        planted = [
            Source("a.html", "{{ name | safe }}\n<b style='x'>\n<a href=\"//cdn.example/x\">"),
            Source("b.html", '<form method="post" action="/x"><input></form>'),
            Source("c.html", '<script>x</script>\n<script src="/static/app.js"></script>'),
        ]

        assert found(planted, TRUSTING) == ["a.html:1"]
        assert found(planted, INLINE) == ["a.html:2", "c.html:1"]
        assert found(planted, OUTSIDE) == ["a.html:3"]
        assert without_token(planted) == ["b.html"]


class TestScripts:
    def test_of_others_are_the_bytes_that_were_recorded(self) -> None:
        recorded = json.loads((STATIC / "VENDORED.json").read_text(encoding="utf-8"))

        assert {name: one["sha256"] for name, one in recorded.items()} == {
            file.name: sha256(file.read_bytes()).hexdigest()
            for file in STATIC.glob("*.js")
            if file.name not in OURS
        }
        assert all(one["licence"] and one["from"] for one in recorded.values())


class TestTexts:
    def test_are_all_used_and_all_there(self) -> None:
        known = keys_of("en")
        named, covered = asked_for([*templates(), *code()], known)
        families = {key.split(".")[0] for key in known}

        missing = {key for key in named - known if key.split(".")[0] in families}
        assert {key for key in missing if not key.endswith((".html", ".json", ".css"))} == set()
        assert known - named - covered == set()

    def test_are_the_same_in_every_language(self) -> None:
        for language in languages():
            assert keys_of(language) == keys_of("en"), language

    def test_are_missed_and_noticed(self) -> None:
        planted = [Source("a.html", '{{ t("a.there") }}{{ t(\'a.gone\') }}{{ t("b." ~ x) }}')]

        named, covered = asked_for(planted, {"a.there", "a.idle", "b.one"})

        assert named == {"a.there", "a.gone"}
        assert covered == {"b.one"}
