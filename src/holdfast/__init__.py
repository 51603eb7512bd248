"""Holdfast: a crypto trading platform that holds on.

Lives here: the public names, loaded on first use so that `import holdfast` stays cheap.
"""

__version__ = "0.1.0"
