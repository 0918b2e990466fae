"""`tables`, `create`, `clear`, `drop-namespace`: what a namespace holds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import kvlayer
from kvlayer.cli.commands.arguments import add_dry_run, add_table, add_table_format, add_yes
from kvlayer.cli.failures import DONE, CommandError
from kvlayer.cli.parser import Commands
from kvlayer.cli.store import chosen, open_client, settings
from kvlayer.cli.terminal import confirm_by_name, number, print_table, rows, say
from kvlayer.errors import NoSuchTable, SerializationError
from kvlayer.keys import type_names, types_named
from kvlayer.values import ValueCodec, ValueType, value_type_named

_VALUE_TYPES: Final = ("bytes", "str", "int", "float", "counter", "accumulator")


def add_commands(commands: Commands) -> None:
    """Enters the commands of this module."""
    tables = commands.add(
        "tables",
        _tables,
        summary="list the tables with their types and about how many rows they hold",
        usage="[--all-namespaces] [--format table|json]",
        example="kvlayer --config kvlayer.yaml tables",
    )
    tables.add_argument(
        "--all-namespaces", action="store_true", help="those of all app names and namespaces of the store"
    )
    add_table_format(tables)

    create = commands.add(
        "create",
        _create,
        summary="make a table",
        usage="TABLE SCHEMA [--value-type TYPE]",
        details="A table that is there already with the same types stays as it is.",
        example="kvlayer --config kvlayer.yaml create likes str,uuid --value-type counter",
    )
    add_table(create)
    create.add_argument(
        "schema", metavar="SCHEMA", help="the types of a key's parts, like str,int,uuid,bytes,float"
    )
    create.add_argument("--value-type", choices=_VALUE_TYPES, default="bytes", help="(default: bytes)")

    clear = commands.add(
        "clear",
        _clear,
        summary="remove all rows of a table, which stays",
        usage="TABLE [--yes] [--dry-run]",
        details="Asks for the table's name to be typed first.",
        example="kvlayer --config kvlayer.yaml clear cities --dry-run",
    )
    add_table(clear)
    add_yes(clear)
    add_dry_run(clear)

    drop = commands.add(
        "drop-namespace",
        _drop_namespace,
        summary="remove all tables of the namespace",
        usage="[--yes] [--dry-run]",
        details="Asks for the namespace's name to be typed first.",
        example="kvlayer --config kvlayer.yaml drop-namespace --dry-run",
    )
    add_yes(drop)
    add_dry_run(drop)


@dataclass(frozen=True)
class _Found:
    """A table, where it is, and about how many rows it holds."""

    app_name: str
    namespace: str
    table: kvlayer.TableInfo
    rows: int | None

    def as_json(self) -> dict[str, object]:
        return {
            "app_name": self.app_name,
            "namespace": self.namespace,
            "name": self.table.name,
            "key_types": type_names(self.table.key_types),
            "value_type": ValueCodec(self.table.value_type, self.table.name).name,
            "estimated_rows": self.rows,
            "incomplete": self.table.incomplete,
        }


def _tables(arguments: argparse.Namespace) -> int:
    everywhere = arguments.all_namespaces
    with open_client(arguments) as client:
        found = list(
            _in_all_namespaces(arguments, client) if everywhere else _in_namespace(arguments, client)
        )
    if arguments.format == "json":
        sys.stdout.write(json.dumps([table.as_json() for table in found], indent=2) + "\n")
        return DONE
    if not found:
        say(f"there are no tables{' in this store' if everywhere else f' in {client!r}'}")
        return DONE
    columns = ["table", "key", "values", "rows"]
    lines = [_cells(table) for table in found]
    if everywhere:
        columns = ["app name", "namespace", *columns]
        lines = [[table.app_name, table.namespace, *cells] for table, cells in zip(found, lines, strict=True)]
    print_table(columns, lines, right=["rows"])
    for table in found:
        if table.table.incomplete is not None:
            sys.stdout.write(f"{table.table.name} is incomplete: {table.table.incomplete}\n")
    return DONE


def _cells(found: _Found) -> list[str]:
    table = found.table
    count = "unknown" if found.rows is None else f"~{number(found.rows)}" if found.rows else "0"
    mark = "" if table.incomplete is None else " (incomplete)"
    return [
        table.name + mark,
        ", ".join(type_names(table.key_types)),
        ValueCodec(table.value_type, table.name).name,
        count,
    ]


def _in_namespace(arguments: argparse.Namespace, client: kvlayer.Client) -> Iterator[_Found]:
    chosen_store = settings(arguments)
    return _found(client, chosen_store.app_name, chosen_store.namespace)


def _in_all_namespaces(arguments: argparse.Namespace, client: kvlayer.Client) -> Iterator[_Found]:
    for app_name, namespace in client.namespaces():
        with kvlayer.client(chosen(arguments), app_name=app_name, namespace=namespace) as other:
            yield from _found(other, app_name, namespace)


def _found(client: kvlayer.Client, app_name: str, namespace: str) -> Iterator[_Found]:
    for table in client.tables():
        try:
            estimate = client.estimate_rows(table.name)
        except NoSuchTable:  # removed this very moment, or entered and not made yet
            continue
        yield _Found(app_name, namespace, table, estimate)


def _create(arguments: argparse.Namespace) -> int:
    types = _schema(arguments.schema)
    value_type: ValueType = value_type_named(arguments.value_type)
    with open_client(arguments) as client:
        there = any(table.name == arguments.table for table in client.tables())
        client.setup_namespace({arguments.table: types}, {arguments.table: value_type})
    say(f"table {arguments.table} {'was there already, with these types' if there else 'is made'}")
    return DONE


def _schema(text: str) -> tuple[type, ...]:
    try:
        return types_named([name.strip() for name in text.split(",")])
    except SerializationError:
        raise CommandError(
            f"schema {text!r}: the types of a key's parts are like str,int,uuid,bytes,float"
        ) from None


def _clear(arguments: argparse.Namespace) -> int:
    with open_client(arguments) as client:
        estimate = client.estimate_rows(arguments.table)
        holds = _about(estimate)
        if arguments.dry_run:
            sys.stdout.write(f"would remove {holds} of table {arguments.table}\n")
            return DONE
        if not arguments.yes:
            confirm_by_name(f"This removes {holds} of table {arguments.table}.", arguments.table)
        client.clear_table(arguments.table)
    say(f"table {arguments.table} is empty now")
    return DONE


def _drop_namespace(arguments: argparse.Namespace) -> int:
    names = settings(arguments)
    with open_client(arguments) as client:
        found = list(_in_namespace(arguments, client))
        lines = "".join(f"\n  {table.table.name}: {_about(table.rows)}" for table in found)
        tables = "1 table" if len(found) == 1 else f"{len(found)} tables"
        what = f"namespace {names.namespace} of app {names.app_name}, which holds {tables}{lines}"
        if arguments.dry_run:
            sys.stdout.write(f"would remove {what}\n")
            return DONE
        if not arguments.yes:
            confirm_by_name(f"This removes {what}", names.namespace)
        client.delete_namespace()
    say(f"namespace {names.namespace} is empty now")
    return DONE


def _about(estimate: int | None) -> str:
    return "all rows" if estimate is None else f"about {rows(estimate)}" if estimate else "no rows"
