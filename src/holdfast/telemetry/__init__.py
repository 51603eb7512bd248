"""What the platform tells about itself: logs now. The lowest edge room; it imports no other.

Not here: what happened to orders, which is the journal's to say. `domain`, `strategy` and `engine`
never emit anything.
"""
