"""The Virtual IP on a host: put on its interface, taken off, announced, and watched for claims by other hosts."""
