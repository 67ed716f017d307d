"""Benchmarks, run by `python -m bench` and never by the tests: one file each, ours and the peer in turn."""
