"""The programs that run on the lab's hosts: SIP servers, media endpoints, components with a mode."""
