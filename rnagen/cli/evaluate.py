"""`rnagen evaluate`: predictions against references, beside the baselines."""

import sys
from collections.abc import Sequence

from rnagen.cli.options import guarded, parse
from rnagen.config.evaluation import EvaluateConfig
from rnagen.messages import number_of
from rnagen.progress import silenced

TABLE_WIDTH = 170
"""Columns of the table where it is not printed on a terminal."""


def main(arguments: Sequence[str]) -> int:
    """Parse, evaluate, print the table."""
    return guarded(lambda: run(parse(EvaluateConfig, arguments, "rnagen evaluate")), "rnagen evaluate")


def run(config: EvaluateConfig) -> int:
    """Evaluate and print the table. 0: all scored; 1: some targets could not be.

    Raises:
        InputError: see `rnagen.evaluate`.
    """
    import torch
    from rich.console import Console

    from rnagen.evaluation.run import evaluate
    from rnagen.evaluation.scores import BEST_OF
    from rnagen.metrics.statistics import FEWEST

    # Many small products: for the matched scores of five predictions of the CASP15 RNAs one thread takes 10 s, two that
    # share their cores with another program 100 s. Sequence-independent scores take 40 s, those of baselines as long.
    torch.set_num_threads(1)
    with silenced(config.quiet):
        result = evaluate(config)
    for note in (*result.notes, *filter(None, [result.left_out])):
        print(f"rnagen evaluate: {note}", file=sys.stderr)
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_WIDTH)
    console.print(result.table())
    if result.spreads:
        console.print(result.spread_table())
    count = min(BEST_OF, max(score.predictions for score in result.scores))
    if len(result) == 1 and result.scores[0].rmsd is not None:
        which = f", lowest of {count}" if count > 1 else ""
        print(f"RMSD on C1' after superposition{which}: {result.scores[0].rmsd:.2f} Å")
    if len(result) == 1 and (network := result.scores[0].network) is not None:
        classes = (
            ("all", network.inf),
            ("canonical pairs", network.inf_wc),
            ("other pairs", network.inf_nwc),
            ("stacking", network.inf_stacking),
        )
        values = ", ".join(f"{name} {'none' if value is None else f'{value:.3f}'}" for name, value in classes)
        which = f", best of {count}" if count > 1 else ""
        print(f"interaction network fidelity{which}: {values}")
    for name, mode in (
        ("minus_helix", "matched by residue number"),
        ("independent_minus_helix", "sequence-independent"),
    ):
        if name in result.summary:
            paired = result.summary[name]
            interval = f" (95 % {paired.low:+.3f} to {paired.high:+.3f})" if len(result) >= FEWEST else ""
            print(f"best of {count} minus one helix, paired by target, {mode}: {paired.mean:+.3f}{interval}")
    if result.failures:
        print(f"{number_of(len(result.failures), 'target')} could not be scored:", file=sys.stderr)
        for failure in result.failures:
            print(f"  {failure}", file=sys.stderr)
    return 1 if result.failures else 0
