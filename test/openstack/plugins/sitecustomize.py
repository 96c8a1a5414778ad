"""Every service runs this at its start: collect garbage seldom.

The services hold large graphs of objects that never go, which Python's collector walks
again and again while they answer."""
import gc

gc.set_threshold(50000, 20, 100)
