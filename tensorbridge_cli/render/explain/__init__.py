"""Pages and the tour in the terminal."""
