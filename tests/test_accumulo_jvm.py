"""The Java virtual machine of the accumulo backend, each in a process of its own: start, failures, fork, exit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from kvlayer.backends.accumulo import jars
from servers.accumulo import shared_server

# Long enough for a busy machine, and far less than the time limits of the calls that are left.
PATIENCE = 300


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in a new Python; what it prints, and its exit status."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def said(script: str, *arguments: str, **environment: str) -> list[str]:
    """The lines that a script prints, which ends well and says nothing on stderr."""
    done = run(script, *arguments, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def folder_of_jars(folder: Path, *without: str) -> Path:
    """A folder of links to the client's jars, except some."""
    folder.mkdir()
    for jar in jars.client_jars():
        if not jar.name.startswith(without):
            (folder / jar.name).symlink_to(jar)
    return folder


@pytest.fixture(scope="module")
def config() -> str:
    """The configuration of a client of a real cluster, as JSON."""
    return json.dumps({**shared_server().config, "app_name": "jvm", "namespace": "test"})


def test_one_machine_for_all_threads_and_clients() -> None:
    script = """
        import threading
        from kvlayer.backends.accumulo import crossing, jvm
        threads = [threading.Thread(target=jvm.start) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(jvm.java_class("java.lang.Runtime").getRuntime().maxMemory() >> 20, crossing.way().__name__)
        """
    [line] = said(script)
    heap, way = line.split()
    assert 400 < int(heap) <= 512
    assert way == "kvlayer.backends.accumulo.by_batch"


def test_options_of_the_user_win() -> None:
    script = """
        from kvlayer.backends.accumulo import jvm
        jvm.start(jvm_options=["-Xmx100m", "-XX:+UseParallelGC", "-Dmine=yes"])
        print(jvm.java_class("java.lang.Runtime").getRuntime().maxMemory() >> 20)
        print(jvm.java_class("java.lang.System").getProperty("mine"))
        """
    heap, mine = said(script)
    assert int(heap) <= 100
    assert mine == "yes"


def test_other_settings_come_too_late() -> None:
    script = """
        from kvlayer import ConfigurationError
        from kvlayer.backends.accumulo import jvm
        jvm.start(jvm_options=["-Xmx100m"])
        jvm.start(jvm_options=["-Xmx100m"])
        for settings in {"jvm_options": ["-Xmx200m"]}, {"class_path": ["."], "jvm_options": ["-Xmx100m"]}:
            try:
                jvm.start(**settings)
            except ConfigurationError as error:
                print(error)
        """
    lines = said(script)
    assert len(lines) == 2
    assert all("must be the same for all clients of a process" in line for line in lines)


def test_options_that_java_refuses() -> None:
    script = """
        from kvlayer import ConfigurationError
        from kvlayer.backends.accumulo import jvm
        for _ in range(2):
            try:
                jvm.start(jvm_options=["-Xmx12x", "-Dpassword=sesame"])
            except ConfigurationError as error:
                print(error)
        """
    done = run(script)
    first, second = done.stdout.splitlines()
    assert "are these jvm_options right?" in first
    assert "can't be tried again" in second
    assert "Invalid maximum heap size: -Xmx12x" in done.stderr
    assert "sesame" not in done.stdout


def test_jars_from_a_folder(tmp_path: Path) -> None:
    script = """
        import sys
        from kvlayer.backends.accumulo import jvm
        jvm.start(sys.argv[1])
        print(jvm.java_class("org.apache.accumulo.core.Constants").VERSION)
        """
    folder = folder_of_jars(tmp_path / "jars of Accumulo")
    assert said(script, str(folder), M2_REPO=str(tmp_path / "none")) == ["2.1.4"]
    assert not (tmp_path / "none").exists()


def test_a_jar_is_missing(tmp_path: Path) -> None:
    script = """
        import sys
        from kvlayer import ConfigurationError
        from kvlayer.backends.accumulo import jvm
        try:
            jvm.start(sys.argv[1])
        except ConfigurationError as error:
            print(error)
        """
    folder = folder_of_jars(tmp_path / "jars", "zookeeper-3", "hadoop-client-api")
    [line] = said(script, str(folder))
    assert line.startswith("classpath does not give hadoop-client-api, zookeeper;")


def test_java_started_by_others_without_the_jars() -> None:
    script = """
        import jpype
        from kvlayer import ConfigurationError
        from kvlayer.backends.accumulo import jvm
        jpype.startJVM()
        for options in [], ["-Xmx100m"]:
            try:
                jvm.start(jvm_options=options)
            except ConfigurationError as error:
                print(error)
        """
    first, second = said(script)
    assert "started in this process without the jars of Accumulo's client" in first
    assert "jvm_options come too late" in second


