"""The properties that must hold: the named ones, and the stricter rules by subject."""
