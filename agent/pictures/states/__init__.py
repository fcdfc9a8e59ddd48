"""State diagrams: the views of each machine, laid out and drawn from its rows, and the page about it."""
