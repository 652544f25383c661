"""`rnagen train` and `train.py`."""

from collections.abc import Sequence

from rnagen.cli.options import guarded, parse
from rnagen.config import TrainConfig


def main(arguments: Sequence[str]) -> int:
    """Parse, then train; lightning is imported only then."""

    def command() -> int:
        config = parse(TrainConfig(), arguments, "train.py")
        from rnagen.training.run import train

        print(f"finished: {train(config)}")
        return 0

    return guarded(command, "train.py")
