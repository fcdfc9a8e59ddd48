"""Exhaustive exploration: a solution's tables against a model of its hosts, network and clients."""
