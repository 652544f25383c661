"""`rnagen VERB …`: the one door to every command.

A verb's module is imported when it is called, so that no command pays for another's imports.
"""

import importlib
import sys
from collections.abc import Sequence

from rnagen.cli.options import guarded, typed
from rnagen.messages import did_you_mean, one_line

PROG = "rnagen"
VERBS = {
    "prepare": "structure files and tables -> a dataset folder",
    "library": "known structures -> a template library, or what one holds",
    "train": "train a model on a dataset (train.py is the same)",
    "sample": "draw conformers for sequences (sample.py is the same)",
    "reactivity": "predict chemical-mapping reactivity, or check a table of it",
    "evaluate": "score predictions against references, beside the baselines",
    "submit": "several sources -> a checked table of five conformers per target",
    "compare": "runs of training side by side: options, metrics, paired gains, curves",
    "report": "a run of sample.py as one page: conformers in 3D, pairs, distances, figures",
    "average": "the mean of the weights of several checkpoints of one training",
    "cache": "list or clear what rnagen has stored to save time",
    "summary": "the layers of a configuration or checkpoint, with their parameter counts",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code (0 done, 1 partly failed, 2 unusable input; others: see `guarded`)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # A verb answers for its own errors; here only what precedes it can fail.
    return guarded(lambda: run(given), PROG)


def run(arguments: list[str]) -> int:
    """Run the verb that the arguments begin with, or list the verbs; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: rnagen VERB [OPTIONS]     (rnagen VERB --help for the options)\n")
        print("\n".join(f"  {verb:<12}{what}" for verb, what in VERBS.items()))
        return 0
    if arguments[0] == "--version":
        from rnagen.version import __version__

        print(__version__)
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        hint = did_you_mean(verb, VERBS) or f" (there are {', '.join(VERBS)})"
        print(f"{typed(PROG)}: no such verb: {one_line(verb)}{hint}", file=sys.stderr)
        return 2
    code: int = importlib.import_module(f"rnagen.cli.{verb}").main(rest)
    return code


if __name__ == "__main__":
    sys.exit(main())
