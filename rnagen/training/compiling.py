"""Networks compiled in place for training, with what was compiled stored between runs."""

import os
from collections.abc import Iterable

import torch
from torch import nn
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

from rnagen.caches import cache_folder

STORED_IN = "TORCHINDUCTOR_CACHE_DIR"
"""Environment variable of the compiler. A folder that the user names stays; one of the compiler's own, which the import
of Lightning sets, does not."""


def compile_in_place(networks: Iterable[nn.Module], graphs: int = 8) -> None:
    """Compile the forward passes of networks for each shape that they see; the names in their state dicts stay.

    Args:
        networks: what is compiled, each by itself.
        graphs: most variants of one network: lengths times ways to call it. Beyond its limit the compiler would stop
            compiling.
    """
    if os.environ.get(STORED_IN, default_cache_dir()) == default_cache_dir():
        os.environ[STORED_IN] = str(cache_folder() / "compiled")
    torch._dynamo.config.cache_size_limit = max(graphs, torch._dynamo.config.cache_size_limit)
    for network in networks:
        network.compile(dynamic=False)
