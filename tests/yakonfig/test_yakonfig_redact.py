"""redact: what is shown of a configuration holds no secret."""

from __future__ import annotations

import datetime
import enum
import pathlib
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yakonfig import redact

SECRET = "Zq7Vx9"
# A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    "key",
    [
        "password", "PASSWORD", "db_password", "password2", "passwd", "pwd", "pass", "passphrase", "keyPass",
        "secret", "client-secret", "secrets", "secretKey", "token", "auth_token", "accessToken", "api_key",
        "api-key", "apikey", "APIKey", "credential", "credentials", "private_key", "AWS_SECRET_ACCESS_KEY",
        "auth", "Authorization", "cookie",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "value", [SECRET, [SECRET], {"user": SECRET}, SECRET.encode(), 8675309, 86.75, ({"x": SECRET},)]
)
def test_values_of_secret_keys_are_hidden(key: str, value: Any) -> None:
    shown = repr(redact({"block": [{key: value}]}))
    assert "***" in shown
    assert key in shown
    for secret in (SECRET, "8675309", "86.75"):
        assert secret not in shown


@pytest.mark.parametrize(
    "key",
    ["password_file", "token_path", "credentialsFile", "user", "author", "tokenizer", "key_types", "compass"],
)
def test_values_of_other_keys_are_shown(key: str) -> None:
    assert redact({key: "value"}) == {key: "value"}


@pytest.mark.parametrize("value", ["${DB_PASSWORD}", None, True, [], {}])
def test_what_is_no_secret_is_shown_even_under_a_secret_key(value: Any) -> None:
    assert redact({"password": value}) == {"password": value}


def test_more_than_a_reference_is_no_reference() -> None:
    assert redact({"password": f"${{NAME}}{SECRET}"}) == {"password": "***"}
    assert redact({"password": f"${{NAME:-{SECRET}}}"}) == {"password": "***"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"redis://user:{SECRET}@host:6379/0", "redis://user:***@host:6379/0"),
        (f"redis://:{SECRET}@host", "redis://:***@host"),
        (f"rediss://u:{SECRET}@/:?#{SECRET}@h", "rediss://u:***@h"),
        (f"a://u:{SECRET}@h1,b://u:{SECRET}@h2", "a://u:***@h2"),
        (f"postgresql+psycopg://u:%40{SECRET}@h/d?sslmode=require", "postgresql+psycopg://u:***@h/d?sslmode=require"),
        (f"x:{SECRET}@h a://u:{SECRET}@h", "x:***@h a://u:***@h"),
        (f"redis://u:{SECRET} {SECRET}@h", "redis://u:***@h"),
        (f"user:{SECRET}@host:6379", "user:***@host:6379"),
        (f"http://h:80/\nuser:{SECRET}@host", "http://h:80/\nuser:***@host"),
        ("redis://u:${PW}@h", "redis://u:${PW}@h"),
        (f"sqlite:///a?password={SECRET}&mode=ro", "sqlite:///a?password=***&mode=ro"),
        (f"http://h/?a=1&api_key={SECRET}#x", "http://h/?a=1&api_key=***#x"),
        (f"host=h password={SECRET} user=u", "host=h password=*** user=u"),
        (f"host=h password = '{SECRET} \\' {SECRET}' user=u", "host=h password = *** user=u"),
        (f"password=x\\ {SECRET} user=u", "password=*** user=u"),
        (f"password='{SECRET} unfinished", "password=***"),
        (f"conninfo='host=h password={SECRET}'", "conninfo='host=h password=***"),
        (f"x=password={SECRET}", "x=password=***"),
        (f'{{"password": "{SECRET}"}}', '{"password": ***'),
        (f"user: u\npassword: |\n  {SECRET}\n  {SECRET}\n", "user: u\npassword: ***"),
        (f'token = """\n{SECRET}\n"""', "token = ***"),
        (f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----", "***"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://h:6379,h2:6379/0", "redis://h:6379,h2:6379/0"),
        ("mail me@example.com: a=b", "mail me@example.com: a=b"),
        ("password=${PW} user=u", "password=${PW} user=u"),
    ],
)  # fmt: skip
def test_secrets_inside_of_texts(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact({"url": [text]}) == {"url": [shown]}
    assert SECRET not in repr(redact({text: 1}))
    assert SECRET not in repr(redact(pathlib.PurePosixPath(text)))
    assert SECRET.encode() not in repr(redact(text.encode())).encode()


safe_texts = st.text(st.characters(codec="utf-8", exclude_characters="'\"\\"), max_size=8)


@patient
@given(safe_texts, st.text("abc123@/:?!$", max_size=6), safe_texts)
def test_a_password_in_a_url_never_shows(before: str, disturbance: str, after: str) -> None:
    url = f"redis://{disturbance.replace('/', '').replace('@', '').replace(':', '')}:{disturbance}{SECRET}@host/0"
    assert SECRET not in redact(f"{before} {url} {after}")


@patient
@given(
    st.recursive(st.text() | st.integers() | st.binary() | st.none(), lambda x: st.dictionaries(st.text(), x))
)
def test_redacting_twice_changes_nothing_more(config: Any) -> None:
    assert redact(redact(config)) == redact(config)


def test_what_comes_back_is_a_copy_of_plain_data_that_yaml_can_write() -> None:
    class Colour(enum.IntEnum):
        RED = 1

    class Anything:
        def __repr__(self) -> str:
            return SECRET

    config = {
        "when": datetime.date(2026, 1, 2),
        "numbers": (1, 2.5, Colour.RED),
        "set": {"a"},
        "path": pathlib.PurePosixPath("/tmp/x"),
        "bytes": b"\x00\xff",
        "object": Anything(),
    }
    shown = redact(config)
    assert shown == {
        "when": datetime.date(2026, 1, 2),
        "numbers": (1, 2.5, 1),
        "set": ["a"],
        "path": "/tmp/x",
        "bytes": b"\x00\xff",
        "object": "<Anything>",
    }
    assert SECRET not in yaml.safe_dump(shown)
    assert isinstance(config["object"], Anything)
