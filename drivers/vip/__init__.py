"""The Virtual IP on a host: its addresses, their announcements, and the claims of other hosts."""
