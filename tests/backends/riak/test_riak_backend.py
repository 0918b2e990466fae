"""The store on Riak: its layout, writes and scans, and what a cluster can do to them; against the double."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import kvlayer
from riak_double import Fault, RiakDouble
from riak_double.clients import CS_BUCKET, DELETE, GET, INDEX, PUT, client_of, wait_until

EXAMPLES = Path(__file__).parents[3] / "examples"


class TestLayout:
    def test_buckets_and_keys(self, double: RiakDouble) -> None:
        with client_of(double, namespace="a/b", counter_bucket_type="counters") as kvl:
            kvl.setup_namespace({"ü": (str,), "c": (str,)}, value_types={"c": kvlayer.COUNTER})
            kvl.put("ü", (("",), b"1"), (("x",), b"2"))
            kvl.increment("c", (("x",), 5))
        found = {(kind, bucket): list(objects) for (kind, bucket), objects in double.store._buckets.items()}
        assert found == {
            (b"default", b"kvlayer"): [b"kapp/a%2Fb"],
            (b"default", b"kvlayer/app/a%2Fb"): [b"kcounter/c", b"kplain/%C3%BC", b"kplain/_kvlayer_catalog"],
            (b"default", b"kvlayer/app/a%2Fb/plain/_kvlayer_catalog"): [b"kc", b"k\xc3\xbc"],
            (b"default", b"kvlayer/app/a%2Fb/plain/%C3%BC"): [b"k", b"kx"],
            (b"counters", b"kvlayer/app/a%2Fb/counter/c"): [b"kx"],
        }

    def test_names_too_long_for_a_bucket(self, double: RiakDouble) -> None:
        with (
            client_of(double) as kvl,
            pytest.raises(kvlayer.ConfigurationError, match="too long for a bucket"),
        ):
            kvl.setup_namespace({"ü" * 12_000: (int,)})

    def test_keys_at_their_longest(self, double: RiakDouble) -> None:
        """The end of a range that stops behind such a key would be too long for Riak, if it were sent."""
        with client_of(double) as kvl:
            kvl.setup_namespace({"b": (bytes,)})
            longest = kvl.capabilities.max_key_bytes
            assert longest == 65_535
            keys = [(b"a" * longest,), (b"a" * (longest - 1) + b"\xff",), (b"b",), (b"\xff" * longest,)]
            kvl.put("b", *((key, b"") for key in keys))
            for key in keys:
                assert key in kvl.table("b")
                assert list(kvl.scan_keys("b", (key, key))) == [key]
                assert list(kvl.scan_keys("b", after=key)) == keys[keys.index(key) + 1 :]
            kvl.delete_range("b", (keys[0], keys[1]))
            assert list(kvl.scan_keys("b")) == keys[2:]

    def test_namespaces_are_listed(self, double: RiakDouble) -> None:
        names = ["one", "two/three", "ü"]
        for name in names:
            with client_of(double, namespace=name) as kvl:
                kvl.setup_namespace({"t": (int,)})
        with client_of(double) as kvl:
            assert kvl.namespaces() == [("app", name) for name in sorted(names)]
        with client_of(double, namespace="one") as kvl:
            kvl.delete_namespace()
            assert ("app", "one") not in kvl.namespaces()

    def test_a_table_stays_where_it_was_made(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        """Whatever the configuration says later."""
        kvl.put("c", (("a",), 5))
        with client_of(double) as other:
            assert list(other.scan("c")) == [(("a",), 5)]
            other.put("c", (("a",), 7))
            with pytest.raises(kvlayer.NotSupported):
                other.increment("c", (("a",), 1))
        with client_of(double, namespace="text") as other:
            other.setup_namespace({"c": (str,)}, value_types={"c": kvlayer.COUNTER})
            other.put("c", (("a",), 10**30))
        with client_of(double, namespace="text", counter_bucket_type="counters") as other:
            assert list(other.get("c", ("a",))) == [(("a",), 10**30)]
            with pytest.raises(kvlayer.NotSupported, match="set up without counter_bucket_type"):
                other.increment("c", (("a",), 1))
        assert kvl.increment("c", (("a",), 1)) == [8]

    def test_an_entry_of_a_newer_version(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        double.store.put((b"default", b"kvlayer/app/ns"), b"kplain/t", b'{"format": 2}', None)
        with client_of(double) as other, pytest.raises(kvlayer.SerializationError, match="newer kvlayer"):
            list(other.scan("t"))


class TestWrites:
    def test_a_broken_connection_is_made_up_for(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        rows = [((n,), b"%d" % n) for n in range(300)]
        for skip in (0, 3, 50):
            double.fail(Fault(PUT, skip=skip))
            double.fail(Fault(PUT, skip=skip, done=True))
            double.fail(Fault(DELETE, skip=skip))
            kvl.put("t", *rows)
            assert list(kvl.scan("t")) == rows
            kvl.delete("t", *(key for key, _ in rows))
            assert list(kvl.scan_keys("t")) == []

    def test_all_errors_of_a_batch_are_told_in_one(self, double: RiakDouble) -> None:
        with client_of(double, retry_seconds=0) as kvl:
            kvl.setup_namespace({"t": (int,)})
            double.fail(Fault(PUT, skip=2, times=3, text="{too_large,99}"))
            rows = [((n,), b"%d" % n) for n in range(10)]
            with pytest.raises(kvlayer.StorageError) as failed:
                kvl.put("t", *rows)
            written = list(kvl.scan("t"))
        message = str(failed.value)
        assert len(written) == 7
        assert "put of table 't'" in message
        assert double.nodes[0].address in message
        assert "for 3 of 10 rows it is not done (encoded keys b'k" in message
        assert "max_object_size ({too_large,99})" in message
        assert not failed.value.retryable
        for row in rows:
            assert (repr(b"k" + (2**63 + row[0][0]).to_bytes(8, "big")) in message) == (row not in written)

    def test_without_repeating(self, double: RiakDouble) -> None:
        with client_of(double, retry_seconds=0, max_connections=1) as kvl:
            kvl.setup_namespace({"t": (int,)})
            double.fail(Fault(PUT, skip=5))
            with pytest.raises(kvlayer.StorageError, match="not done, or not known to be done") as failed:
                kvl.put("t", *(((n,), b"") for n in range(40)))
            assert failed.value.retryable
            assert "for 35 of 40 rows" in str(failed.value)
            assert list(kvl.scan_keys("t")) == [(n,) for n in range(5)]

    @pytest.mark.parametrize("text", ["{pw_val_unsatisfied,3,2}", "timeout", "overload", "all_nodes_down"])
    def test_errors_that_pass(self, double: RiakDouble, kvl: kvlayer.Client, text: str) -> None:
        for code in (PUT, GET, CS_BUCKET, DELETE):
            double.fail(Fault(code, text=text, times=2))
        kvl.put("t", ((1,), b"1"), ((2,), b"2"))
        assert list(kvl.get("t", (1,))) == [((1,), b"1")]
        assert list(kvl.scan_keys("t")) == [(1,), (2,)]
        kvl.delete_range("t", ((1,), (1,)))
        assert list(kvl.scan_keys("t")) == [(2,)]

    def test_a_cluster_that_is_still_starting(self, double: RiakDouble) -> None:
        double.knobs.starting = True
        later = threading.Timer(0.5, setattr, (double.knobs, "starting", False))
        later.start()
        with client_of(double) as kvl:
            kvl.setup_namespace({"t": (int,)})
            kvl.put("t", ((1,), b"1"))
            assert list(kvl.scan("t")) == [((1,), b"1")]
        later.join()

    def test_a_cluster_that_goes_on_starting(self, double: RiakDouble) -> None:
        double.knobs.starting = True
        refused = pytest.raises(kvlayer.StorageError, match="the cluster is starting")
        with client_of(double, retry_seconds=0.2) as kvl, refused as failed:
            kvl.setup_namespace({"t": (int,)})
        assert failed.value.retryable

    def test_a_node_that_restarts(self) -> None:
        with RiakDouble((0, 0)) as double, client_of(double) as kvl:
            kvl.setup_namespace({"t": (int,)})
            rows = [((n,), b"%d" % n) for n in range(2000)]
            ended = threading.Event()

            def restart() -> None:
                for turn in range(6):
                    double.nodes[turn % 2].stop()
                    ended.wait(0.05)
                    double.nodes[turn % 2].start()

            thread = threading.Thread(target=restart)
            thread.start()
            for first in range(0, len(rows), 100):
                kvl.put("t", *rows[first : first + 100])
                assert list(kvl.get("t", *(key for key, _ in rows[: first + 100]))) == rows[: first + 100]
            scanned = list(kvl.scan("t"))
            ended.set()
            thread.join()
            assert scanned == rows

    def test_clearing_goes_on_where_it_was_interrupted(
        self, double: RiakDouble, caplog: pytest.LogCaptureFixture
    ) -> None:
        with client_of(double, retry_seconds=0) as kvl:
            kvl.setup_namespace({"t": (int,), "u": (int,)})
            for table in ("t", "u"):
                kvl.put(table, *(((n,), b"") for n in range(50)))
            operations: list[Callable[[], None]] = [lambda: kvl.clear_table("t"), kvl.delete_namespace]
            for operation in operations:
                double.fail(Fault(DELETE, skip=20, times=5, text="refused"))
                with pytest.raises(kvlayer.StorageError, match="refused"):
                    operation()
            assert [table.name for table in kvl.tables()] == ["t", "u"]
            kvl.delete_namespace()
            assert kvl.tables() == []
            assert kvl.namespaces() == []
            kvl.setup_namespace({"t": (str,), "u": (str,)})
            assert [list(kvl.scan(table)) for table in ("t", "u")] == [[], []]
            with caplog.at_level(logging.INFO, "kvlayer.riak"):
                kvl.put_many("t", (((f"{n}",), b"") for n in range(10_500)))
                kvl.clear_table("t")
        assert "clear of table 't': 10" in caplog.text
        assert double.requests[INDEX] == 0


class TestScans:
    def test_a_scan_goes_on_after_broken_connections(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        rows = [((n,), b"%d" % n) for n in range(2500)]
        kvl.put_many("t", rows)
        for cut in (0, 4, 1000, 20_000):
            double.fail(Fault(CS_BUCKET, skip=1, cut=cut))
            assert list(kvl.scan("t")) == rows

    def test_pages_of_tombstones(self, double: RiakDouble) -> None:
        double.knobs.tombstone_seconds = None
        with client_of(double, scan_limit=10) as kvl:
            kvl.setup_namespace({"t": (int,)})
            kvl.put("t", *(((n,), b"") for n in range(100)))
            kvl.delete_range("t", ((5,), (94,)))
            left = [(n,) for n in (*range(5), *range(95, 100))]
            assert list(kvl.scan_keys("t")) == left
            assert [key for key, _ in kvl.scan("t", limit=6)] == left[:6]
            kvl.put("t", ((50,), b"back"))
            assert list(kvl.scan("t", ((5,), None), limit=1)) == [((50,), b"back")]

    def test_a_small_limit_reads_few_rows(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        kvl.put("t", *(((n,), b"x" * 1000) for n in range(500)))
        before = double.requests[CS_BUCKET]
        assert len(list(kvl.scan("t", limit=5))) == 5
        assert double.requests[CS_BUCKET] == before + 1

    @pytest.mark.parametrize("size", [10_000, 40_000, 2**20])
    def test_large_rows_that_a_client_knows_nothing_of(
        self, double: RiakDouble, kvl: kvlayer.Client, size: int
    ) -> None:
        rows = [((n,), bytes([n]) * size) for n in range(30)]
        kvl.put_many("t", rows)
        kvl.delete("t", (3,), (29,))
        left = [row for row in rows if row[0] not in ((3,), (29,))]
        for _ in range(2):
            with client_of(double) as fresh:
                assert list(fresh.scan_keys("t")) == [key for key, _ in left]
                assert list(fresh.scan_keys("t", ((2,), (5,)))) == [(2,), (4,), (5,)]
                assert list(fresh.scan_keys("t", limit=4)) == [(0,), (1,), (2,), (4,)]
            with client_of(double) as fresh:
                assert list(fresh.scan("t")) == left
                assert list(fresh.get("t", *(key for key, _ in rows))) == [
                    row if row in left else (row[0], None) for row in rows
                ]
        assert bool(double.requests[INDEX]) == (size > 2**14)

    def test_rows_larger_than_a_page(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        rows = [((n,), bytes([n]) * 9 * 2**20) for n in range(3)]
        kvl.put_many("t", rows)
        with client_of(double) as fresh:
            assert list(fresh.scan("t")) == rows
            assert list(fresh.scan_keys("t")) == [(0,), (1,), (2,)]

    def test_backwards(self, kvl: kvlayer.Client) -> None:
        with kvl.table("t")._access as (backend, definition):
            for method in (backend.scan, backend.scan_keys):
                with pytest.raises(kvlayer.NotSupported):
                    method(definition.stored, b"", None, reverse=True, limit=None)


class TestClosing:
    def test_nothing_is_left_open(self, double: RiakDouble, kvl: kvlayer.Client) -> None:
        kvl.put("t", *(((n,), b"") for n in range(200)))
        assert double.nodes[0].open_connections > 1
        kvl.close()
        wait_until(lambda: not double.nodes[0].open_connections)


def test_the_quickstart_runs_with_the_example_of_a_configuration(double: RiakDouble, tmp_path: Path) -> None:
    example = (EXAMPLES / "riak.yaml").read_text().replace("localhost:8087", double.nodes[0].address)
    (tmp_path / "riak.yaml").write_text(example)
    program = [sys.executable, "-W", "error", str(EXAMPLES / "quickstart.py"), "--config", "riak.yaml"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "('foo',) b'one'\n('bar',) b'two'\n('foo',)\n"), done.stderr


def test_a_client_that_is_closed_while_another_thread_repeats(double: RiakDouble) -> None:
    kvl = client_of(double, retry_seconds=3600)
    kvl.setup_namespace({"t": (int,)})
    backend = kvl._connected()
    with kvl.table("t")._access as (_, definition):
        table = definition.stored
    double.fail(Fault(GET, text="overload", times=10**6))
    refused: list[type] = []

    def read() -> None:
        try:
            backend.get(table, [b"a"])
        except kvlayer.KvlayerError as error:
            refused.append(type(error))

    thread = threading.Thread(target=read)
    thread.start()
    wait_until(lambda: double.requests[GET] > 5)
    kvl.close()
    thread.join()
    assert refused == [kvlayer.StorageClosed]
