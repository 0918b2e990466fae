"""The real servers that the tests run against: installed, started and stopped by the tests themselves.

- `install`: a script that installs what is missing
- `process`: a server process with a folder and a port of its own
- one module for each store
"""
