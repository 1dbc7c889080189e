"""Explore what a brain-circuit model does over its whole parameter space.

Each name is loaded on first use, so that the command line starts at once; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
