"""What a configuration of storage type postgres may say, and what the driver is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import kvlayer
from kvlayer.backends.postgres import PostgresBackend
from kvlayer.backends.postgres.options import PostgresOptions, parsed_settings, where
from kvlayer.config import resolve
from kvlayer.errors import ConfigurationError

SECRET = "pa55word"


def settings(**options: Any) -> dict[str, Any]:
    return PostgresOptions(**options).connection_settings()


def resolved(config: Any) -> dict[str, Any]:
    """The driver's settings for a configuration."""
    found = resolve(config, app_name="app", namespace="ns")
    assert found.backend is PostgresBackend
    assert isinstance(found.options, PostgresOptions)
    return found.options.connection_settings()


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "host", "port"),
        [
            ("db", "db", "5432"),
            ("db.example.com:6000", "db.example.com", "6000"),
            ("[::1]:6000", "::1", "6000"),
            ("[fe80::1%eth0]", "fe80::1%eth0", "5432"),
            ("/var/run/postgresql", "/var/run/postgresql", "5432"),
            ("/var/run/postgresql:6000", "/var/run/postgresql", "6000"),
        ],
    )
    def test_host_and_port(self, address: str, host: str, port: str) -> None:
        found = settings(storage_addresses=[address])
        assert (found["host"], found["port"]) == (host, port)
        assert settings(storage_addresses=address) == found

    def test_several_hosts_mean_the_one_that_accepts_writes(self) -> None:
        found = settings(storage_addresses=["a", "b:6000"])
        assert (found["host"], found["port"]) == ("a,b", "5432,6000")
        assert found["target_session_attrs"] == "read-write"
        other = settings(storage_addresses=["a", "b"], driver={"target_session_attrs": "any"})
        assert other["target_session_attrs"] == "any"

    @pytest.mark.parametrize(
        "address", [f"host=db port=6000 dbname=app password={SECRET}", f"postgresql://:{SECRET}@db:6000/app"]
    )
    def test_a_connection_string(self, address: str) -> None:
        found = settings(storage_addresses=[address])
        assert (found["host"], found["port"], found["dbname"]) == ("db", "6000", "app")
        assert found["password"] == SECRET

    def test_an_address_wins_over_options_beside_it(self) -> None:
        address = "host=db user=one sslmode=require"
        found = settings(storage_addresses=[address], username="two", dbname="app", sslmode="disable")
        assert (found["user"], found["dbname"], found["sslmode"]) == ("one", "app", "require")

    def test_a_service_needs_no_address(self) -> None:
        assert settings(driver={"service": "kv"})["service"] == "kv"
        assert "host" not in settings(driver={"service": "kv"})

    @pytest.mark.parametrize(
        "addresses",
        [
            [],
            [""],
            ["db:port"],
            ["db:0"],
            ["db:65536"],
            [f"host=db {SECRET}"],
            [f"nonsense={SECRET}"],
            ["db", f"postgresql://:{SECRET}@db"],
            [f"user:{SECRET}@db"],
            ["a,b"],
            ["a b"],
        ],
    )
    def test_what_is_no_address_is_refused_without_showing_it(self, addresses: list[str]) -> None:
        config = {"storage_type": "postgres", "storage_addresses": addresses}
        with pytest.raises(ConfigurationError, match="storage_addresses") as raised:
            resolved(config)
        assert SECRET not in str(raised.value)
        assert raised.value.__cause__ is None


