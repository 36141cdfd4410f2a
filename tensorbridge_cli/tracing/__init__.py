"""The same questions asked of a user's own program: which conversions run, from which lines, and what they do.

``launch`` runs the program with ``start/`` on its path; there ``hooks`` puts a stand-in before each conversion and
``recorder`` counts what they see, in the program's own process. ``parts`` reads the counts of all processes, and
``findings`` says what they mean.
"""
