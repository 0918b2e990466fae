"""PgBouncer for tests: a pooler in front of a PostgreSQL server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from servers.postgres import PASSWORD, PostgresServer, unprivileged_user
from servers.process import ServerProcess, free_port, temporary_folder

_CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
max_client_conn = 1000
server_login_retry = 0.2
"""


@contextmanager
def pgbouncer(server: PostgresServer, **settings: str) -> Iterator[str]:
    """The address of a pooler with three connections to the server; `settings` go into its configuration."""
    user = unprivileged_user()
    folder, port = temporary_folder(user), free_port()
    (folder / "users").write_text(f'"admin" "{PASSWORD}"\n')
    lines = [f"{name} = {value}\n" for name, value in {"default_pool_size": "3", **settings}.items()]
    text = _CONFIGURATION.format(server_port=server.port, port=port, folder=folder) + "".join(lines)
    (folder / "pgbouncer.ini").write_text(text)

    def answers() -> bool:
        try:
            server.connect(port=port).close()
        except psycopg.OperationalError:
            return False
        return True

    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise RuntimeError("pgbouncer is not installed: python tests/servers/install.py")
    process = ServerProcess([program, folder / "pgbouncer.ini"], folder=folder, user=user)
    try:
        process.wait_until(answers)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()  # it has nothing to lose, and would wait for its clients
        shutil.rmtree(folder, ignore_errors=True)
