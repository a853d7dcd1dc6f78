"""Money as integer nano-dollars (1e-9 USD): exact sums in any order, on any database."""

from __future__ import annotations

from decimal import Decimal

NANOS_PER_DOLLAR = 1_000_000_000


def nanos_from_dollars(dollars: float | Decimal) -> int:
    """Give nano-dollars for an amount in USD, rounded half to even.

    >>> nanos_from_dollars(0.1) + nanos_from_dollars(0.2)
    300000000
    """
    return round(dollars * NANOS_PER_DOLLAR)


def dollars_from_nanos(nanos: int) -> Decimal:
    """Give the exact amount in USD.

    >>> dollars_from_nanos(1)
    Decimal('1E-9')
    """
    return Decimal(nanos).scaleb(-9)
