"""The command line: the parser, the commands and their output, completion, and the manual page."""
