"""Run a real PostgreSQL cluster in a temporary directory, on a free local port."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

USER = "postgres"
PASSWORD = "swordfish-47"  # looked for where no password may be
NUMBERS = count()


def find_programs() -> Path:
    """Return the newest PostgreSQL's directory: by version on Debian, elsewhere from PATH."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    on_path = shutil.which("initdb")
    programs = [*debian, *([Path(on_path).parent] if on_path else [])]
    assert programs, "the tests of the store need PostgreSQL: apt-get install postgresql"
    return programs[0]


def find_free_port() -> int:
    """Return a free port below the ephemeral range."""
    for _ in range(100):
        port = random.randrange(10_000, 32_768)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are taken")


class Cluster:
    """A cluster that can be started, stopped and frozen. PostgreSQL does not run as root."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.folder, self.port = find_programs(), folder, find_free_port()
        self.user = USER if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(folder, USER)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(
            "initdb", "--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}", "--no-sync",
            "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata", f"{folder}/data",
        )  # fmt: skip

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        command = [str(self.programs / program), *arguments]
        result = subprocess.run(
            command, user=self.user if os.getuid() == 0 else None, cwd=self.folder, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout

    def start(self) -> None:
        """Start the server."""
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        )
        log = f"--log={self.folder}/log"
        self.run("pg_ctl", "start", "--wait", "--pgdata", f"{self.folder}/data", log, "--options", options)

    def stop(self) -> None:
        """Stop the server at once, regardless of connections."""
        self.run("pg_ctl", "stop", "--wait", "--mode=immediate", "--pgdata", f"{self.folder}/data")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all of its children."""
        parent = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for process in (parent, *map(int, children)):
            with suppress(ProcessLookupError):  # a child that ended meanwhile
                os.kill(process, number)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspend the server within a block; the kernel still accepts connections and bytes."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def make_url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def make_database(self) -> str:
        """Create an empty database with a collation other than code point order; return its URL."""
        name = f"store{next(NUMBERS)}"
        self.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en'"
        )
        return self.make_url(name)

    def execute(self, statement: str, url: str = "") -> None:
        """Execute a statement on its own."""
        with psycopg.connect(url or self.make_url(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement))  # type: ignore[arg-type]


@contextmanager
def run_cluster() -> Iterator[Cluster]:
    """Create and run a cluster, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="weightinit-postgres-") as name:
        cluster = Cluster(Path(name))
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
