"""How much memory sampling takes, before it starts; and how it ends where that was too much."""

from rnagen.allatom.complete import conformers_together
from rnagen.config.confidence import HeadConfig
from rnagen.config.encoder import EncoderConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import ModelConfig
from rnagen.model.encoders import encoder_memory, pair_width
from rnagen.model.reference import WIDTH
from rnagen.model.rows import channel_groups
from rnagen.model.triangles import LONGEST_IN_FULL
from rnagen.sampling.confidence import confidence_memory
from rnagen.sampling.denoiser import conformers_at_once
from rnagen.structure import PAIR_FEATURES

FRAGMENTS, PER_RESIDUE = 32 * 2**20, 24_000
"""Bytes of completing beads to all atoms: the search in the fragments, and each residue of each conformer, of which
14 to 27 kB were measured."""
LESS_MEMORY = "lower --chunk (conformers at once), cut the sequence into domains, or use a larger machine"
"""What helps where the memory does not suffice."""


def estimated_memory(
    length: int,
    n: int,
    config: ModelConfig,
    options: SamplerConfig,
    encoder: EncoderConfig | None = None,
    head: HeadConfig | None = None,
    atoms: str = "beads",
) -> int:
    """Peak bytes of sampling n conformers of `length` residues, beside the models.

    That of the largest of the stages, which follow each other and work by blocks of rows: tensors of the size of the
    pair representation are counted, a tenth and 64 MiB added for everything else. The trunk holds the pair
    representation, and beside it the sums and edges of one triangle multiplication, or the bias of one attention; with
    references, also the pair representation of those. Its output and the biases of all latent layers then stay. Guided
    by itself, a model runs again when the first context is there. A pretrained encoder runs before the trunk, which
    then holds its pair representation too. A confidence head runs last. Only a chunk of the conformers counts, however
    many there are. `benchmarks/memory.py` prints a table.
    """
    pairs = length * length * 4
    # Probabilities and mask; all channels of pair features that an RNA has stay, the trunk reads its own from them.
    features = (2 + (len(PAIR_FEATURES) if config.pair_features else 0)) * pairs
    triangle = triangle_memory(length, config.pair_dim)
    trunk = config.pair_dim * pairs + max(triangle, config.mha_heads * pairs, 3 * pairs)
    if config.references:
        trunk = max(trunk, (config.pair_dim + WIDTH) * pairs + triangle_memory(length, WIDTH))
    context = (config.num_layers * config.mha_heads + config.pair_dim) * pairs
    if config.ipa != "none":
        # Scores, squared distances and weights of all heads, with what makes one of the others.
        context += 5 * config.mha_heads * pairs
    group = config.num_conformers
    chunk = min(-(-n // group) * group, conformers_at_once(options.chunk, length, group))
    tokens = chunk * length * config.embed_dim * 4
    encoding = 0
    if encoder is not None:
        encoding = encoder_memory(length, encoder)
        trunk += (3 * pair_width(encoder) + config.pair_dim) * pairs
    models = 1 if options.cfg_scale == 1 else 2
    before = (models - 1) * context
    confidence = 0 if head is None else config.pair_dim * pairs + confidence_memory(length, head)
    folding = 8 * pairs
    completion = completion_memory(length, n) if atoms == "all" else 0
    peak = max(folding, before + encoding, before + trunk, models * context + 16 * tokens, confidence, completion)
    return int(1.1 * (peak + features)) + 64 * 2**20


def completion_memory(length: int, n: int) -> int:
    """Bytes of completing n conformers to all atoms: of those that are minimised together."""
    together = conformers_together(length, n)
    return FRAGMENTS + together * length * PER_RESIDUE


def triangle_memory(length: int, width: int) -> int:
    """Bytes of a triangle multiplication of that many channels: its sums over k, and the edges of a group."""
    group = channel_groups(max(1, width // 2), length)[0]
    number = 2 if length > LONGEST_IN_FULL else 4
    return (width + 4 * (group.stop - group.start)) * length * length * number
