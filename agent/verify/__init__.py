"""Exhaustive verification: a solution's tables are explored against a model of its hosts, network and clients."""
