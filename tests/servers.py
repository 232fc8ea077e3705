"""Private MariaDB and PostgreSQL servers for tests: a free loopback port, a folder of their own."""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pymysql
from typing_extensions import override

NO_ACCOUNT = "an account PostgreSQL could run as"
PATIENCE_S = 60
LOOK_EVERY_S = 0.05
STOP_S = 20
HOME = "127.0.0.1"
USER = "tester"
PASSWORD = "tester-canary-7f1c"  # noqa: S105 - of servers that live for one test run
PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")
_numbers = count(1)


class ServerMissing(Exception):
    """A server program, or the account it needs, is not here.

    Args:
        name: Of what is missing.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed")


class Server:
    """One private server: started, killed, restarted as often as a test likes.

    Args:
        folder: Its own; removed with it.
        port: A free one.
        command: What starts it in the foreground.
        account: System user it runs as; None: ours.
        scheme: Of its addresses.
        answers: Raises while it does not answer.
    """

    def __init__(
        self,
        *,
        folder: Path,
        port: int,
        command: Sequence[str],
        account: str | None,
        scheme: str,
        answers: Callable[[int], None],
    ) -> None:
        self.folder = folder
        self.port = port
        self._command = command
        self._account = account
        self._scheme = scheme
        self._answers = answers
        self._child: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    def url(self, database: str) -> str:
        """Return the address of a database, with password."""
        return f"{self._scheme}://{USER}:{PASSWORD}@{HOME}:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; return its address."""
        name = f"t{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the owner of everything; return the rows of the last."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - a program we found, our arguments
                [*_dying_with_us(), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **_as(self._account),
            )
        self._wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGINT if self._scheme.startswith("postgres") else signal.SIGTERM)

    def restart(self) -> None:
        """Stop it and start it again on the same port with the same databases."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._child is None:
            return
        with suppress(ProcessLookupError):
            self._child.send_signal(number)
        try:
            self._child.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._answers(self.port)
            except (pymysql.MySQLError, psycopg.Error):
                ended = self._child is None or self._child.poll() is not None
                if ended or time.monotonic() > until:
                    log = (self.folder / "log").read_text(errors="replace")[-2000:]
                    self.kill()
                    raise AssertionError(log) from None
                time.sleep(LOOK_EVERY_S)
            else:
                return


class MariaDb(Server):
    """A private MariaDB."""

    @override
    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        link = pymysql.connect(host=HOME, port=self.port, user=USER, password=PASSWORD)
        try:
            with link.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                rows = list(cursor.fetchall())
            link.commit()
            return rows
        finally:
            link.close()


class Postgres(Server):
    """A private PostgreSQL."""

    @override
    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(
            host=HOME, port=self.port, user=USER, dbname="postgres", autocommit=True
        ) as link:
            for statement in statements:
                done = link.execute(statement.encode())
                rows = done.fetchall() if done.description else []
        return rows


def start_mariadb() -> MariaDb:
    """Return a private MariaDB, running.

    Raises:
        ServerMissing: It is not installed.
    """
    install = program("mariadb-install-db", "mysql_install_db")
    daemon = program("mariadbd", "mysqld")
    folder = _folder(account=None)
    root = ["--user=root"] if os.geteuid() == 0 else []
    _run(
        [
            *(install, "--no-defaults", f"--datadir={folder / 'd'}", "--skip-test-db", *root),
            "--auth-root-authentication-method=normal",
        ],
        account=None,
    )
    begin = folder / "begin.sql"
    begin.write_text(
        f"CREATE USER IF NOT EXISTS '{USER}'@'{HOME}' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON *.* TO '{USER}'@'{HOME}' WITH GRANT OPTION;\n",
        encoding="ascii",
    )
    port = _free_port()
    command = [daemon, "--no-defaults", *root, f"--datadir={folder / 'd'}", f"--port={port}"]
    command += [f"--bind-address={HOME}", f"--socket={folder / 's'}", f"--init-file={begin}"]
    command += [f"--pid-file={folder / 'pid'}", "--skip-log-bin", "--skip-name-resolve"]
    command += ["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=24M"]
    command += [
        "--innodb-doublewrite=0",
        "--innodb-flush-method=nosync",
        "--innodb-log-file-size=16M",
        "--key-buffer-size=4M",
    ]
    command += [
        "--performance-schema=OFF",
        "--max-connections=80",
        "--character-set-server=utf8mb4",
    ]
    server = MariaDb(
        folder=folder, port=port, command=command, account=None, scheme="mysql", answers=_mariadb
    )
    server.start()
    return server


def start_postgres() -> Postgres:
    """Return a private PostgreSQL, running.

    Raises:
        ServerMissing: It is not installed, or there is no account to run it as.
    """
    prepare, daemon = program("initdb"), program("postgres")
    account = _other_account() if os.geteuid() == 0 else None  # it refuses to run as root
    folder = _folder(account=account)
    _run(
        [
            *(prepare, "-D", str(folder / "d"), "-U", USER, "--auth=trust", "-E", "UTF8"),
            *("--locale=C", "--no-sync"),
        ],
        account=account,
    )
    port = _free_port()
    command = [daemon, "-D", str(folder / "d"), "-p", str(port), "-h", HOME, "-F"]
    command += ["-c", "unix_socket_directories=", "-c", "shared_buffers=16MB"]
    command += ["-c", "max_connections=80", "-c", "autovacuum=off", "-c", "max_wal_size=256MB"]
    server = Postgres(
        folder=folder,
        port=port,
        command=command,
        account=account,
        scheme="postgresql",
        answers=_postgres,
    )
    server.start()
    return server


def program(*names: str) -> str:
    """Return where the first of these programs is.

    Raises:
        ServerMissing: None of them is installed.
    """
    places = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=os.pathsep.join([*PLACES, *places]))
        if found:
            return str(Path(found).resolve()) if name in {"postgres", "initdb"} else found
    raise ServerMissing(names[0])


def _mariadb(port: int) -> None:
    pymysql.connect(host=HOME, port=port, user=USER, password=PASSWORD, connect_timeout=2).close()


def _postgres(port: int) -> None:
    psycopg.connect(host=HOME, port=port, user=USER, dbname="postgres", connect_timeout=2).close()


def _folder(*, account: str | None) -> Path:
    # Not below pytest's own folder: that one is closed to the account PostgreSQL runs as, and
    # its name is too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="feebridge-"))
    if account is not None:
        shutil.chown(folder, account)
    return folder


def _run(command: Sequence[str], *, account: str | None) -> None:
    done = subprocess.run(  # noqa: S603 - a program we found, our arguments
        command, capture_output=True, text=True, check=False, cwd="/", **_as(account)
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]


def _as(account: str | None) -> dict[str, Any]:
    if account is None:
        return {}
    entry = pwd.getpwnam(account)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _other_account() -> str:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ServerMissing(NO_ACCOUNT)


def _dying_with_us() -> list[str]:
    """Return what makes the system end the server when the tests are killed outright."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "KILL"] if found else []


def _free_port() -> int:
    with socket.socket() as door:
        door.bind((HOME, 0))
        return int(door.getsockname()[1])
