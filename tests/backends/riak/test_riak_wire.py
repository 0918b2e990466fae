"""The wire client of Riak by itself, against the double: frames, errors, several nodes, broken connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kvlayer.backends.riak.wire import Address, ClientClosed, Disconnected, Refused, RiakClient, messages
from riak_double import Fault, RiakDouble
from riak_double.clients import GET, wait_until, wire_client_of
from riak_double.encoding import decode, field, unzigzag, zigzag
from servers.process import free_port

UNDECODABLE = "Error processing incoming message: no"


@pytest.fixture
def double() -> Iterator[RiakDouble]:
    with RiakDouble((0, 0)) as double:
        yield double


@pytest.fixture
def client(double: RiakDouble) -> Iterator[RiakClient]:
    with wire_client_of(double) as client:
        yield client


def put(client: RiakClient, key: bytes, value: bytes) -> None:
    client.call(messages.PUT, messages.PUT.request(bucket=b"b", key=key, content={"value": value}))


def get(key: bytes) -> Any:
    return messages.GET.request(bucket=b"b", key=key)


def values(client: RiakClient, keys: list[bytes], budget: int | None = None) -> list[Any]:
    outcomes = client.call_many(messages.GET, len(keys), lambda n: get(keys[n]), budget)
    found = [messages.GET.reply(one).content if isinstance(one, bytes) else one for one in outcomes]
    return [one if isinstance(one, Exception) else (one[0].value if one else None) for one in found]


def scan(client: RiakClient, budget: int | None = None, **fields: Any) -> Any:
    request = messages.CS_BUCKET.request(bucket=b"b", start_key=b"\0", **fields)
    return client.stream(messages.CS_BUCKET, request, lambda message: message.done, budget)


class TestMessages:
    """What the `protobuf` library writes is what the double reads by hand, and the other way round."""

    def test_a_request_as_bytes(self) -> None:
        message = messages.PUT.request(
            bucket=b"b", key=b"k", content={"value": b"v"}, w=messages.ALL, type=b"t"
        )
        frame = messages.PUT.frame(message)
        assert frame[:5] == (len(frame) - 4).to_bytes(4, "big") + b"\x0b"
        assert decode(frame[5:]) == {1: [b"b"], 2: [b"k"], 4: [field(1, b"v")], 5: [4294967292], 16: [b"t"]}

    def test_empty_bytes_are_sent(self) -> None:
        assert decode(messages.GET.request(bucket=b"", key=b"").SerializeToString()) == {1: [b""], 2: [b""]}

    @pytest.mark.parametrize("number", [0, 1, -1, 2**31, -(2**31), 2**63 - 1, -(2**63)])
    def test_signed_numbers(self, number: int) -> None:
        body = messages.DT_UPDATE.request(op={"counter_op": {"increment": number}}).SerializeToString()
        operation = decode(decode(decode(body)[5][0])[1][0])  # type: ignore[arg-type]
        assert unzigzag(operation[1][0]) == number  # type: ignore[arg-type]
        assert messages.DT_UPDATE.reply(field(3, zigzag(number))).counter_value == number

    def test_unknown_fields_are_skipped(self) -> None:
        assert (
            messages.GET.reply(field(1, field(1, b"v") + field(9, b"?")) + field(77, 7)).content[0].value
            == b"v"
        )


class TestAnswers:
    def test_one_request(self, client: RiakClient) -> None:
        client.call(messages.PING)
        assert client.call(messages.SERVER_INFO).node == b"riak@double"
        put(client, b"k", b"v")
        assert client.call(messages.GET, get(b"k")).content[0].value == b"v"
        assert not client.call(messages.GET, get(b"missing")).content

    def test_answers_come_in_the_order_of_the_requests(self, client: RiakClient) -> None:
        keys = [b"%d" % n for n in range(500)]
        for key in keys[::7]:
            put(client, key, key)
        assert values(client, keys) == [key if n % 7 == 0 else None for n, key in enumerate(keys)]

    def test_no_requests_at_all(self, client: RiakClient) -> None:
        assert values(client, []) == []

    def test_large_values_both_ways(self, client: RiakClient) -> None:
        large = bytes(range(256)) * 2**14
        requests = [
            messages.PUT.request(bucket=b"b", key=b"%d" % n, content={"value": large}) for n in range(6)
        ]
        assert client.call_many(messages.PUT, 6, requests.__getitem__) == [b""] * 6
        assert values(client, [b"%d" % n for n in range(6)]) == [large] * 6
        assert [item.key for message in scan(client).messages for item in message.objects] == [
            b"%d" % n for n in range(6)
        ]

    @pytest.mark.parametrize("budget", [1, 5000, 10_500, 10**6])
    def test_a_budget_ends_a_batch_early(self, client: RiakClient, budget: int) -> None:
        keys = [b"%02d" % n for n in range(40)]
        for key in keys:
            put(client, key, key * 500)
        found = values(client, keys, budget)
        assert 1 <= len(found) <= max(4, budget // 1000)
        assert found == [key * 500 for key in keys[: len(found)]]
        assert len(values(client, [b"missing"] * 40, budget)) == 40

    @pytest.mark.parametrize("budget", [100, 30_000])
    def test_a_budget_ends_a_stream_early(self, double: RiakDouble, client: RiakClient, budget: int) -> None:
        double.knobs.rows_per_frame = 5
        for n in range(40):
            put(client, b"%02d" % n, b"x" * 1000)
        whole = scan(client)
        assert (whole.complete, sum(len(message.objects) for message in whole.messages)) == (True, 40)
        part = scan(client, budget)
        found = [item.key for message in part.messages for item in message.objects]
        assert not part.complete
        assert part.size <= budget
        assert found == [b"%02d" % n for n in range(len(found))]
        assert scan(client).complete  # on a connection where nothing of the rest arrives


class TestErrors:
    def test_an_error_leaves_the_connection_open(self, double: RiakDouble) -> None:
        with wire_client_of(double, max_connections=1) as client:
            for _ in range(3):
                with pytest.raises(Refused, match="zero-length") as refused:
                    put(client, b"", b"")
                assert (refused.value.closes, refused.value.may_pass, refused.value.undone) == (
                    False,
                    False,
                    True,
                )
            client.call(messages.PING)
        assert sum(node.accepted for node in double.nodes) == 1

    def test_an_error_after_which_the_node_hangs_up(self, double: RiakDouble) -> None:
        with wire_client_of(double, max_connections=1) as client:
            for _ in range(3):
                with pytest.raises(Refused, match="key_too_large") as refused:
                    put(client, b"k" * 65_537, b"")
                assert refused.value.closes
            client.call(messages.PING)
        assert sum(node.accepted for node in double.nodes) == 4

    def test_each_request_of_a_batch_has_its_own_error(self, double: RiakDouble, client: RiakClient) -> None:
        keys = [b"a", b"", b"b", b"", b"c"]
        for key in (b"a", b"b", b"c"):
            put(client, key, key)
        found = values(client, keys)
        assert [one for one in found if isinstance(one, bytes)] == [b"a", b"b", b"c"]
        assert [n for n, one in enumerate(found) if isinstance(one, Refused)] == [1, 3]

    def test_errors_that_pass(self) -> None:
        starting, late = Refused("{insufficient_vnodes,0,need,2}"), Refused("{pw_val_unsatisfied,3,2}")
        unknown = Refused("{error,something}")
        assert (starting.may_pass, starting.undone) == (True, True)
        assert (unknown.may_pass, unknown.undone) == (False, False)
        assert (late.may_pass, late.undone) == (True, False)

    def test_a_closing_error_in_a_batch_loses_only_what_was_under_way(self, double: RiakDouble) -> None:
        double.fail(Fault(GET, text=UNDECODABLE, skip=1))
        with wire_client_of(double, max_connections=1) as client:
            found = values(client, [b"k"] * 40)
        assert found[0] is None
        assert isinstance(found[1], Refused)
        assert len(found) == 40
        assert {type(one) for one in found[2:]} == {Disconnected}
        assert found[-1].undone
        assert not found[2].undone


class TestConnections:
    @pytest.mark.parametrize("cut", [0, 3, 5, 7])
    def test_a_connection_that_breaks_in_an_answer(
        self, double: RiakDouble, client: RiakClient, cut: int
    ) -> None:
        put(client, b"k", b"value")
        double.fail(Fault(GET, cut=cut))
        with pytest.raises(Disconnected) as lost:
            client.call(messages.GET, get(b"k"))
        assert not lost.value.undone
        assert client.call(messages.GET, get(b"k")).content[0].value == b"value"

    def test_a_node_that_says_nothing(self, double: RiakDouble) -> None:
        double.fail(Fault(GET, delay=1.5, times=2))
        addresses = [Address("127.0.0.1", node.port) for node in double.nodes]
        with RiakClient(addresses, timeout=0.1) as client:
            with pytest.raises(Disconnected, match=r"no answer within 0\.1 seconds"):
                client.call(messages.GET, get(b"k"))
            put(client, b"k", b"v")

    def test_a_slow_answer_is_waited_for(self, double: RiakDouble, client: RiakClient) -> None:
        double.fail(Fault(GET, delay=0.3))
        assert values(client, [b"k"] * 50) == [None] * 50

    def test_idle_connections_that_the_node_has_closed(self, double: RiakDouble, client: RiakClient) -> None:
        for _ in range(3):
            assert values(client, [b"k"] * 20) == [None] * 20
            for node in double.nodes:
                node.drop_connections()
            wait_until(lambda: not any(node.open_connections for node in double.nodes))
        put(client, b"k", b"v")

    def test_a_node_that_is_down_is_passed_over(self, double: RiakDouble, client: RiakClient) -> None:
        double.nodes[0].stop()
        for _ in range(20):
            client.call(messages.PING)
            assert values(client, [b"k"] * 20) == [None] * 20
        double.nodes[0].start()
        double.nodes[1].stop()
        client.call(messages.PING)

    def test_all_nodes_down(self, double: RiakDouble, client: RiakClient) -> None:
        for node in double.nodes:
            node.stop()
        for ask in (
            lambda: client.call(messages.PING),
            lambda: values(client, [b"k"] * 20),
            lambda: scan(client),
        ):
            with pytest.raises(Disconnected, match="can't be reached") as lost:
                ask()
            assert lost.value.undone

    def test_connections_to_all_nodes(self, double: RiakDouble, client: RiakClient) -> None:
        values(client, [b"k"] * 200)
        assert all(node.accepted for node in double.nodes)

    def test_threads_share_few_connections(self, double: RiakDouble) -> None:
        with wire_client_of(double, max_connections=3) as client, ThreadPoolExecutor(8) as threads:
            work: Callable[[int], list[Any]] = lambda _: values(client, [b"k"] * 50)  # noqa: E731
            assert list(threads.map(work, range(40))) == [[None] * 50] * 40
            assert sum(node.open_connections for node in double.nodes) <= 3

    def test_a_thread_waits_for_a_free_connection(self, double: RiakDouble) -> None:
        double.fail(Fault(GET, delay=1.0))
        addresses = [Address("127.0.0.1", double.nodes[0].port)]
        with (
            RiakClient(addresses, max_connections=1, timeout=20.0) as client,
            ThreadPoolExecutor(1) as threads,
        ):
            slow = threads.submit(values, client, [b"k"])
            wait_until(lambda: double.requests[GET] == 1)
            client.call(messages.PING)
            assert slow.result() == [None]

    def test_after_close(self, double: RiakDouble, client: RiakClient) -> None:
        client.call(messages.PING)
        client.close()
        client.close()
        with pytest.raises(ClientClosed):
            client.call(messages.PING)
        wait_until(lambda: not any(node.open_connections for node in double.nodes))

    def test_another_service_on_the_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def speak_http() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(b"\0\0\0\x06HTTP/1.1 400\r\n\r\n")

            thread = threading.Thread(target=speak_http)
            thread.start()
            address = Address("127.0.0.1", server.getsockname()[1])
            with RiakClient([address]) as client, pytest.raises(Disconnected, match="code 72"):
                client.call(messages.PING)
            thread.join()

    def test_nothing_listens(self) -> None:
        port = free_port()
        refused = pytest.raises(Disconnected, match=f"127.0.0.1:{port} can't be reached")
        with RiakClient([Address("127.0.0.1", port)]) as client, refused:
            client.call(messages.PING)

    def test_a_client_needs_a_node(self) -> None:
        with pytest.raises(ValueError, match="at least one node"):
            RiakClient([])
