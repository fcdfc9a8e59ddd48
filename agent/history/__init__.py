"""What happened: the journal, the incidents in it, and the chain of causes and effects of each."""
