"""Exact play on the answer simplex."""
