"""How it is tried: one experiment, its addresses, and the processes that it runs in."""
