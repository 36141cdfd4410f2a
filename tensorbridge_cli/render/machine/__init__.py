"""Formats for other programs and for documents."""
