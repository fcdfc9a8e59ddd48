"""What must hold: the named properties, and the stricter rules by subject."""
