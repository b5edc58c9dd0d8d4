"""Reads a ledger and says what each account holds.

A ledger is a text file with one booking a line: date, account, amount, and a note, with tabs between them.
Amounts are in cents inside the program, so that nothing is lost to rounding.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation


class LedgerError(ValueError):
    """A line that is no booking. Says which line, and what is wrong with it."""

    def __init__(self, line, problem):
        super().__init__(f"line {line}: {problem}")
        self.line = line


@dataclass(frozen=True)
class Booking:
    """One line of a ledger."""

    day: date
    account: str
    cents: int
    note: str


def parse_amount(text):
    """Cents of an amount such as `-12.50`."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount") from None
    cents = amount * 100
    if not cents.is_finite() or cents != cents.to_integral_value():
        raise ValueError(f"{text!r} has more than two decimals or is no number")
    return int(cents)


def parse(lines):
    """The bookings in these lines. Empty lines and lines that begin with # are passed over."""
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 4:
            raise LedgerError(number, f"has {len(fields)} fields instead of 4")
        try:
            yield Booking(date.fromisoformat(fields[0]), fields[1], parse_amount(fields[2]), fields[3])
        except ValueError as error:
            raise LedgerError(number, str(error)) from error


def balances(bookings, until=None):
    """What each account holds, in cents; after `until` nothing counts."""
    totals = {}
    for booking in bookings:
        if until is None or booking.day <= until:
            totals[booking.account] = totals.get(booking.account, 0) + booking.cents
    return totals


def statement(totals):
    """The accounts as a table, in the order of their names."""
    width = max((len(name) for name in totals), default=0)
    return "\n".join(f"{name:<{width}} {cents / 100:>10.2f}" for name, cents in sorted(totals.items()))
