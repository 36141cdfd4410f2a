"""Pages about names, the guided tour, and the script that shows one row."""
