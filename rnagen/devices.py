"""Where tensors live, and what is fast there."""

from functools import cache

from rnagen.errors import ConfigError
from rnagen.messages import quoted


def choose_device(name: str) -> str:
    """The device of that name, or the best available one for `auto`.

    Raises:
        ConfigError: this machine has no such device.
    """
    # --help does not wait for torch.
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    refused = ConfigError(f"device: {quoted(name)} is not available here (choose auto, cpu, cuda or mps)")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise refused from None
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= counts.get(device.type, 0):
        raise refused
    return name


@cache
def multiplies_bfloat16(device: str) -> bool:
    """Whether products in bfloat16 are fast on this kind of device: a processor without instructions for them takes
    over a hundred times as long as for fp32."""
    import torch

    return device != "cpu" or (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())
