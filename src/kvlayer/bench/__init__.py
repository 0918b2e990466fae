"""Benchmarks of any configured store: `kvlayer bench` from the command line.

A benchmark runs in worker processes of its own (`workers`), in a namespace of its own (`store`), and
ends as a `Run`, which keeps what was measured together with where and how (`results`).
"""
