"""Garbage is never an exception, never a success and never a definite refusal.

Two sources of garbage: Hypothesis, which grows answers from nothing, and answers once recorded,
spoiled in their structure. A case that means something new joins the answers that are spoiled next.
`PROVE=1` tries for ten minutes, else for a fixed number of cases.
"""

import json
import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from random import Random
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.invoices.model import Document, Kind, Party
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown
from application.quickbooks import wire
from application.quickbooks.answers import Answer
from tests.core.reading_again import body_of, entry_refuses, refuses, shows
from tests.core.rows import generated
from tests.core.spoiling import CHALLENGES, CODES, GOOD, STATUSES, TYPES, WAITS, WORDS, spoiled
from tests.proof.figures import PROVING, told

CASES = 12_000
PROOF_S = 600
CORPUS_MOST = 2_000
PLACES = 3
NAMES = {Kind.INVOICE: "Invoice", Kind.CUSTOMER: "Customer"}


def shown_by(found: Document | Party) -> tuple[object, ...]:
    """Return what we took from an answer, in the words of the other reading."""
    if isinstance(found, Party):
        return found.quickbooks_id, found.display_name
    number = found.doc_number
    return found.quickbooks_id, number, found.customer_id, Fraction(found.total), found.dated


def truly_shown(entry: Mapping[str, object] | None, *, kind: Kind) -> tuple[object, ...] | None:
    """Return what the other reading finds; None where it finds nothing created."""
    seen = shows(entry, entity=NAMES[kind]) if entry is not None else None
    if seen is None:
        return None
    if kind is Kind.CUSTOMER:
        return seen.id, seen.number
    number = seen.number if isinstance(seen.number, str) else None
    return seen.id, number, seen.customer_id, seen.total, seen.dated


def check(outcome: Outcome, *, entry: Mapping[str, object] | None, kind: Kind, whole: Answer,
          member: bool = False) -> None:  # fmt: skip
    """Hold one outcome against the other reading of the same bytes."""
    match outcome:
        case Ok(found=found):
            assert whole.status == 200
            assert shown_by(found) == truly_shown(entry, kind=kind)
        case Refused(passing=passing):
            assert passing is not Passing.NOT_SENT
            assert refuses(whole) or (
                member and entry is not None and entry_refuses(entry, status=whole.status)
            )
        case Unknown(why=why):
            assert why


def member_of(body: Mapping[str, object] | None, *, place: str) -> Mapping[str, object] | None:
    """Return the one item of a bundle's answer that stands for a place."""
    items = body.get("BatchItemResponse") if body else None
    named = [
        item
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and item.get("bId") == place
    ]
    return named[0] if len(named) == 1 else None


def judged(answer: Answer) -> list[Outcome]:
    """Judge an answer on every lane, hold each against the other reading, read all else too."""
    body = body_of(answer)
    outcomes: list[Outcome] = []
    for kind in Kind:
        single = wire.judge(answer, kind=kind)
        check(single, entry=body, kind=kind, whole=answer)
        outcomes.append(single)
        members = wire.judge_bundle(answer, places=PLACES, kind=kind)
        for number, one in enumerate(members):
            entry = member_of(body, place=f"i{number:02d}")
            check(one, entry=entry, kind=kind, whole=answer, member=True)
        outcomes += members
    for read in READS:
        found = read(answer)
        assert not isinstance(found, Refused) or refuses(answer)
    return outcomes


READS = (
    wire.read_documents,
    wire.read_document,
    wire.read_party,
    wire.read_items,
    wire.read_accounts,
    wire.read_count,
    wire.read_company,
    wire.read_preferences,
    wire.judge_item,
    lambda answer: wire.read_parties(answer, kind="Customer"),
)


def meant(outcomes: list[Outcome]) -> frozenset[tuple[str, ...]]:
    """Return what kinds of outcome an answer led to; a new set of them is worth keeping."""
    return frozenset((type(one).__name__, *_words(one)) for one in outcomes)


