"""The label of an RNA among the categories that a model knows."""

from rnagen.errors import ConfigError
from rnagen.messages import did_you_mean, one_line, quoted
from rnagen.structure import NO_LABEL


def category_number(label: str | None, categories: tuple[str, ...]) -> int:
    """Number of a label, from 1 in the order of the categories; `NO_LABEL` without a label.

    Args:
        label: as the user writes it.
        categories: of the model; none for a model that reads no labels.

    Raises:
        ConfigError: it is none of them.
    """
    if label is None:
        return NO_LABEL
    if not categories:
        raise ConfigError("label: this model cannot read one (it was trained without --labels)")
    if label not in categories:
        known = f"choose from {one_line(', '.join(categories))}"
        raise ConfigError(f"label: this model does not know {quoted(label)}{did_you_mean(label, categories)}; {known}")
    return categories.index(label) + 1
