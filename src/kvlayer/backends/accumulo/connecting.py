"""A connection to an instance: the driver's client, and its calls with a deadline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import jpype

from kvlayer.backends.accumulo import jvm, waiting
from kvlayer.backends.accumulo.failures import Refused, UnknownTableOptionsError, explain
from kvlayer.backends.accumulo.options import AccumuloOptions
from kvlayer.backends.accumulo.waiting import DeadlinePassed
from kvlayer.errors import ConfigurationError

_Result = TypeVar("_Result")

# Twice this time is what the driver takes to find that no ZooKeeper server answers.
_SESSION_SHARE: Final = 0.5


class Connection:
    """The driver's client of one user of an instance, for any number of threads."""

    def __init__(self, options: AccumuloOptions) -> None:
        """Starts Java if need be, connects, and logs in.

        Raises ConfigurationError for a client properties file that can't be read, StorageError where
        there is no such instance, the login is refused, or no server answers in time.
        """
        jvm_options = options.jvm_options
        jvm.start(options.classpath, jvm_options.split() if isinstance(jvm_options, str) else jvm_options)
        properties = _properties(options)
        self.options = options
        self.where = ",".join(options.addresses()) or str(properties.getProperty("instance.zookeepers"))
        self.client: Any = None
        self.do("connect", self._connect, properties, seconds=options.connect_timeout)

    def do(
        self,
        operation: str,
        call: Callable[..., _Result],
        *arguments: Any,
        seconds: float,
        writes: bool = False,
    ) -> _Result:
        """Calls Java, and gives up after so many seconds.

        Raises StorageError with the Java exception as its cause; BadKey where a constraint is broken.
        """
        try:
            return waiting.within(seconds, lambda: call(*arguments))
        except (jpype.JException, DeadlinePassed, Refused, UnknownTableOptionsError) as error:
            raise explain(error, operation, self.where, writes=writes) from error

    def facts(self) -> dict[str, Any]:
        """What `ping` tells. Asks a tablet server."""
        self._log_in(self.client)
        instance = self.client.instanceOperations()
        return {
            "where": self.where,
            "instance": str(self.client.properties().getProperty("instance.name")),
            "instance_id": str(instance.getInstanceId()),
            "user": str(self.client.whoami()),
            "tablet_servers": len(instance.getTabletServers()),
            "client_version": str(jvm.java_class("org.apache.accumulo.core.Constants").VERSION),
        }

    def close(self) -> None:
        """Ends the driver's threads for this client."""
        waiting.in_background(self.client.close)

    def _connect(self, properties: Any) -> None:
        client = jvm.java_class("org.apache.accumulo.core.client.Accumulo").newClient()
        self.client = client.from_(properties).build()
        try:
            self._log_in(self.client)
        except BaseException:
            self.client.close()
            raise

    @staticmethod
    def _log_in(client: Any) -> None:
        """Asks a tablet server for something that it tells everybody who has the right password."""
        client.securityOperations().getUserAuthorizations(client.whoami())


def _properties(options: AccumuloOptions) -> Any:
    """The client's properties: those of the file, overlaid with the options."""
    properties = jpype.java.util.Properties()
    properties.setProperty(
        "instance.zookeepers.timeout", f"{max(1, round(options.connect_timeout * _SESSION_SHARE * 1000))}ms"
    )
    if options.client_properties is not None:
        path = Path(options.client_properties).expanduser()
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigurationError(
                f"accumulo: client_properties {str(path)!r} can't be read: {reason}"
            ) from None
        properties.load(jpype.java.io.StringReader(content))
    for name, value in options.to_properties().items():
        properties.setProperty(name, value)
    return properties
