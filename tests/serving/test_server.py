"""What a server refuses before it starts."""

import pytest

from lockgate.errors import UsageError
from lockgate.serving.server import check_settings
from lockgate.serving.settings import LogSettings, ServeSettings

PUBLIC = "0.0.0.0"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ServeSettings(host=PUBLIC), "reachable from other machines: pass --tokens"),
        (ServeSettings(key="key.pem"), "needs --certificate"),
        (ServeSettings(log=LogSettings(key="id", redact=("plan", "id"))), "column id is both"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: ServeSettings, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check_settings(settings)


def test_settings_that_are_safe_are_accepted() -> None:
    check_settings(ServeSettings())
    check_settings(ServeSettings(host=PUBLIC, tokens="tokens"))
    check_settings(ServeSettings(host=PUBLIC), allow_unauthenticated=True)
    check_settings(ServeSettings(log=LogSettings(key="id", redact=("plan",))))
