"""A pretrained RNA language model (RNA-FM, RiNALMo, RibonanzaNet …) as an encoder, from a local folder.

The architectures come from multimolecule, which is licensed under the AGPL: it is an optional extra, and imported only
by the functions here. Nothing is downloaded, no code from the folder is run, no pickle is read.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rnagen.config.encoder import EncoderConfig
from rnagen.errors import ConfigError, InputError
from rnagen.features import RNAFeatures
from rnagen.messages import one_line
from rnagen.model.encoders.interface import Encoder, EncoderOutput
from rnagen.structure import BASES

if TYPE_CHECKING:
    from transformers import PretrainedConfig

PADDED_POSITIONS = 2
"""First rows of a position table with a padding row; no residue uses them (as in fairseq)."""


@dataclass(frozen=True)
class LanguageModelShape:
    """Everything in a folder that defines the model, except its weights; checkpoints store it instead of the folder."""

    config: dict[str, Any]
    """Content of config.json."""
    bases: tuple[int, ...]
    """Token of every base of `BASES`."""
    before: tuple[int, ...]
    """Tokens before every sequence."""
    after: tuple[int, ...]
    """Tokens after every sequence."""

    @classmethod
    def from_folder(cls, folder: Path) -> "LanguageModelShape":
        """Read config.json and the vocabulary (by default that of multimolecule for this kind of model).

        Raises:
            ConfigError: multimolecule is not installed.
            InputError: the folder is missing, config.json cannot be used, or tokens are not single residues.
        """
        _import_multimolecule()
        from transformers import AutoTokenizer

        if not folder.is_dir():
            raise InputError(str(folder), "", "no such folder")
        try:
            content = json.loads((folder / "config.json").read_text())
        except FileNotFoundError:
            raise InputError(
                str(folder), "config.json", "missing; expected a language model in the Hugging Face layout"
            ) from None
        except ValueError as error:
            raise InputError(str(folder), "config.json", f"cannot be parsed as JSON: {error}") from error
        config = _configuration(content, str(folder))
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                str(folder), config=config, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise InputError(str(folder), "tokenizer", one_line(error, 200)) from error
        bases = tokenizer(BASES, add_special_tokens=False)["input_ids"]
        whole = tokenizer(BASES)["input_ids"]
        known = len(set(bases)) == len(bases) == len(BASES) and max(whole) < config.vocab_size
        if not known or tokenizer.unk_token_id in bases:
            raise InputError(str(folder), "tokenizer", f"{BASES} is read as {bases}, not as one token per residue")
        start = next(i for i in range(len(whole)) if whole[i : i + len(bases)] == bases)
        return cls(content, tuple(bases), tuple(whole[:start]), tuple(whole[start + len(bases) :]))

    @classmethod
    def from_json(cls, text: str) -> "LanguageModelShape":
        """Inverse of `to_json`.

        Raises:
            ConfigError: the text is damaged.
        """
        try:
            values = json.loads(text)
            tokens = {name: tuple(int(token) for token in values[name]) for name in ("bases", "before", "after")}
            return cls(config=dict(values["config"]), **tokens)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"language_model_shape: does not describe a language model: {error!r}") from error

    def to_json(self) -> str:
        """The shape as one line of JSON."""
        return json.dumps(asdict(self))


class LanguageModelEncoder(Encoder):
    """A language model of single residues. It reads the sequence, but neither base pairs nor gaps in the chain.

    RNAs of different lengths run separately, without padding, because the published RibonanzaNet attends to padding.

    The last of `EncoderOutput.layers` is the single representation, normalised if the model ends with a normalisation.
    """

    def __init__(self, shape: LanguageModelShape) -> None:
        """A model without pretrained weights, on the CPU whatever the default device: some of its buffers are in no
        weights file, and would have no values on the meta device.

        Raises:
            ConfigError: multimolecule is not installed.
            InputError: the kind of model is unknown.
        """
        _import_multimolecule()
        from transformers import AutoModel

        config = _configuration(shape.config, "language model")
        with torch.device("cpu"):
            model = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
        self._wrap(model, shape)

    @classmethod
    def from_folder(cls, folder: Path) -> "LanguageModelEncoder":
        """The pretrained model, in fp32, ready for training.

        Raises:
            ConfigError: multimolecule is not installed.
            InputError: the folder or its safetensors are missing, or these are damaged or incomplete.
        """
        shape = LanguageModelShape.from_folder(folder)
        from safetensors import SafetensorError
        from transformers import AutoModel

        try:
            model, report = AutoModel.from_pretrained(
                str(folder),
                config=_configuration(shape.config, str(folder)),
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except (OSError, RuntimeError, SafetensorError) as error:
            raise InputError(str(folder), "weights", one_line(error, 200)) from error
        # transformers would replace these with random numbers.
        lacking = {name for name in report["missing_keys"] if not name.startswith("pooler.")}
        unfit = {entry[0] for entry in report["mismatched_keys"] if not entry[0].startswith("pooler.")}
        for names, how in ((lacking - unfit, "are missing"), (unfit, "do not have the shape given by config.json")):
            if names:
                raise InputError(str(folder), "weights", f"{len(names)} tensors {how}, for instance {min(names)}")
        encoder = cls.__new__(cls)
        encoder._wrap(model, shape)
        return encoder

    def described(self, config: EncoderConfig) -> EncoderConfig:
        """Options that build an encoder of this shape without the folder."""
        return replace(config, language_model_shape=self.shape.to_json())

    def _wrap(self, model: Any, shape: LanguageModelShape) -> None:
        super().__init__()
        config = model.config
        # A summary of the whole sequence; unused here.
        if hasattr(model, "pooler"):
            model.pooler = None
        # A model read from a folder is in evaluation mode, in which dropout would stay off in training.
        self.model: nn.Module = model.train()
        self.shape = shape
        self.dim, self.num_layers = config.hidden_size, config.num_hidden_layers
        self.pair_dim = getattr(config, "pairwise_size", None)
        special = len(shape.before) + len(shape.after)
        self.max_length = min((size - special for size in _position_tables(model)), default=None)

    def forward(self, features: RNAFeatures) -> EncoderOutput:
        """Encode each RNA of the batch.

        Raises:
            InputError: an RNA is longer than the model's position table.
        """
        batch, length = features.bases.shape
        device = features.bases.device
        # Rotary position tables made in inference mode cannot be used in training.
        module: Any
        for module in self.model.modules():
            if hasattr(module, "_seq_len_cached"):
                module._seq_len_cached = None
        layers = torch.zeros(self.num_layers, batch, length, self.dim, device=device)
        pair = None if self.pair_dim is None else torch.zeros(batch, length, length, self.pair_dim, device=device)
        lengths = features.mask.sum(dim=1)
        for size in sorted(set(lengths.tolist()) - {0}):
            rows = torch.nonzero(lengths == size)[:, 0]
            states, pairs = self._read(features.bases[rows, :size])
            layers[:, rows, :size] = states.float()
            if pair is not None and pairs is not None:
                pair[rows, :size, :size] = pairs.float()
        return EncoderOutput(layers[-1], pair, tuple(layers))

    def _read(self, bases: Int[Tensor, "b n"]) -> tuple[Float[Tensor, "layers b n d"], Float[Tensor, "b n n c"] | None]:
        """Encode RNAs of one length."""
        count, size = bases.shape
        if self.max_length is not None and size > self.max_length:
            reason = f"reads at most {self.max_length} residues, not {size}"
            raise InputError("language model", self.shape.config["model_type"], reason)
        table, before, after = (
            torch.tensor(ids, dtype=torch.int64, device=bases.device)
            for ids in (self.shape.bases, self.shape.before, self.shape.after)
        )
        tokens = torch.cat([before.expand(count, -1), table[bases], after.expand(count, -1)], dim=1)
        extra = {} if self.pair_dim is None else {"output_pairwise_states": True}
        out = self.model(input_ids=tokens, attention_mask=torch.ones_like(tokens), output_hidden_states=True, **extra)
        residues = slice(len(before), len(before) + size)
        states = torch.stack(out.hidden_states[1:])[:, :, residues]
        return states, None if self.pair_dim is None else out.pairwise_states[-1][:, residues, residues]


def _import_multimolecule() -> None:
    """Import it (which registers its models with transformers) and restore the random state: it sets a fixed seed."""
    seed, state = torch.initial_seed(), torch.get_rng_state()
    try:
        import multimolecule  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "multimolecule":
            raise
        raise ConfigError("encoder: language-model needs multimolecule (AGPL): pip install 'rnagen[lm]'") from None
    torch.manual_seed(seed)
    torch.set_rng_state(state)


def _configuration(content: Any, source: str) -> "PretrainedConfig":
    """The configuration object for the content of a config.json.

    Raises:
        InputError: the kind of model is unknown, or the model has no tokens or layers.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.for_model(content["model_type"]).from_dict(content)
        missing = [name for name in ("hidden_size", "num_hidden_layers", "vocab_size") if not hasattr(config, name)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(source, "config.json", f"does not describe a known model: {one_line(error, 200)}") from error
    if missing:
        raise InputError(source, "config.json", f"does not describe a language model: {missing[0]} is missing")
    return config


def _position_tables(model: nn.Module) -> list[int]:
    """Number of tokens that fit each table of learned positions; empty if positions are relative."""
    return [
        module.num_embeddings - (0 if module.padding_idx is None else PADDED_POSITIONS)
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
    ]
