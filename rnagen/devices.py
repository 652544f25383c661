"""Where tensors live."""

from rnagen.errors import ConfigError


def choose_device(name: str) -> str:
    """The device of that name, or the best available one for `auto`.

    Raises:
        ConfigError: this machine has no such device.
    """
    # --help does not wait for torch.
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(name.split(":")[0], False):
        raise ConfigError(f"device: {name!r} is not available here (choose auto, cpu, cuda or mps)")
    return name
