"""Benchmarks of kvlayer, each against the bare thing that bounds it, in one run."""
