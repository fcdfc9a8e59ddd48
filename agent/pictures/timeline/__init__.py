"""Timelines of incidents: the condition of each host, application, the VIP and the clients over time."""
