"""The sentences and cells of a comparison, alike in the terminal and on its page."""

from __future__ import annotations

from lockgate.modeling.metrics.number_texts import format_number
from lockgate.modeling.statistics.column_slices import MOST_SLICES
from lockgate.models.comparison.agreement import Agreement
from lockgate.models.comparison.changed_slices import MIN_ROWS
from lockgate.models.comparison.compared_bundle import ComparedBundle

__all__ = [
    "MORE_SLICES",
    "NO_SLICES",
    "describe_agreement",
    "describe_rows",
    "size_and_speed",
]


NO_SLICES = f"No column has values with at least {MIN_ROWS} rows each, to be compared."


MORE_SLICES = (
    f"Only the first {MOST_SLICES:,} slices were compared: pass rows with fewer columns for others."
)


def describe_rows(rows: int, source: str, first: ComparedBundle, second: ComparedBundle) -> str:
    """Return what the bundles were compared on."""
    if not rows:
        return (
            "Without rows: each metric was measured on test rows of its own bundle. To compare on "
            "the same rows, pass them: --data FILE."
        )
    of_source = f" of {source}" if source else ""
    return (
        f"Both predicted the same {rows:,} rows{of_source}; changes are those from "
        f"{first.label} to {second.label}, with 95 % intervals of rows that "
        "are resampled for both alike."
    )


def describe_agreement(agreement: Agreement, labels: tuple[str, str]) -> list[str]:
    """Return how far predictions agree, as sentences."""
    share = agreement.different / max(agreement.rows, 1)
    texts = [
        f"{agreement.different:,} of {agreement.rows:,} rows ({share:.1%}) are predicted "
        "differently."
    ]
    if agreement.mean_change is not None:
        texts.append(
            f"Predictions are {format_number(agreement.mean_change)} apart in the mean of "
            "absolute differences."
        )
    if agreement.p is None or not (agreement.first_better or agreement.second_better):
        return texts
    verb = "is right" if agreement.mean_change is None else "has the smaller loss"
    chance = "p < 0.0001" if agreement.p < 1e-4 else f"p = {agreement.p:.2g}"
    texts.append(
        f"Where they differ, {labels[0]} alone {verb} on "
        f"{agreement.first_better:,} rows, {labels[1]} alone on "
        f"{agreement.second_better:,} ({chance}, test of signs)."
    )
    return texts


def size_and_speed(first: ComparedBundle, second: ComparedBundle) -> list[tuple[str, str, str]]:
    """Return rows of a table: what both cost."""
    sizes = [f"{side.model_bytes / 1024:,.1f}" for side in (first, second)]
    rows = [
        ("model file (kB)", sizes[0], sizes[1]),
        ("inputs", str(first.inputs), str(second.inputs)),
    ]
    if first.one_row_us is not None and second.one_row_us is not None:
        rows.append(("one row (µs)", f"{first.one_row_us:.3g}", f"{second.one_row_us:.3g}"))
    if first.batch_row_us is not None and second.batch_row_us is not None:
        rows.append(
            (
                "each of 1,000 rows together (µs)",
                f"{first.batch_row_us:.3g}",
                f"{second.batch_row_us:.3g}",
            )
        )
    return rows
