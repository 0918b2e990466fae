"""The options of the redis store: addresses, URLs, and what contradicts itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

import kvlayer
from kvlayer.backends.redis.options import Address, RedisOptions, options_from_url


def client(config: Any, **more: Any) -> kvlayer.Client:
    if isinstance(config, str):
        return kvlayer.client(config, app_name="app", namespace="ns")
    return kvlayer.client({"storage_type": "redis", "app_name": "app", "namespace": "ns", **config, **more})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("redis.example.com:7000", Address("redis.example.com", 7000)),
        ("redis.example.com", Address("redis.example.com", 6379)),
        ("[::1]:7000", Address("::1", 7000)),
        ("[::1]", Address("::1", 6379)),
        ("unix:///run/redis.sock", Address("", 0, "/run/redis.sock")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    options = RedisOptions(storage_addresses=[text])
    assert options.addresses() == [address]
    assert RedisOptions(storage_addresses=[str(address)]).addresses() == [address]


@pytest.mark.parametrize(
    "text", ["", ":6379", "host:", "host:0", "host:65536", "host:x", "user:sesame@host:1", "a b:1"]
)
def test_what_is_no_address_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(kvlayer.ConfigurationError, match="host:port") as error:
        client({"storage_addresses": [text]})
    assert "sesame" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://host", {"storage_addresses": ["host"]}),
        ("redis://host:7000/3", {"storage_addresses": ["host:7000"], "redis_db_num": 3}),
        ("redis://a:1,b:2/", {"storage_addresses": ["a:1", "b:2"]}),
        ("redis://:p%40ss@host", {"storage_addresses": ["host"], "password": "p@ss"}),
        ("rediss://me:sesame@[::1]:7/0", {"storage_addresses": ["[::1]:7"], "username": "me", "password": "sesame", "redis_db_num": 0, "tls": True}),
        ("unix:///run/redis%20.sock", {"storage_addresses": ["unix:///run/redis .sock"]}),
        ("unix://:sesame@/run/redis.sock", {"storage_addresses": ["unix:///run/redis.sock"], "password": "sesame"}),
    ],
)  # fmt: skip
def test_urls(url: str, options: dict[str, Any]) -> None:
    assert options_from_url(urlsplit(url)) == options
    client(url).close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis:///3",
        "redis://:sesame@host/three",
        "redis://host/0#sesame",
        "unix://sesame/run/x",
        "unix:///",
    ],
)
def test_what_is_no_url_of_a_server_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(kvlayer.ConfigurationError) as error:
        client(url)
    assert "sesame" not in str(error.value)
    assert "three" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"storage_addresses": []}, "storage_addresses"),
        ({"storage_addresses": ["unix:///a", "b:1"]}, "storage_addresses"),
        ({"storage_addresses": ["unix:///a"], "tls": True}, "tls"),
        ({"storage_addresses": ["a"], "sentinel_service": "main", "cluster": True}, "sentinel_service"),
        ({"storage_addresses": ["a"], "redis_db_num": 1, "cluster": True}, "redis_db_num"),
        ({"storage_addresses": ["a"], "redis_db_num": -1}, "redis_db_num"),
        ({"storage_addresses": ["a"], "timeout": 0}, "timeout"),
        ({"storage_addresses": ["a"], "driver": {"decode_responses": True}}, "decode_responses"),
        ({"storage_addresses": ["a"], "driver": {"retry": 3}}, "retry"),
        ({"storage_addresses": ["a"], "max_conections": 3}, "max_connections"),
        ({}, "storage_addresses"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(kvlayer.ConfigurationError, match=named):
        client(options)


def test_no_secret_shows() -> None:
    secrets: dict[str, Any] = {"password": "sesame", "driver": {"ssl_password": "sesame"}}
    options = RedisOptions(storage_addresses=["host"], **secrets)
    assert "sesame" not in repr(options)
    made = client({"storage_addresses": ["host"], **secrets})
    assert "sesame" not in repr(made)
    made.close()


def test_the_names_of_kvlayer_0_5_are_understood() -> None:
    config = {"storage_addresses": ["redis.example.com:6379"], "redis_db_num": 2}
    with pytest.warns(UserWarning, match="connection_pool_size"):
        client({**config, "connection_pool_size": 2}).close()
