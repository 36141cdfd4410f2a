"""How a source is made: generated, read from a file, or a replica of a live object."""
