"""What can be typed: the parser, the commands and their output, completion, the manual page."""
