"""What it means: the documented promises, and observations held against them."""
