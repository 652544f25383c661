"""How much memory sampling takes, before it starts; and how it ends where that was too much."""

from rnagen.config.confidence import HeadConfig
from rnagen.config.encoder import EncoderConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import ModelConfig
from rnagen.model.encoders import encoder_memory, pair_width
from rnagen.sampling.confidence import confidence_memory
from rnagen.sampling.denoiser import conformers_at_once
from rnagen.structure import PAIR_FEATURES

LESS_MEMORY = "lower --chunk (conformers at once), cut the sequence into domains, or use a larger machine"
"""What helps where the memory does not suffice."""


def estimated_memory(
    length: int,
    n: int,
    config: ModelConfig,
    options: SamplerConfig,
    encoder: EncoderConfig | None = None,
    head: HeadConfig | None = None,
) -> int:
    """Peak bytes of sampling n conformers of `length` residues, slightly overestimated.

    The trunk holds about 14 pair-sized tensors at once; its output and the biases of all latent layers stay in memory
    throughout; the latent attention holds about three score matrices per head and conformer of a chunk. A fifth and
    64 MiB are added for everything else; `benchmarks/sampling.py` compares the estimate with what is measured. A
    pretrained encoder runs before the trunk, which then holds its pair representation too. A confidence head runs after
    sampling. Only a chunk of the conformers counts, however many there are.
    """
    pairs = length * length * 4
    models = 1 if options.cfg_scale == 1 else 2
    # All channels that an RNA has stay in memory; the trunk reads its own from them.
    pair_features = len(PAIR_FEATURES) * pairs if config.pair_features else 0
    trunk = (14 * config.pair_dim + len(config.pair_features)) * pairs
    contexts = models * (2 * config.num_layers * config.mha_heads + config.pair_dim) * pairs
    group = config.num_conformers
    chunk = min(-(-n // group) * group, conformers_at_once(options.chunk, length, group))
    attention = 3 * chunk * config.mha_heads * pairs
    folding = 8 * pairs
    encoding = 0
    if encoder is not None:
        encoding = encoder_memory(length, encoder)
        trunk += 3 * pair_width(encoder) * pairs
    # Guided by itself, a model runs again when the first context is there.
    encoding += contexts if models == 2 else 0
    confidence = 0 if head is None else contexts + confidence_memory(length, head, config.pair_dim)
    peak = max(encoding, trunk + contexts, contexts + attention, folding, confidence)
    return int(1.2 * peak + pair_features) + 64 * 2**20


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, by Python, NumPy or PyTorch on any device; PyTorch's CPU has no class for it."""
    words = ("allocate memory", "out of memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(w in str(error).lower() for w in words)
    )
