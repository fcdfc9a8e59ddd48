"""What a table is: its rows and their notation, its triggers and outputs, and the live machine that is made from it."""
