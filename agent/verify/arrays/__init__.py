"""Sets of keys and rows in numpy arrays, and the compiled inner loops of the exploration."""