class TestUrls:
    @pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
    def test_all_that_a_url_says(self, scheme: str) -> None:
        found = resolved(f"{scheme}://us%40er:{SECRET}@db:6000/app?sslmode=require&connect_timeout=7")
        assert (found["host"], found["port"], found["dbname"]) == ("db", "6000", "app")
        assert (found["user"], found["password"]) == ("us@er", SECRET)
        assert (found["sslmode"], found["connect_timeout"]) == ("require", 7)

    def test_several_hosts(self) -> None:
        found = resolved("postgresql://a:1,b:2/app")
        assert (found["host"], found["port"]) == ("a,b", "1,2")

    def test_an_unknown_option_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="sslmode"):
            resolved("postgresql://db/app?ssl_mode=require")

    def test_a_fragment_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="%23"):
            resolved(f"postgresql://user:{SECRET}@db/app#1")


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"max_connections": 0}, "max_connections"),
            ({"min_connections": 3, "max_connections": 2}, "max_connections must not be less"),
            ({"sslmode": "on"}, "sslmode.*verify-full"),
            ({"connect_timeout": 1}, "connect_timeout"),
            ({"statement_timeout": 0}, "statement_timeout"),
            ({"retry_seconds": -1}, "retry_seconds"),
            ({"driver": {"user": "me"}}, "username"),
            ({"driver": {"password": SECRET}}, "password"),
            ({"driver": {"target_session_attr": "any"}}, "target_session_attr"),
            ({"driver": {"options": "-d 3"}}, "options: expected settings of the form '-c name=value'"),
            ({"drivers": {}}, "did you mean 'driver'"),
        ],
    )
    def test_what_can_not_be(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigurationError, match=message) as raised:
            resolved({"storage_type": "postgres", "storage_addresses": ["db"], **options})
        assert SECRET not in str(raised.value)

    def test_old_configurations_are_understood(self) -> None:
        """The keys of kvlayer 0.5."""
        found = resolved(
            {
                "storage_type": "postgres",
                "storage_addresses": ["host=db user=one dbname=app"],
                "min_connections": 2,
                "max_connections": 16,
            }
        )
        assert (found["host"], found["user"], found["dbname"]) == ("db", "one", "app")

    def test_timeouts_are_the_servers_too(self) -> None:
        found = settings(storage_addresses=["db"], statement_timeout=1.5, lock_timeout=0.25)
        assert "-c statement_timeout=1500 -c lock_timeout=250 " in found["options"]

    def test_further_session_settings_follow_and_win(self) -> None:
        found = settings(storage_addresses=["db"], driver={"options": "-c lock_timeout=7"})
        assert found["options"].endswith(" -c lock_timeout=7")

    def test_session_settings_are_understood(self) -> None:
        """As the server reads them; a pooler needs them one by one."""
        text = r"-c a=1 -cb.c=x\ y\\z  --lock-timeout=3 -c a=2 -c d="
        assert parsed_settings(text) == {"a": "2", "b.c": "x y\\z", "lock_timeout": "3", "d": ""}
        for wrong in ("-c a", "a=1", "-c a=1 x", "-c a='1' 2"):
            with pytest.raises(ValueError, match="-c name=value"):
                parsed_settings(wrong)

    def test_secrets_are_not_shown(self) -> None:
        options = PostgresOptions(storage_addresses=[f"postgresql://:{SECRET}@db"], password=SECRET)
        config = {"storage_type": "postgres", "storage_addresses": ["db"], "password": SECRET}
        client = kvlayer.client(config, app_name="app", namespace="ns")
        for shown in (repr(options), f"{options}", repr(client), where(options.connection_settings())):
            assert SECRET not in shown

    def test_defaults_can_be_converted(self) -> None:
        assert msgspec.convert({"storage_addresses": ["db"]}, PostgresOptions).max_connections == 16


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"storage_addresses": ["a", "b:6000"]}, "a:5432,b:6000"),
        ({"storage_addresses": [f"postgresql://:{SECRET}@a,b:6000/app"]}, "a:5432,b:6000"),
        ({"storage_addresses": ["host=a,b port=6000"]}, "a:6000,b:6000"),
        ({"driver": {"service": "kv"}}, "service kv"),
        ({"storage_addresses": ["dbname=app"]}, "the default host"),
    ],
)
def test_where_messages_say_that_it_is(options: dict[str, Any], expected: str) -> None:
    assert where(settings(**options)) == expected
