"""The report of an incident as one HTML file: its analysis, its pictures and its document."""
