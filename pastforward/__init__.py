"""L7. Pretrain any nonlinear RNN without backpropagation through time, then run it alone.

Names are those of `__init__.pyi`. They are imported when first used, so that `import pastforward`
takes no second of torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
