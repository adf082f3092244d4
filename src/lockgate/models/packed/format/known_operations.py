"""All operations that a packed model may have."""

from __future__ import annotations

from lockgate.models.packed.format.categorical import CODES
from lockgate.models.packed.format.combinations import COMBINATIONS
from lockgate.models.packed.format.curves import CURVES
from lockgate.models.packed.format.forest import Forest
from lockgate.models.packed.format.linear import MODELS
from lockgate.models.packed.format.neighbors import NEIGHBORS
from lockgate.models.packed.format.numeric import CELLS
from lockgate.models.packed.format.outputs import OUTPUTS
from lockgate.models.packed.format.pairwise import PAIRWISE
from lockgate.models.packed.format.term_columns import TERM_COLUMNS
from lockgate.models.packed.format.text import TEXTS

__all__ = ["OPERATIONS"]

OPERATIONS = {
    operation.__struct_config__.tag: operation
    for operation in (
        *CELLS,
        *CODES,
        *COMBINATIONS,
        *MODELS,
        *OUTPUTS,
        Forest,
        *TEXTS,
        *TERM_COLUMNS,
        *PAIRWISE,
        *CURVES,
        *NEIGHBORS,
    )
}
"""Every operation by its name in a file."""
