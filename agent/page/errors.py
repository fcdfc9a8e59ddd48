"""What keeps the page from being served."""


class PageError(Exception):
    """The page cannot be served; the text says why, and what to do."""
