"""`rnagen summary`: the layers of a model, with shapes and parameter counts."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from rnagen.cli.options import guarded
from rnagen.cli.train import task_of
from rnagen.config.confidence import ConfidenceConfig
from rnagen.config.files import load_config, load_yaml
from rnagen.config.reactivity import ReactivityConfig
from rnagen.errors import ConfigError, InputError
from rnagen.tasks import TASKS

if TYPE_CHECKING:
    from torch import nn

    from rnagen.features import RNAFeatures

TABLE_WIDTH = 150
"""Columns of the table where it is not printed on a terminal."""
EXAMPLE_EXPERIMENTS = ("2A3_MaP", "DMS_MaP")
"""Outputs of a reactivity model that has no data yet: the experiments of the Ribonanza training set."""


@dataclass
class SummaryOptions:
    """Layers, output shapes for one RNA, and parameter counts. Nothing is computed: the layers run without memory (but
    for a language model, which does not run without numbers)."""

    model: Annotated[Path, tyro.conf.Positional]
    """Configuration (.yaml) of a model of any task, or a checkpoint (.safetensors, with its .json)."""
    length: int = 100
    """Residues L of the RNA of the shapes."""
    depth: int = 2
    """Levels of layers within layers that are shown."""

    def __post_init__(self) -> None:
        for name in ("length", "depth"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: {getattr(self, name)} cannot be used")


@dataclass(frozen=True)
class Layer:
    """A row of the table."""

    name: str
    kind: str
    depth: int
    shapes: tuple[tuple[int, ...], ...]
    """Shapes of the tensors that it returns; none where it did not run."""
    parameters: int
    """Trained numbers in it and in the layers within it."""


def main(arguments: Sequence[str]) -> int:
    """Parse the command line and run."""

    def command() -> int:
        return run(tyro.cli(SummaryOptions, args=list(arguments), prog="rnagen summary"))

    return guarded(command, "rnagen summary")


def run(options: SummaryOptions) -> int:
    """Print the table; returns 0.

    Raises:
        InputError: the file is no configuration, or a checkpoint that cannot be used.
        ConfigError: an option in it does not exist or cannot be used.
    """
    if options.model.suffix in (".yaml", ".yml"):
        title, model = _of_config(options.model)
    elif options.model.suffix in (".safetensors", ".json"):
        title, model = _of_checkpoint(options.model.with_suffix(".safetensors"))
    else:
        raise InputError(str(options.model), "", "a configuration is a .yaml file, a checkpoint a .safetensors file")
    show(layers(model.to(_device(model)).eval(), options.length, options.depth), f"{options.model}: {title}")
    return 0


def layers(model: "nn.Module", length: int, depth: int) -> list[Layer]:
    """The model and the layers in it down to `depth`, in the order of their definition; lists of layers are no level.

    On the meta device, where tensors have shapes but no values, nothing is computed.
    """
    import torch
    from torch import nn

    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def remember(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            shapes[name] = tuple(_shapes(output))

        return hook

    named = {name: module for name, module in model.named_modules() if not isinstance(module, nn.ModuleList)}
    hooks = [module.register_forward_hook(remember(name)) for name, module in named.items()]
    try:
        with torch.no_grad():
            _run_once(model, length)
    finally:
        for hook in hooks:
            hook.remove()
    rows = []
    for name, module in named.items():
        parents = name.split(".")[:-1]
        level = (1 if name else 0) + sum(".".join(parents[: i + 1]) in named for i in range(len(parents)))
        if level <= depth:
            count = sum(p.numel() for p in module.parameters())
            rows.append(Layer(name, type(module).__name__, level, shapes.get(name, ()), count))
    return rows


def show(rows: list[Layer], title: str) -> None:
    """Print the table and the size of the whole model, the first row."""
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "type", "output")
    table.add_column("parameters", justify="right")
    for row in rows:
        table.add_row("  " * row.depth + (row.name or "(all)"), row.kind, _text(row.shapes), f"{row.parameters:,}")
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH, markup=False, highlight=False)
    console.print(title, soft_wrap=True)
    console.print(table)
    total = rows[0].parameters
    console.print(f"{total:,} parameters, {total * 4 / 2**20:.1f} MiB in fp32")


def _text(shapes: tuple[tuple[int, ...], ...]) -> str:
    """1×100×192, 3 of 1×100×100×32."""
    runs = [("×".join(map(str, shape)), len(list(same))) for shape, same in groupby(shapes)]
    return ", ".join(shape if count == 1 else f"{count} of {shape}" for shape, count in runs) or "—"


def _of_config(path: Path) -> tuple[str, "nn.Module"]:
    task, values = task_of(["--config", str(path)]), load_yaml(path)
    config = load_config(TASKS[task](), values, str(path))
    # torch takes a second to import: not before it is clear that there is a model to be shown.
    import torch

    on_device = torch.device("meta")
    if isinstance(config, ReactivityConfig):
        from rnagen.model.encoders import LanguageModelShape
        from rnagen.model.reactivity import ReactivityModel

        encoder = config.model
        if encoder.language_model is not None:
            on_device = torch.device("cpu")  # see `_device`
            if encoder.language_model_shape is None:
                shape = LanguageModelShape.from_folder(encoder.language_model)
                encoder = replace(encoder, language_model_shape=shape.to_json())
        with on_device:
            return f"{task} model, {encoder.encoder}", ReactivityModel(encoder, EXAMPLE_EXPERIMENTS)
    if isinstance(config, ConfidenceConfig):
        from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
        from rnagen.model.confidence import ConfidenceHead

        scores = load_checkpoint(config.dataset.structure or DEFAULT_CHECKPOINT).config.model
        with on_device:
            return f"{task} model", ConfidenceHead(config.model, scores.embed_dim, scores.pair_dim)
    from rnagen.model.model import RNAFlowModel

    with on_device:
        return f"{task} model", RNAFlowModel(config.model)


def _of_checkpoint(path: Path) -> tuple[str, "nn.Module"]:
    from rnagen.checkpoints import confidence as confidence
    from rnagen.checkpoints import reactivity as reactivity
    from rnagen.checkpoints.files import read_metadata
    from rnagen.checkpoints.structure import load_checkpoint

    task = read_metadata(path)["task"]
    if task == confidence.TASK:
        found = confidence.load_confidence_checkpoint(path)
        return f"confidence model of the structure model {found.structure_model.fingerprint[:16]}", found.head
    if task == reactivity.TASK:
        model = reactivity.load_reactivity_checkpoint(path).model
        return f"reactivity model, {model.config.encoder}, {', '.join(model.experiments)}", model
    loaded = load_checkpoint(path)
    reads = "" if loaded.encoder is None else f", pretrained {loaded.encoder.config.encoder} as encoder"
    return f"structure model{reads}", loaded.model


def _device(model: "nn.Module") -> str:
    """Where the layers run: a language model asks for values of its mask, and the meta device has none."""
    from rnagen.model.encoders import LanguageModelEncoder

    return "cpu" if any(isinstance(module, LanguageModelEncoder) for module in model.modules()) else "meta"


def _run_once(model: "nn.Module", length: int) -> None:
    """One RNA, and for a structure model one conformer at one time, through every part of the model; for a confidence
    head, one conformer."""
    import torch

    from rnagen.features import Reference
    from rnagen.model.confidence import ConfidenceHead
    from rnagen.model.model import RNAFlowModel
    from rnagen.model.trunk import TrunkOutput

    device = next(model.parameters()).device
    features = _example(length).to(device)
    if isinstance(model, ConfidenceHead):
        single = torch.zeros(1, length, model.embed_dim, device=device)
        pair = torch.zeros(1, length, length, model.pair_dim, device=device)
        model(TrunkOutput(single, pair), torch.zeros(1, 1, length, 3, device=device), features.mask)
        return
    if not isinstance(model, RNAFlowModel):
        model(features)
        return
    if model.config.recycling:
        features = replace(features, reference=Reference.nothing(features.mask))
    context = model.condition(features)
    model.distogram(context.trunk.pair)
    atoms = len(model.config.atoms)
    x_t = torch.zeros(1, 1, length, atoms, 3, device=device)
    model(x_t, torch.zeros(1, 1, device=device), context, x_t)


def _example(length: int) -> "RNAFeatures":
    import torch

    from rnagen.features import RNAFeatures
    from rnagen.structure import PAIR_FEATURES, UNKNOWN

    return RNAFeatures(
        bases=torch.zeros(1, length, dtype=torch.int64),
        residue_index=torch.arange(1, length + 1)[None],
        mask=torch.ones(1, length, dtype=torch.bool),
        pair_probabilities=torch.zeros(1, length, length),
        pair_features=torch.zeros(1, length, length, len(PAIR_FEATURES)),
        pair_table=torch.full((1, length), UNKNOWN),
    )


def _shapes(output: Any) -> list[tuple[int, ...]]:
    """Shapes of the tensors in an output: a tensor, or dataclasses and tuples of them."""
    import torch

    if isinstance(output, torch.Tensor):
        return [tuple(output.shape)]
    if output is None:
        return []
    parts = output if isinstance(output, tuple | list) else vars(output).values()
    return [shape for part in parts for shape in _shapes(part)]
