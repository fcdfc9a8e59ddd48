"""The exploration as a Promela model for SPIN, a model checker that shares no code with this one."""
