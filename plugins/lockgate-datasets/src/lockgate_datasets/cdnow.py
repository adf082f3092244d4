"""Orders of the music shop CDNOW, aggregated per customer as of a cut date.

Source: Fader and Hardie's CDNOW master file (first orders January to March 1997,
followed until June 1998), as the package lifetimes 0.11.3 ships it (MIT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate

if TYPE_CHECKING:
    import pandas as pd

SHA256 = "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef"
LAST_DAY = "1998-06-30"
CUTS = ["1997-07-05", "1998-01-01"]


@lockgate.plugin
class Purchases:
    """Customers of a music shop: who buys again within `horizon_days` of a cut date?

    One row per customer and cut date; features use only orders before the date.
    """

    cuts: list[str] = lockgate.setting(CUTS, help="cut dates, ISO; one row per customer each")
    horizon_days: int = lockgate.setting(
        180, at_least=1, at_most=365, help="days after the cut in which an order counts"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Aggregate the orders."""
        frame = _aggregate_customers(self.cuts, self.horizon_days)
        frame["buys"] = frame.pop("spend") > 0
        return _build_table(frame, "buys", self.horizon_days)


@lockgate.plugin
class Spend:
    """Customers of a music shop: how many dollars within `horizon_days` of a cut date?"""

    cuts: list[str] = lockgate.setting(CUTS, help="cut dates, ISO; one row per customer each")
    horizon_days: int = lockgate.setting(
        180, at_least=1, at_most=365, help="days after the cut in which an order counts"
    )

    @lockgate.hookimpl
    def load(self, request: lockgate.LoadRequest) -> lockgate.Table:
        """Aggregate the orders."""
        return _build_table(
            _aggregate_customers(self.cuts, self.horizon_days), "spend", self.horizon_days
        )


def _build_table(frame: pd.DataFrame, target: str, horizon_days: int) -> lockgate.Table:
    return lockgate.table(
        frame,
        target=target,
        time="cut",
        group="customer",
        horizon_days=horizon_days,
    )


def _aggregate_customers(cuts: list[str], horizon_days: int) -> pd.DataFrame:
    """Return one row per cut and customer who had ordered by then."""
    import pandas as pd

    orders = _read_orders()
    known_until = pd.Timestamp(LAST_DAY) + pd.Timedelta(days=1)
    parts = []
    for text in cuts:
        try:
            cut = pd.Timestamp(text)
        except ValueError:
            raise lockgate.DataError(
                f"{text!r} is not a date; expected a date like 1998-01-31"
            ) from None
        end = cut + pd.Timedelta(days=horizon_days)
        if end > known_until or cut <= orders["date"].min():
            raise lockgate.DataError(
                f"cut {text} with a horizon of {horizon_days} days: orders are known "
                f"from {orders['date'].min().date()} to {LAST_DAY}"
            )
        parts.append(_aggregate_orders(orders, cut, end))
    return pd.concat(parts, ignore_index=True)


def _aggregate_orders(orders: pd.DataFrame, cut: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Aggregate the orders before a cut, and sum the dollars of orders in [cut, end)."""
    import pandas as pd

    before = orders[orders["date"] < cut]
    after = orders[(orders["date"] >= cut) & (orders["date"] < end)]
    recent = before[before["date"] >= cut - pd.Timedelta(days=90)]
    grouped = before.groupby("customer")
    first, last = grouped["date"].min(), grouped["date"].max()
    frame = pd.DataFrame(
        {
            "recency_days": (cut - last).dt.days,
            "tenure_days": (cut - first).dt.days,
            "orders": grouped.size(),
            "orders_90_days": recent.groupby("customer").size(),
            "dollars": grouped["dollars"].sum(),
            "dollars_90_days": recent.groupby("customer")["dollars"].sum(),
            "dollars_per_order": grouped["dollars"].mean(),
            "largest_order": grouped["dollars"].max(),
            "discs": grouped["discs"].sum(),
            "days_between_orders": (last - first).dt.days / (grouped.size() - 1).clip(lower=1),
        }
    )
    recent_columns = ["orders_90_days", "dollars_90_days"]
    frame[recent_columns] = frame[recent_columns].fillna(0)
    frame["cut"] = cut
    frame["spend"] = after.groupby("customer")["dollars"].sum().reindex(frame.index).fillna(0.0)
    return frame.reset_index()


def _read_orders() -> pd.DataFrame:
    """Read the orders; 255 duplicated rows are dropped."""
    import pandas as pd

    path = lockgate.installed_file(
        "lifetimes", "lifetimes/datasets/CDNOW_master.txt", version="0.11.3", sha256=SHA256
    )
    orders = pd.read_csv(
        path,
        sep=r"\s+",
        header=0,
        names=["customer", "date", "discs", "dollars"],
        dtype={"customer": str, "date": str},
    ).drop_duplicates()
    return orders.assign(date=pd.to_datetime(orders["date"], format="%Y%m%d"))
