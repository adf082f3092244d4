"""What the prediction log would omit is shown nowhere."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.deployment.directory import Deployment
from tests.serving.conftest import rows
from tests.serving.running import serving


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with an address, a postcode and a plan among its inputs."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = rows(400)[["months", "charge", "plan"]]
    frame["email"] = [f"person{k % 7}@example.org" for k in range(len(frame))]
    frame["postcode"] = 90_001 + (frame.index % 89) * 7
    target = (frame["charge"] > 50).astype(int).rename("churned")
    names = OneHotEncoder(handle_unknown="ignore")
    pipe = make_pipeline(
        make_column_transformer(
            (names, ["plan", "email"]), ("passthrough", ["months", "charge", "postcode"])
        ),
        LogisticRegression(max_iter=2000),
    )
    path = tmp_path_factory.mktemp("people") / "bundle"
    lockgate.pack(pipe.fit(frame, target), frame, target, name="people", path=path)
    return path


def examples(page: str) -> dict[str, Any]:
    (body,) = re.findall(r"-d '(\{.*?\})'", page, re.DOTALL)
    return dict(json.loads(body))


@pytest.mark.parametrize(
    ("options", "plans_are_shown", "addresses_are_shown"),
    [
        ([], True, False),
        (["--redact", "plan"], False, False),
        (["--log-inputs", "none"], True, False),
        (["--log", "off"], True, False),
        (["--log-inputs", "all"], True, True),
    ],
)
def test_pages_show_what_the_log_shows(
    people: Path,
    tmp_path: Path,
    options: list[str],
    plans_are_shown: bool,
    addresses_are_shown: bool,
) -> None:
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(people, version="1")
    with serving(deployment.path, *options) as server:
        page = server.ask("GET", "/", accept="text/html")[1].decode()
        page = page.replace("&quot;", '"').replace("&#x27;", "'")
        document = server.ask("GET", "/openapi.json")[1]
        for text in (page, json.dumps(document)):
            assert ("@example.org" in text) is addresses_are_shown
            assert ("90001" in text or "90,001" in text) is False or addresses_are_shown
            assert ("family" in text) is plans_are_shown
        request = document["paths"]["/predict"]["post"]["requestBody"]["content"]
        for body in (examples(page), request["application/json"]["example"]):
            status, answer, _ = server.ask("POST", "/predict", body)
            assert status == 200, answer
            assert (body["row"]["plan"] is not None) is plans_are_shown


def test_the_card_shows_no_personal_data(people: Path) -> None:
    card = (people / "card.md").read_text()
    assert "@example.org" not in card
    assert "| postcode | integer | not shown: the name suggests personal data" in card
    assert "basic, family, plus" in card


def test_probe_rows_are_nobodys(people: Path) -> None:
    frame = rows(400)[["months", "charge", "plan"]]
    probes = json.loads((people / "probes.json").read_text())["columns"]
    made_up = set(zip(probes["months"], probes["charge"], probes["plan"], strict=True))
    people_of_training = set(zip(*(frame[name].tolist() for name in frame), strict=True))
    assert len(made_up) == 32
    assert len(made_up & people_of_training) < 5  # by chance
    assert set(probes["charge"]) <= set(frame["charge"])
    spaces = {after - before for before, after in itertools.pairwise(sorted(probes["postcode"]))}
    assert spaces <= {18, 19, 20}  # evenly between the bounds, not where people live
    lockgate.open(people)  # and they are predicted again


def test_messages_do_not_list_known_values_of_personal_columns(
    people: Path, tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path / "live")
    deployment.deploy(people)
    row = {"months": 3, "charge": 20.5, "plan": "plus", "email": "person9@example.org"}
    with serving(deployment.path) as server:
        said = json.dumps(server.predict(row | {"postcode": 90_001}))
        assert "column email" in said
        assert "did you mean" not in said
        assert "did you mean 'plus'" in json.dumps(
            server.predict(row | {"postcode": 90_001, "plan": "plux"})
        )
