"""The grammar of a query statement: exactly what Intuit documents, strict about quotes."""

import re
from dataclasses import dataclass, field
from typing import Final

from qbo_simulator import refusals

TOKEN: Final = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))"""
    r"""|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><=|>=|=|<|>|,|\(|\)|\*))""",
    re.DOTALL,
)
CLAUSES: Final = frozenset({"ORDERBY", "ORDER", "STARTPOSITION", "MAXRESULTS", "WHERE", "AND"})
SIGNS: Final = frozenset({"=", "<", ">", "<=", ">="})


@dataclass(frozen=True, slots=True)
class Word:
    """One token and the column it starts in."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Condition:
    """`name sign values`; only IN has several."""

    name: str
    sign: str
    values: tuple[str, ...]


@dataclass(slots=True)
class Question:
    """A parsed statement."""

    entity: str
    count: bool = False
    conditions: list[Condition] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    start: int = 1
    limit: int | None = None


def words_of(statement: str) -> list[Word]:
    """Split a statement.

    Raises:
        Refusal: 4000 with the offending character.
    """
    if not statement.strip():
        raise refusals.query_syntax(
            'Encountered "<EOF>" at line 0, column 0. Was expecting: "select"'
        )
    words: list[Word] = []
    at = 0
    end = len(statement.rstrip())
    while at < end:
        match = TOKEN.match(statement, at)
        if match is None:
            at += len(statement[at:]) - len(statement[at:].lstrip())
            sign = statement[at]
            raise refusals.query_syntax(
                f"Invalid content. Lexical error at line 1, column {at + 1}.  "
                f'Encountered: "{sign}" ({ord(sign)}), after : ""'
            )
        kind = str(match.lastgroup)
        words.append(Word(kind, match.group(kind), match.start(kind) + 1))
        at = match.end()
    return words


class Parser:
    """Reads one statement from left to right."""

    def __init__(self, statement: str) -> None:
        self._words = words_of(statement)
        self._at = 0

    def question(self) -> Question:
        """Return the statement as a question.

        Raises:
            Refusal: 4000 or 4001.
        """
        self._take("SELECT")
        count = self._selection()
        self._take("FROM")
        question = Question(entity=self._one("word").text, count=count)
        if self._maybe("WHERE"):
            question.conditions.append(self._condition())
            while self._maybe("AND"):
                question.conditions.append(self._condition())
        self._tail(question)
        return question

    def _selection(self) -> bool:
        if self._maybe("COUNT"):
            for sign in ("(", "*", ")"):
                self._take(sign)
            return True
        self._take("*")
        if self._maybe(","):
            # `SELECT *, Sku FROM Item` is the one projection a public client depends on.
            self._take("SKU")
        return False

    def _condition(self) -> Condition:
        name = self._one("word").text
        if self._maybe("IN"):
            self._take("(")
            values = [self._value()]
            while self._maybe(","):
                values.append(self._value())
            self._take(")")
            return Condition(name, "IN", tuple(values))
        if self._maybe("LIKE"):
            return Condition(name, "LIKE", (_unescaped(self._one("string").text),))
        sign = self._one("sign")
        if sign.text not in SIGNS:
            raise self._unexpected(sign)
        return Condition(name, sign.text, (self._value(),))

    def _value(self) -> str:
        word = self._next()
        if word.kind == "string":
            return _unescaped(word.text)
        if word.kind == "number":
            return word.text
        if word.kind == "word" and word.text.upper() in {"TRUE", "FALSE"}:
            return word.text.lower()
        if word.kind == "word" and word.text.upper() == "CURRENT_DATE":
            return "CURRENT_DATE"
        raise self._unexpected(word)

    def _tail(self, question: Question) -> None:
        if self._maybe("ORDERBY") or (self._maybe("ORDER") and self._take("BY")):
            question.order.append(self._order())
            while self._maybe(","):
                question.order.append(self._order())
        while self._at < len(self._words):
            word = self._next()
            match word.text.upper():
                case "STARTPOSITION":
                    question.start = int(self._one("number").text)
                case "MAXRESULTS":
                    question.limit = int(self._one("number").text)
                case _:
                    raise self._unexpected(word)

    def _order(self) -> tuple[str, bool]:
        name = self._one("word").text
        if self._maybe("DESC"):
            return name, True
        self._maybe("ASC")
        return name, False

    def _next(self) -> Word:
        if self._at >= len(self._words):
            last = self._words[-1]
            raise refusals.query_syntax(
                f'Encountered "<EOF>" at line 1, column {last.column + len(last.text) - 1}.\n'
                "Was expecting one of:\n    <IDENTIFIER> ..."
            )
        word = self._words[self._at]
        self._at += 1
        return word

    def _one(self, kind: str) -> Word:
        word = self._next()
        if word.kind != kind or (kind == "word" and word.text.upper() in CLAUSES):
            raise self._unexpected(word)
        return word

    def _take(self, text: str) -> bool:
        word = self._next()
        if word.text.upper() != text:
            raise self._unexpected(word)
        return True

    def _maybe(self, text: str) -> bool:
        if self._at < len(self._words) and self._words[self._at].text.upper() == text:
            self._at += 1
            return True
        return False

    @staticmethod
    def _unexpected(word: Word) -> refusals.Refusal:
        names = {"word": "<IDENTIFIER> ", "string": "<STRING> ", "number": "<NUMBER> ", "sign": ""}
        return refusals.query_syntax(
            f'Encountered " {names[word.kind]}"{word.text} "" at line 1, column {word.column}.\n'
            "Was expecting one of:\n    <EOF> \n    <AND> ..."
        )


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(['\\])", r"\1", quoted[1:-1])
