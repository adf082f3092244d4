"""Writes the golden files of the packed format: run once for each released version of it.

``python -m tests.golden.make`` adds files that are missing and never changes one.
"""

from __future__ import annotations

import json
from pathlib import Path

from lockgate.models.converters.convert import pack_estimator
from lockgate.models.packed.runtime.model import PackedModel
from tests.models.packing import zoo

PLACE = Path(__file__).parent / "packed-1"
FAMILIES = (
    "logistic of three",
    "rare categories",
    "encoded numbers",
    "products",
    "svc of three",
    "network",
    "forest with gaps",
    "boosting with categories",
    "boosting of three",
    "isotonic of three",
    "hard votes",
    "stack",
    "clusters",
    "normalized rows",
    "ada boost of three",
    "poisson",
    "target encoder",
    "calibrated",
)


def main() -> None:
    PLACE.mkdir(exist_ok=True)
    frame = zoo.frame_of(200)
    asked = zoo.frame_of(40, seed=8)
    rows = asked.astype(object).where(asked.notna(), None).to_dict("records")
    if not (PLACE / "rows.json").exists():
        (PLACE / "rows.json").write_text(json.dumps(rows))
    rows = json.loads((PLACE / "rows.json").read_text())
    for name in FAMILIES:
        file = PLACE / f"{name.replace(' ', '-')}.packed"
        if file.exists():
            continue
        raw = pack_estimator(zoo.fitted(name, frame), zoo.inputs(frame)).raw
        file.write_bytes(raw)
        file.with_suffix(".json").write_text(json.dumps(answers(PackedModel(raw), rows)))


def answers(model: PackedModel, rows: list[dict[str, object]]) -> list[object]:
    """Answers as JSON holds them, each float in its shortest form, which is exact."""
    made: list[object] = []
    for row in rows:
        try:
            made.append(list(model.predict_one(row)[:3]))
        except Exception as error:
            made.append(type(error).__name__)
    return made


if __name__ == "__main__":
    main()
