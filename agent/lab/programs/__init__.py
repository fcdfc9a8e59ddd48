"""The programs that run on the lab's hosts: SIP servers, media endpoints, and components with a mode."""
