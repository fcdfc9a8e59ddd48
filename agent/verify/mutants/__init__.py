"""Mutation testing: small changes of every table's rows, to find out whether the verification notices them."""
