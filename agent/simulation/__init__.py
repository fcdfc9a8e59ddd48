"""Simulation: the real agent on a virtual clock with simulated hosts, driven by a script of faults."""
