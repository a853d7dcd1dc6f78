"""Money as integer nano-dollars (1e-9 USD): exact sums in any order, on any database."""

from __future__ import annotations

from decimal import Decimal

NANOS_PER_DOLLAR = 1_000_000_000


def nanos_from_dollars(dollars: float | Decimal) -> int:
    """Return an amount in USD as nano-dollars, rounded to the nearest one.

    Raises:
        ValueError, OverflowError: NaN, or infinity.

    >>> nanos_from_dollars(0.1) + nanos_from_dollars(0.2)
    300000000
    """
    return round(dollars * NANOS_PER_DOLLAR)


def dollars_from_nanos(nanos: int) -> Decimal:
    """Return the exact amount in USD.

    >>> dollars_from_nanos(1)
    Decimal('1E-9')
    """
    return Decimal(nanos).scaleb(-9)


def exact_dollars(nanos: int) -> str:
    """Return the exact amount in USD as a string for programs.

    >>> exact_dollars(1_234_567_890_123), exact_dollars(-1)
    ('1234.567890123', '-0.000000001')
    """
    return f"{dollars_from_nanos(nanos):f}"


def spell_dollars(nanos: int) -> str:
    """Return an amount as people write it: in cents, or with more digits if it is less than a dollar.

    >>> [spell_dollars(nanos) for nanos in (1_000_000_000_000, 850_124_000_000, 1_500_000, 0, -2_500_000_000)]
    ['$1,000', '$850.12', '$0.0015', '$0', '-$2.50']
    """
    sign, amount = ("-" if nanos < 0 else ""), dollars_from_nanos(abs(nanos))
    if amount == int(amount):
        return f"{sign}${int(amount):,}"
    if amount >= 1:
        return f"{sign}${amount:,.2f}"
    places = next((places for places in (2, 4, 6) if amount >= Decimal(1).scaleb(1 - places)), 9)
    return f"{sign}${amount:.{places}f}"
