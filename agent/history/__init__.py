"""What happened: the journal, the incidents in it, and the chain from cause to effect."""
