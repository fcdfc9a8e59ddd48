"""Mutants: every table changed in every small way, to judge the verification itself."""
