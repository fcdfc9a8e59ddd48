"""Pictures for reviews, reports and the live page, drawn from the tables and from handled events."""