def test_java_started_by_others_with_the_jars(config: str) -> None:
    script = """
        import json, sys
        import jpype
        import kvlayer
        from kvlayer.backends.accumulo import crossing, jars
        jpype.startJVM("-Dlog4j2.level=off", classpath=[str(jar) for jar in jars.client_jars()])
        with kvlayer.client(json.loads(sys.argv[1])) as kvl:
            kvl.setup_namespace({"t": (str,)})
            kvl.put("t", (("a",), b"1"))
            print(crossing.way().__name__, list(kvl.scan("t")))
            kvl.delete_namespace()
        """
    done = run(script, config)
    assert (done.returncode, done.stdout) == (0, "kvlayer.backends.accumulo.by_row [(('a',), b'1')]\n")


def test_a_forked_child_is_told_and_ends(config: str) -> None:
    script = """
        import json, os, sys
        import kvlayer
        settings = json.loads(sys.argv[1])
        kvl = kvlayer.client(settings)
        kvl.setup_namespace({"t": (str,)})
        kvl.put("t", (("a",), b"1"))
        rows = kvl.scan("t")
        next(rows)
        if os.fork() == 0:
            for client in kvl, kvlayer.client(settings):
                try:
                    list(client.scan("t"))
                except kvlayer.KvlayerError as error:
                    print(type(error).__name__, error, flush=True)
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.wait()[1]), list(kvl.scan("t")))
        kvl.delete_namespace()
        """
    inherited, new, parent = said(script, config)
    assert "spawn" in inherited
    assert new.startswith("ConfigurationError ")
    assert "Java does not survive a fork" in new
    assert "spawn" in new
    assert parent == "3 [(('a',), b'1')]"


def test_spawned_children_have_java_of_their_own(config: str, tmp_path: Path) -> None:
    script = """
        import json, multiprocessing, sys
        import kvlayer

        def work(kvl):
            kvl.put("t", (("child",), b"1"))

        if __name__ == "__main__":
            with kvlayer.client(json.loads(sys.argv[1])) as kvl:
                kvl.setup_namespace({"t": (str,)})
                child = multiprocessing.get_context("spawn").Process(target=work, args=(kvl,))
                child.start()
                child.join()
                print(child.exitcode, list(kvl.scan("t")))
                kvl.delete_namespace()
        """
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, file, config], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.stdout, done.stderr) == ("0 [(('child',), b'1')]\n", "")


@pytest.mark.parametrize(("end", "status"), [("pass", 0), ("sys.exit(7)", 7)])
def test_a_client_left_open_does_not_hold_up_the_exit(config: str, end: str, status: int) -> None:
    script = """
        import contextlib, json, sys, threading
        import kvlayer
        kvl = kvlayer.client(json.loads(sys.argv[1]))
        kvl.setup_namespace({"left": (int,)})
        kvl.put("left", *(((number,), b"x") for number in range(2000)))
        rows = kvl.scan("left")
        next(rows)
        ready = threading.Event()
        def work():
            with contextlib.suppress(Exception):  # Java ends before a thread that nobody waits for
                while True:
                    list(kvl.get("left", *((number,) for number in range(2000))))
                    ready.set()
        threading.Thread(target=work, daemon=True).start()
        ready.wait()
        END
        """
    done = run(script.replace("END", end), config)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_ctrl_c_ends_a_call_that_gets_no_answer() -> None:
    script = """
        import json, sys
        import kvlayer
        kvl = kvlayer.client(json.loads(sys.argv[1]))
        kvl.ping()
        """
    with socket.create_server(("127.0.0.1", 0)) as silent:  # in place of ZooKeeper
        settings: dict[str, Any] = {
            "storage_type": "accumulo",
            "storage_addresses": [f"127.0.0.1:{silent.getsockname()[1]}"],
            "instance_name": "none",
            "username": "nobody",
            "password": "sesame",
            "connect_timeout": 10 * PATIENCE,
            "app_name": "jvm",
            "namespace": "test",
        }
        program = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), json.dumps(settings)],
            stderr=subprocess.PIPE,
            text=True,
        )
        with program:
            silent.settimeout(PATIENCE)
            silent.accept()[0].close()  # so the call is on its way
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=PATIENCE)
    assert program.returncode == -signal.SIGINT
    assert errors.strip().endswith("KeyboardInterrupt")


def test_signals_stay_with_python() -> None:
    script = """
        import os, signal
        from kvlayer.backends.accumulo import jvm
        signal.signal(signal.SIGHUP, lambda *_: print("heard", flush=True))
        jvm.start()
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        """
    done = run(script)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "heard\n", "")


@pytest.mark.parametrize("asked", [False, True])
def test_what_java_logs_is_for_those_who_ask(asked: bool) -> None:
    script = """
        import sys
        from kvlayer.backends.accumulo import jvm
        jvm.start(jvm_options=sys.argv[1:])
        logger = jvm.java_class("org.slf4j.LoggerFactory").getLogger("somebody")
        logger.error("an error")
        logger.info("information")
        """
    done = run(script, *(["-Dlog4j2.level=warn"] if asked else []))
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert [line.split()[-1] for line in lines] == (["error"] if asked else [])
