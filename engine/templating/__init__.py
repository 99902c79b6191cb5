"""Templates: found, compiled, checked and rendered, with what a message may know and carry."""