def _words(outcome: Outcome) -> Iterator[str]:
    if isinstance(outcome, Refused):
        yield from (outcome.cause, outcome.code or "")
    elif isinstance(outcome, Unknown):
        yield outcome.why


class TestRecordedAnswer:
    @pytest.mark.covers("E4", "E5", "E17")
    def test_spoiled_in_any_way_is_never_taken_for_what_it_is_not(self) -> None:
        seed = int(os.environ.get("SEED", "1"))  # noqa: TID251 - the tests' own switch, no setting
        until = monotonic() + PROOF_S
        corpus, known, tried = list(GOOD), {meant(judged(answer)) for answer in GOOD}, 0
        counted = dict.fromkeys(("Ok", "Refused", "Unknown"), 0)
        while monotonic() < until if PROVING else tried < CASES:
            chance = Random(f"{seed}.{tried}")  # noqa: S311 - a repeatable choice, no secret
            case = spoiled(chance.choice(corpus), chance=chance)
            outcomes = judged(case)
            counted[type(outcomes[0]).__name__] += 1
            if (kinds := meant(outcomes)) not in known and len(corpus) < CORPUS_MOST:
                known.add(kinds)
                corpus.append(case)
            tried += 1

        told("TF1", cases=tried, kinds=len(known), **counted)
        assert min(counted.values()) > tried // 100


errors = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from(CODES)
        | st.integers(0, 11_000).map(str)
        | st.integers()
        | st.none(),
        "Code": st.sampled_from(CODES),
        "Message": st.sampled_from(WORDS) | st.text(max_size=30),
        "Detail": st.sampled_from(WORDS) | st.none(),
        "element": st.sampled_from(["CustomerRef", "ItemRef", ""]) | st.none(),
    },
)
faults = st.fixed_dictionaries({}, optional={"Error": st.lists(errors, max_size=3)}) | st.none()
numbers = st.integers(-(10**20), 10**20) | st.decimals(allow_nan=False).map(str) | st.floats()
invoices = st.fixed_dictionaries(
    {"SyncToken": st.just("0"), "CustomerRef": st.just({"value": "1"})},
    optional={
        "Id": st.from_regex("[0-9]{1,32}", fullmatch=True) | st.text(max_size=5) | st.integers(),
        "TotalAmt": numbers,
        "TxnDate": st.dates().map(str) | st.text(max_size=10),
        "DocNumber": st.text(max_size=22) | st.none(),
        "TxnTaxDetail": st.fixed_dictionaries({}, optional={"TotalTax": numbers}),
    },
)
scraps = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "Invoice": invoices | scraps,
        "Customer": st.fixed_dictionaries({"Id": st.just("7"), "DisplayName": st.text()}) | scraps,
        "Fault": faults | scraps,
        "fault": st.fixed_dictionaries({"error": st.lists(errors, max_size=2)}) | scraps,
        "bId": st.sampled_from(["i00", "i01", "i99"]) | scraps,
    },
)
bodies = entries | st.fixed_dictionaries(
    {"BatchItemResponse": st.lists(entries, max_size=4) | scraps}, optional={"Fault": faults}
)
answers = st.builds(
    Answer,
    status=st.sampled_from((200, 200, 400, *STATUSES)),
    content_type=st.sampled_from(("application/json",) * 9 + TYPES),
    body=bodies.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=60),
    retry_after=st.sampled_from(WAITS) | st.text(max_size=6),
    date=st.sampled_from(WAITS),
    challenge=st.sampled_from(CHALLENGES),
)


class TestAnswerGrownFromNothing:
    @pytest.mark.covers("E4", "E5", "E17")
    @settings(generated, max_examples=100_000 if PROVING else 1_500)
    @given(answer=answers)
    def test_is_never_taken_for_what_it_is_not(self, answer: Answer) -> None:
        judged(answer)
