"""Ten things broken on a real local cluster, and how soon each is noticed, and by what.

`python -m scripts.breaking --write` puts what it measured into docs/how-to/when-it-breaks.md.
"""
