"""The interface's description, the access table and the routes are one and the same."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from application.api import demo_shapes, envelope, settings_shapes, shapes
from application.api.description import described, operations
from application.api.door import Door
from application.api.examples import EXAMPLES
from application.api.table import PAGES, ROWS
from application.app import ROUTERS, SCREENS, application_of

REFUSALS = {
    envelope.JSON: "#/components/schemas/Refusal",
    envelope.PROBLEM: "#/components/schemas/Problem",
}
EVERYWHERE = {"400", "401", "403", "405", "422", "429", "500", "503"}
WITH_BODY = {"413", "415"}
UNDESCRIBED = {"/openapi.json", *(row.path for row in PAGES)}  # the description itself, and pages
NO_DOOR: Any = None  # nothing is asked of it while it is described
Named = tuple[str, str]


@cache
def whole() -> dict[str, Any]:
    door: Door = NO_DOOR
    return described(application_of(door))


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = whole()["paths"][path][method.lower()]
    return found


def routes() -> set[Named]:
    rooms = [each.router for each in (*ROUTERS, *SCREENS)]
    return {
        (method, route.path)
        for room in rooms
        for route in room.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


def described_routes() -> list[Named]:
    return [(method, path) for method, path, _ in operations(whole())]


def shapes_of_answers() -> Iterator[type[BaseModel]]:
    rooms = (shapes, settings_shapes, demo_shapes)
    for each in {
        one: None for room in rooms for one in vars(room).values() if isinstance(one, type)
    }:
        if issubclass(each, shapes.Shape):
            yield each


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    rows = [(row.method, row.path) for row in (*ROWS, *PAGES)]

    assert routes() == set(rows)
    assert len(rows) == len(set(rows))


def test_every_route_but_the_pages_is_described() -> None:
    told = {named for named in routes() if named[1] not in UNDESCRIBED}

    assert set(described_routes()) == told


def test_it_names_no_server_and_says_how_to_sign_in() -> None:
    assert whole()["openapi"].startswith("3.1")
    assert "servers" not in whole()
    assert whole()["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    open_to_all = {
        (method, path) for method, path, told in operations(whole()) if told.get("security") == [{}]
    }
    assert open_to_all == {
        (row.method, row.path) for row in ROWS if row.role is None and row.path not in UNDESCRIBED
    }


def test_names_are_told_apart() -> None:
    ids = [told["operationId"] for _, _, told in operations(whole())]

    assert len(ids) == len(set(ids))
    assert not [name for name in whole()["components"]["schemas"] if "__" in name]


def test_every_reference_leads_somewhere() -> None:
    known = whole()["components"]["schemas"]

    assert {ref.rsplit("/", maxsplit=1)[-1] for ref in references(whole())} == set(known)


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, each in node.items():
            if name == "$ref":
                yield each
            else:
                yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


@pytest.mark.parametrize("named", described_routes(), ids=" ".join)
class TestOperation:
    def test_is_told_in_words(self, named: Named) -> None:
        told = operation(*named)

        assert told["summary"].strip()
        assert told["description"].strip()
        for parameter in told["parameters"]:
            words = parameter.get("description") or parameter["schema"].get("description")
            assert words, parameter["name"]
        for status, answer in told["responses"].items():
            assert answer["description"].endswith("."), status
            assert "X-Request-Id" in answer["headers"]

    def test_tells_what_it_may_answer(self, named: Named) -> None:
        method, path = named
        told = set(operation(*named)["responses"])

        assert told >= EVERYWHERE
        if method != "GET":
            assert told >= WITH_BODY
        if method == "POST":
            assert "409" in told
        if "{" in path:
            assert "404" in told
        assert told & {"200", "302"}

    def test_refuses_in_one_shape(self, named: Named) -> None:
        for status, answer in operation(*named)["responses"].items():
            if int(status) >= 400:
                found = {media: one["schema"]["$ref"] for media, one in answer["content"].items()}
                assert found == REFUSALS, status

    def test_tells_its_headers(self, named: Named) -> None:
        heads = {one["name"] for one in operation(*named)["parameters"] if one["in"] == "header"}

        assert "X-Request-Id" in heads
        assert ("Idempotency-Key" in heads) == (named[0] == "POST")
        assert ("Prefer" in heads) == ("202" in operation(*named)["responses"])
        assert ("Last-Event-ID" in heads) == named[1].endswith("/events")

    def test_bounds_what_it_takes(self, named: Named) -> None:
        for parameter in operation(*named)["parameters"]:
            for one in parameter["schema"].get("anyOf", [parameter["schema"]]):
                if one.get("type") == "integer":
                    assert {"minimum", "maximum"} <= one.keys(), parameter["name"]
                if one.get("type") == "string" and parameter["in"] != "header":
                    bounds = {"maxLength", "enum", "const", "pattern", "format"}
                    assert bounds & one.keys(), parameter["name"]

    def test_of_the_guide_shows_an_example_that_is_true(self, named: Named) -> None:
        example = EXAMPLES.get(" ".join(named))
        if example is None:
            return
        told = operation(*named)
        answer = told["responses"]["200"]["content"][envelope.JSON]
        assert answer["example"] == example.whole
        check(answer["schema"], answer["example"])
        if example.body is not None:
            asked = told["requestBody"]["content"][envelope.JSON]
            check(asked["schema"], asked["example"])


def check(schema: dict[str, Any], document: object) -> None:
    """Hold a document against a schema of the description."""
    jsonschema_rs.validate({**schema, "components": whole()["components"]}, document)


def test_every_example_belongs_to_an_endpoint() -> None:
    assert set(EXAMPLES) <= {" ".join(named) for named in described_routes()}
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("shape", list(shapes_of_answers()), ids=lambda shape: shape.__name__)
def test_nothing_undescribed_stands_in_an_answer(shape: type[BaseModel]) -> None:
    assert shape.model_config.get("extra") == "forbid"
