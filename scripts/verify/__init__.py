"""`make verify`: every artefact of a deployment, held against the program that will read it.

`table` has one line per check: add yours there. Not here: what artefacts mean (tests/artefacts).
"""
