"""The six tables that decide everything: link, application, pair, alarm condition, placement and Virtual IP."""
