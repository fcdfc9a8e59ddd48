"""A simulated world for the real agent and LCAs: clock, network, kernels, disk; faults by chance, truth as judge."""
