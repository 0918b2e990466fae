"""Tables in Apache Accumulo, by its own Java client in a Java virtual machine of the process.

- `backend`: the operations of `kvlayer.backends.base.Backend`
- `options`: the configuration, and the properties of the driver made of it
- `layout`: names of applications, namespaces and tables ↔ names of Accumulo
- `connecting`, `waiting`: the driver's client; its calls, with a deadline
- `making`: making and dropping tables and namespaces
- `reading`, `writing`, `writers`, `removing`, `counting`: rows
- `crossing`: rows between Python and Java
- `failures`: Java's exceptions as kvlayer's errors
- `jvm`, `jars`: the virtual machine, and what it runs

docs/backends/accumulo.md is for users.
"""

from kvlayer.backends.accumulo.backend import AccumuloBackend

__all__ = ["AccumuloBackend"]
