"""State diagrams: the views of each machine, drawn from its rows, and its page."""
