"""Start the simulator as its own process and talk to it."""

import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from tests.quick import Quick

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 30
CALL_TIMEOUT_S = 60

Thing = dict[str, Any]


class Answer:
    """One HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:  # noqa: ANN401  # any JSON
        """The body, every amount as Decimal."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def code(self) -> str:
        """The code of the first error, "" when there is none."""
        whole = self.json
        fault = whole.get("Fault") or whole.get("fault") or {}
        errors = fault.get("Error") or fault.get("error") or [{}]
        return str(errors[0].get("code", ""))

    @property
    def detail(self) -> str:
        """The detail of the first error."""
        return str(self.json["Fault"]["Error"][0]["Detail"])


class RunningSimulator:
    """A simulator in a process of its own; end it with `stop`, `kill` or `with`."""

    def __init__(self, *, port: int, file: Path | None, arguments: list[str]) -> None:
        self.port = port
        self.control_port = 0
        self.file = file
        self.realm_id = ""
        self.client_id = ""
        self.client_secret = ""
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self._access_token = ""
        self._boot()

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        file: Path | None = None,
        clock_scale: float = 1,
        knobs: Mapping[str, object] | None = None,
        seed_file: Path | None = None,
        environment: str = "simulator",
        seed: int | None = 1,
    ) -> Self:
        """Start one and wait until it listens.

        Unless `knobs` says otherwise, throttles and index lag are off, so tests need not wait.
        """
        turned: dict[str, object] = {"throttles": False, "index_lag_s": 0, **(knobs or {})}
        arguments = ["--clock-scale", str(clock_scale), "--environment", environment]
        for name, value in turned.items():
            arguments += ["--knob", f"{name}={json.dumps(value)}"]
        if seed_file is not None:
            arguments += ["--seed-file", str(seed_file)]
        if seed is not None:
            arguments += ["--seed", str(seed)]
        return cls(port=port, file=file, arguments=arguments)

    # --- addresses ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def company_url(self) -> str:
        """The address of the first company."""
        return f"{self.url}/v3/company/{self.realm_id}"

    # --- calls ----------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> Answer:
        """Send one request as it is and return whatever comes back.

        Raises:
            ConnectionError: The simulator cut the connection before its answer.
            http.client.IncompleteRead: It cut it within the answer.
        """
        connection = http.client.HTTPConnection(
            "127.0.0.1", port or self.port, timeout=CALL_TIMEOUT_S
        )
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def control(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # any JSON
        """Call a control address (`state`, `knobs`, ...) and return the parsed answer.

        Raises:
            ValueError: The simulator refused; the text says why.
        """
        raw = None if body is None else json.dumps(body, default=str).encode()
        answer = self.call(method, "/_simulator/" + path.removeprefix("/_simulator/"), body=raw)
        if answer.status != 200:
            raise ValueError(answer.body.decode())
        return answer.json

    def token(self, *, realm: str | None = None, environment: str | None = None) -> Thing:
        """Return a fresh token pair without a consent page."""
        asked = {"realm": realm, "environment": environment}
        given = {name: value for name, value in asked.items() if value is not None}
        issued: Thing = self.control("POST", "token", given)
        return issued

    def ledger(self, entity: str = "Invoice", *, realm: str | None = None) -> list[Thing]:
        """Return every object of an entity, voided and deleted ones included."""
        options = {"entity": entity} | ({"realm": realm} if realm else {})
        return self._lines("/_simulator/ledger?" + urlencode(options))

    def log(self, *, after: int = 0) -> list[Thing]:
        """Return the request log behind entry `after`, page by page."""
        entries: list[Thing] = []
        while True:
            page = self._lines(f"/_simulator/log?after={after}")
            if not page:
                return entries
            entries += page
            after = page[-1]["n"]

    def violations(self) -> dict[str, int]:
        """Return how often each kind of violation was noted."""
        counted: dict[str, int] = self.control("GET", "violations")["by_kind"]
        return counted

    def knob(self, **turned: object) -> None:
        """Turn knobs."""
        self.control("POST", "knobs", turned)

    def reset(self) -> None:
        """Go back to the first day; knobs as they were at the start."""
        self.control("POST", "reset")
        self._access_token = ""

    def fault(self, kind: str, **details: object) -> None:
        """Queue one fault."""
        self.control("POST", "faults", {"kind": kind, **details})

    # --- QuickBooks calls -----------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        requestid: str | None = None,
        token: str | None = None,
        content_type: str = "application/json",
        **options: str,
    ) -> Answer:
        """Call a company address with a good token, minorversion and Accept.

        `body` may be bytes, text or any JSON value; `options` join the query.
        """
        if token is None and not self._access_token:
            self._access_token = self.token()["access_token"]
        query = {"minorversion": "75", **options}
        if requestid is not None:
            query["requestid"] = requestid
        headers = {
            "Authorization": f"Bearer {token or self._access_token}",
            "Accept": "application/json",
        }
        raw = body if isinstance(body, bytes) or body is None else _raw(body)
        if raw is not None:
            headers["Content-Type"] = content_type
        target = f"/v3/company/{self.realm_id}/{path}?{urlencode(query)}"
        return self.call(method, target, body=raw, headers=headers)

    def create(self, entity: str, body: object, *, requestid: str | None = None) -> Thing:
        """Create or update one object and return it.

        Raises:
            ValueError: QuickBooks refused; the text is its answer.
        """
        answer = self.send("POST", entity.lower(), body, requestid=requestid)
        if answer.status != 200:
            raise ValueError(answer.body.decode())
        whole: Thing = answer.json[entity]
        return whole

    def query(self, statement: str) -> Thing:
        """Return the QueryResponse of a statement.

        Raises:
            ValueError: QuickBooks refused.
        """
        answer = self.send("GET", "query", query=statement)
        if answer.status != 200:
            raise ValueError(answer.body.decode())
        found: Thing = answer.json["QueryResponse"]
        return found

    # --- life -----------------------------------------------------------------------------------

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._gone()

    def stop(self) -> int:
        """End it politely and return its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self._gone()

    def restart(self) -> None:
        """Start again on the same port and file, after `kill` or `stop`."""
        self.kill()
        self._boot()

    def __enter__(self) -> Self:
        """Return the running simulator."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def _boot(self) -> None:
        command = [sys.executable, "-m", "qbo_simulator", "--port", str(self.port)]
        command += ["--exit-with-parent", *self._arguments]
        if self.file is not None:
            command += ["--file", str(self.file)]
        self._process = Quick(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        greeting = json.loads(self._process.stdout.readline())
        self.port = int(greeting["port"])
        self.control_port = int(greeting["control_port"])
        self.realm_id = greeting["realm_id"]
        self.client_id = greeting["client_id"]
        self.client_secret = greeting["client_secret"]

    def _gone(self) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=START_TIMEOUT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None
        return code

    def _lines(self, path: str) -> list[Thing]:
        answer = self.call("GET", path)
        return [json.loads(line, parse_float=Decimal) for line in answer.body.splitlines()]


def invoice_body(
    customer_id: str, *, number: str = "", amount: str = "150000.00", item_id: str = "1"
) -> Thing:
    """Return the invoice a good client sends, its amount as an exact JSON number."""
    body: Thing = {
        "TxnDate": "2026-01-15",
        "CustomerRef": {"value": customer_id},
        "Line": [
            {
                "Amount": float(amount),
                "Description": "Tuition fee",
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": item_id}},
            }
        ],
    }
    return body | ({"DocNumber": number} if number else {})


def _raw(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body, default=str).encode()
