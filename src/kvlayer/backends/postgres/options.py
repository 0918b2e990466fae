"""The options of storage type postgres, and the driver's connection settings made of them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from kvlayer.errors import ConfigurationError

DEFAULT_PORT: Final = "5432"

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]

# A connection that a firewall or a dead machine has cut is noticed within about a minute.
_DEFAULTS: Final = {
    "fallback_application_name": "kvlayer",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

# Options beside the block of driver settings, by the keyword of libpq that they stand for.
_OWN_OPTIONS: Final = {
    "host": "storage_addresses",
    "hostaddr": "storage_addresses",
    "port": "storage_addresses",
    "user": "username",
    "password": "password",
    "dbname": "dbname",
    "sslmode": "sslmode",
    "connect_timeout": "connect_timeout",
    "client_encoding": "kvlayer",
}

_ADDRESS: Final = re.compile(
    r"(?P<host>/[^,:'\\]*|\[[\w:.%]+\]|[^\s:/@,=\[\]'\\]+)(?::(?P<port>\d{1,5}))?", re.ASCII
)


_SETTING: Final = re.compile(r"(?:-c\s*|--)(?P<name>[\w.-]+)=(?P<value>(?:\\.|[^\s\\])*)(?:\s+|$)", re.DOTALL)


class PostgresOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of storage type postgres. Raises ValueError for what can't be or contradicts itself."""

    storage_addresses: list[str] | str = []
    """`host:port`, `host` or the folder of a Unix socket; several are tried in turn. Or one connection
    string of libpq, `host=… dbname=…` or `postgresql://…`. It wins over the options below. May be left
    out if `driver` names a `service`."""

    username: str | None = None

    password: str | None = None

    dbname: str | None = None
    """The database; by libpq's default, the one named like the user."""

    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = None
    """As libpq's, whose default is prefer."""

    min_connections: Annotated[int, msgspec.Meta(ge=0)] = 1
    """Connections that are opened at once and stay open while nobody uses them."""

    max_connections: Annotated[int, msgspec.Meta(ge=1)] = 16
    """Most connections of one client; a thread uses one at a time."""

    connect_timeout: Annotated[int, msgspec.Meta(ge=2, le=86400)] = 10
    """Seconds to wait for a connection to one address."""

    statement_timeout: _Seconds = 60.0
    """Seconds after which the server gives up a statement; the client does so soon after."""

    lock_timeout: _Seconds = 20.0
    """Seconds that a statement waits for what other clients have locked."""

    pool_timeout: _Seconds = 30.0
    """Seconds that a thread waits for one of `max_connections`."""

    retry_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 30.0
    """For how long an operation is repeated that may be done twice, or that was surely not done."""

    prepared_statements: bool | None = None
    """Whether statements are prepared once for each connection; None: unless there is a pooler in between,
    which may not be able to keep them."""

    driver: dict[str, str | int] = {}
    """Further settings of libpq, such as `service`, `passfile`, `sslrootcert`, `target_session_attrs`."""

    def __post_init__(self) -> None:
        if self.max_connections < self.min_connections:
            raise ValueError("max_connections must not be less than min_connections")
        known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
        for key in self.driver:
            if key in _OWN_OPTIONS:
                raise ValueError(f"driver: {key!r} is set by {_OWN_OPTIONS[key]}, not here")
            if key not in known:
                raise ValueError(f"driver: {key!r} is no setting of libpq")
        if not self.addresses() and "service" not in self.driver:
            raise ValueError("storage_addresses must name at least one address, or driver a service")
        parsed_settings(self.connection_settings()["options"])

    def __repr__(self) -> str:
        return "PostgresOptions(...)"  # addresses may hold passwords too

    def addresses(self) -> list[str]:
        """`storage_addresses` as a list."""
        given = self.storage_addresses
        return [given] if isinstance(given, str) else given

    def connection_settings(self) -> dict[str, Any]:
        """The keyword arguments of `psycopg.connect`."""
        named = {
            "user": self.username,
            "password": self.password,
            "dbname": self.dbname,
            "sslmode": self.sslmode,
            "connect_timeout": self.connect_timeout,
        }
        settings: dict[str, Any] = {
            **_DEFAULTS,
            **self.driver,
            **{key: value for key, value in named.items() if value is not None},
            **_parsed(self._address()),
            "client_encoding": "UTF8",  # of names and messages, whatever the database's own
        }
        several = "," in str(settings.get("host", ""))
        if several and "target_session_attrs" not in settings:
            settings["target_session_attrs"] = "read-write"  # the one that accepts writes
        settings["options"] = f"{self._session_settings()} {settings.get('options', '')}".strip()
        return settings

    def _session_settings(self) -> str:
        """The server's settings for this session, as arguments of a command line.

        Rows are only ever found by key, so an index scan is right whatever the server's statistics say;
        it also locks rows in the order of their keys, which keeps writers from deadlocks.
        """
        return " ".join(
            f"-c {name}={value}"
            for name, value in {
                "statement_timeout": _milliseconds(self.statement_timeout),
                "lock_timeout": _milliseconds(self.lock_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(self.statement_timeout),
                "default_transaction_isolation": r"read\ committed",
                "search_path": "pg_catalog",  # tables are always named with their schema
                "enable_seqscan": "off",
                "enable_bitmapscan": "off",
                "plan_cache_mode": "force_generic_plan",
                "jit": "off",
            }.items()
        )

    def _address(self) -> str:
        """All addresses as one connection string of libpq."""
        addresses = self.addresses()
        if len(addresses) == 1 and ("=" in addresses[0] or "://" in addresses[0]):
            return addresses[0]
        hosts, ports = [], []
        for address in addresses:
            found = _ADDRESS.fullmatch(address)
            if found is None or not 0 < int(found["port"] or DEFAULT_PORT) < 65536:
                raise ValueError(
                    "storage_addresses: expected host:port, or a single connection string such as"
                    " 'host=db dbname=app' or postgresql://db/app"
                )
            hosts.append(found["host"].strip("[]"))
            ports.append(found["port"] or DEFAULT_PORT)
        return f"host='{','.join(hosts)}' port={','.join(ports)}" if hosts else ""


def parsed_settings(options: str) -> dict[str, str]:
    """Settings of a session, written as libpq's `options`. Raises ValueError for what isn't of the form
    `-c name=value`."""
    settings: dict[str, str] = {}
    rest = options.strip()
    while rest:
        found = _SETTING.match(rest)
        if found is None:
            raise ValueError("driver: options: expected settings of the form '-c name=value'")
        settings[found["name"].replace("-", "_")] = re.sub(r"\\(.)", r"\1", found["value"], flags=re.DOTALL)
        rest = rest[found.end() :]
    return settings


def options_from_url(url: SplitResult) -> dict[str, Any]:
    """Configuration keys of `postgresql://user:password@host:port/database`; several hosts by commas.

    Raises ConfigurationError for any other URL.
    """
    if url.fragment:
        raise ConfigurationError("a # in the URL of a PostgreSQL database is written %23")
    return {"storage_addresses": [f"postgresql://{url.netloc}{url.path}"]}


def where(settings: dict[str, Any]) -> str:
    """Host and port for messages."""
    if "host" not in settings and "hostaddr" not in settings:
        return f"service {settings['service']}" if "service" in settings else "the default host"
    hosts = str(settings.get("host", settings.get("hostaddr"))).split(",")
    ports = str(settings.get("port", DEFAULT_PORT)).split(",")
    ports *= len(hosts) if len(ports) == 1 else 1
    return ",".join(f"{host}:{port or DEFAULT_PORT}" for host, port in zip(hosts, ports, strict=False))


def _parsed(conninfo: str) -> dict[str, Any]:
    try:
        return conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        pass
    # Beyond the handler, since the driver's error shows a part of the string.
    raise ValueError("storage_addresses: not a connection string that libpq understands")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
