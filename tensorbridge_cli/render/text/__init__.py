"""Words, shapes and folded lines that several formats share."""
