"""What a million calls cost, and which limit a growing vault meets: the arithmetic behind infra/COST.md.

    python infra/check/cost.py            print the tables
    python infra/check/cost.py --write    put them into infra/COST.md

Prices are the public list of us-east-1 as its author knew them in November 2026, in dollars, without free tiers and
discounts. Whoever decides by them looks them up first.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable

from template import ROOT

DOCUMENT = ROOT / "infra/COST.md"
MILLION = 1_000_000
MONTH_SECONDS = 730 * 3600
GB = 1e9

RATES = [1, 100, 10_000]
# How many applications are busy at that rate.
APPS = {1: 1, 100: 10, 10_000: 100}

# --- What a call is -----------------------------------------------------------------------------------------------------

READ_ITEMS = 5  # key, grant, secret, credential, and the agent or the sealed signing key; each below 4 KB
OWN_SECONDS = 0.025  # three rounds to DynamoDB and SQS
PROVIDER_SECONDS = 0.100
MEMORY_GB = 0.25
EVENTS = 2  # intent and final
ROW_BYTES = 1200  # a call's row with its index keys
INDEXES = 2  # of the grant, and of the agent or the user; three when an agent uses a user's grant
KEPT_MONTHS = 400 / (365 / 12)
LOG_BYTES = 1800  # our line, the platform's report, the API's access log
SENT_BYTES = 3000  # 2 KB to the caller, 1 KB to the provider

# --- What connections are ------------------------------------------------------------------------------------------------

REFRESHES = 730  # a month: of a connection that is used round the clock, with tokens that live for an hour
CONNECTION_UNITS = 2 * 3  # a row of at most 2 KB, in the table and in two indexes
TOKEN_UNITS = 2  # sealed, in the vault table
REFRESH_READS = 2 + 1  # connection and tokens, strongly consistent, and the client's secret
REFRESH_SECONDS = 0.35  # the call that refreshes waits for the provider once more
LISTS_DUE = 4 * 4  # what the worker looks into each minute: revocations, refresh tokens, expired grants and departures, four lists of each

# --- What a visit of the Wallet is -----------------------------------------------------------------------------------------

SITE_FILES, SITE_BYTES = 8, 180_000  # of a browser that has none of them, compressed; afterwards the page alone is asked about
WALLET_ANSWERS, WALLET_BYTES = 6, 30_000  # session, overview, the grants of one app, a page of the record, counts, a revocation
WALLET_SECONDS = 0.030
WALLET_SESSION_READS, WALLET_ITEMS = 3, 60  # of each answer; of the overview: grants, connections, apps, agents, last uses
WALLET_ROWS = 100 + 5_000  # of the record, eventually consistent: a page, and what the chart counts at most

# --- How the queue is emptied ------------------------------------------------------------------------------------------

POLLERS = 5
BATCH = 100
WRITER_SECONDS, WRITER_SECONDS_PER_EVENT = 0.020, 0.002

# --- Prices -----------------------------------------------------------------------------------------------------------

# (up to so much a month, price of one), the last without end.
Tiers = list[tuple[float, float]]
HTTP_API: Tiers = [(300e6, 1.00e-6), (math.inf, 0.90e-6)]
REST_API: Tiers = [(333e6, 3.50e-6), (1e9, 2.80e-6), (20e9, 2.38e-6), (math.inf, 1.51e-6)]
LAMBDA_REQUEST = 0.20e-6
LAMBDA_GB_SECOND: Tiers = [(7.5e9, 1.33334e-5), (18.75e9, 1.20001e-5), (math.inf, 1.06667e-5)]
READ_UNIT, WRITE_UNIT = 0.125e-6, 0.625e-6
WRITE_UNIT_INFREQUENT, KEEP_GB_INFREQUENT = 0.78e-6, 0.10
RESTORE_GB = 0.20
QUEUE_REQUEST: Tiers = [(100e9, 0.40e-6), (200e9, 0.30e-6), (math.inf, 0.24e-6)]
KMS_REQUEST = 0.03 / 10_000
LOG_GB: Tiers = [(10e3, 0.50), (30e3, 0.25), (50e3, 0.10), (math.inf, 0.05)]
TRACE = 5.00e-6
SENT_GB: Tiers = [(10e3, 0.09), (50e3, 0.085), (150e3, 0.07), (math.inf, 0.05)]
EDGE_REQUEST, EDGE_RUN, EDGE_GB = 0.0100 / 10_000, 0.10e-6, 0.085  # of the Wallet's distribution
# A month: two keys, two secrets, alarms by the metrics that they watch, our own metrics (four for each function and outcome that
# occurs, about three of each), a dashboard, two queues that are asked whether they are empty, and the worker's look each minute
# for what is due (its request, a twentieth of a second, half a unit for each list, its trace).
ALARM_METRICS, OWN_METRICS = 42, 10 * 3 * 4
LOOK = LAMBDA_REQUEST + 0.25 * 0.05 * LAMBDA_GB_SECOND[0][1] + LISTS_DUE * 0.5 * READ_UNIT + TRACE
FIXED = (
    2 * 1.00
    + 2 * 0.40
    + ALARM_METRICS * 0.10
    + OWN_METRICS * 0.30
    + 3.00
    + 2 * POLLERS * MONTH_SECONDS / 20 * 0.40e-6
    + MONTH_SECONDS / 60 * LOOK
)

# --- Limits -------------------------------------------------------------------------------------------------------------

PARTITION_WRITES, PARTITION_READS = 1000, 3000
TABLE_UNITS = 40_000
CONCURRENCY = 1000
API_REQUESTS = 10_000
KMS_REQUESTS = 10_000  # in the regions with the least
IN_FLIGHT = 120_000
SHARDS = int(re.search(r"AUDIT_SHARDS: u8 = (\d+)", (ROOT / "shared/domain/src/keyspace.rs").read_text())[1])
DATA_KEY_SECONDS = 285
DATA_KEYS = 6  # in use in a busy application: of five secrets, and of an API key that signs and is not sent (docs/adr/0008)


def tiered(amount: float, tiers: Tiers) -> float:
    """The price of a month's amount."""
    total, below = 0.0, 0.0
    for upto, price in tiers:
        part = min(amount, upto) - below
        if part <= 0:
            break
        total, below = total + part * price, upto
    return total


def row_units() -> int:
    return math.ceil(ROW_BYTES / 1024)


def batch(rate: int) -> float:
    """Events of one invocation of the audit-writer: what its pollers gather in a second."""
    return min(BATCH, max(EVENTS, EVENTS * rate / POLLERS))


def call_seconds() -> float:
    return OWN_SECONDS + PROVIDER_SECONDS


def writer_gb_seconds(rate: int) -> float:
    """Of one call."""
    seconds = WRITER_SECONDS * EVENTS / batch(rate) + WRITER_SECONDS_PER_EVENT * EVENTS
    return seconds * MEMORY_GB


def audit_write_units() -> int:
    """Each event is written to the table and to its indexes; the grant's last use is a small item beside them."""
    return EVENTS * (1 + INDEXES) * row_units() + 1


def queue_requests(rate: int) -> float:
    """Sending one by one; receiving and deleting by ten."""
    return EVENTS * (1 + 2 / min(10, batch(rate)))


def refresh_units() -> int:
    """Claiming writes the connection; storing writes it again together with its tokens. Both are transactions, which cost
    twice."""
    return 2 * CONNECTION_UNITS + 2 * (CONNECTION_UNITS + TOKEN_UNITS)


def refresh_price() -> float:
    """One renewal of a connection's tokens, its two audit events included."""
    rows = (audit_write_units() - 1) * WRITE_UNIT_INFREQUENT + ROW_BYTES / GB * KEPT_MONTHS * (
        (1 + INDEXES) * KEEP_GB_INFREQUENT + RESTORE_GB
    )
    waiting = MEMORY_GB * REFRESH_SECONDS * LAMBDA_GB_SECOND[0][1]
    # A data key to seal with, as a rule: a refresh is rare enough that the one before has been forgotten.
    return refresh_units() * WRITE_UNIT + REFRESH_READS * READ_UNIT + rows + waiting + KMS_REQUEST + EVENTS * 0.40e-6


def key_requests(rate: int) -> float:
    """Every environment opens the data keys in use of every busy application again when they have been forgotten."""
    environments = max(1, rate * call_seconds())
    return environments * APPS[rate] * DATA_KEYS / DATA_KEY_SECONDS / rate


def traced(rate: int) -> float:
    """One trace a second, and one call in twenty of the rest."""
    return (1 + 0.05 * (rate - 1)) / rate


# Price of a month at so many calls a second.
LINES: list[tuple[str, Callable[[int], str], Callable[[int, float], float]]] = [
    ("API Gateway, HTTP API", lambda rate: "1 request", lambda rate, calls: tiered(calls, HTTP_API)),
    (
        "Lambda: the call",
        lambda rate: f"1 request, {MEMORY_GB} GB × {call_seconds() * 1000:.0f} ms",
        lambda rate, calls: calls * LAMBDA_REQUEST + tiered(calls * MEMORY_GB * call_seconds(), LAMBDA_GB_SECOND),
    ),
    (
        "Lambda: the audit-writer",
        lambda rate: f"{EVENTS} events in batches of " + " / ".join(f"{batch(rate):.0f}" for rate in RATES),
        lambda rate, calls: calls * EVENTS / batch(rate) * LAMBDA_REQUEST
        + tiered(calls * writer_gb_seconds(rate), LAMBDA_GB_SECOND),
    ),
    (
        "DynamoDB: reading",
        lambda rate: f"{READ_ITEMS} items, strongly consistent = {READ_ITEMS} units",
        lambda rate, calls: calls * READ_ITEMS * READ_UNIT,
    ),
    ("DynamoDB: nonce", lambda rate: "1 unit", lambda rate, calls: calls * WRITE_UNIT),
    (
        "DynamoDB: audit rows",
        lambda rate: f"{EVENTS} × (1 + {INDEXES} indexes) × {row_units()} + 1 = {audit_write_units()} units",
        lambda rate, calls: calls * audit_write_units() * WRITE_UNIT_INFREQUENT,
    ),
    (
        "DynamoDB: keeping the row",
        lambda rate: f"{ROW_BYTES} B × {1 + INDEXES} × {KEPT_MONTHS:.1f} months, and its backup",
        lambda rate, calls: calls
        * ROW_BYTES
        / GB
        * KEPT_MONTHS
        * ((1 + INDEXES) * KEEP_GB_INFREQUENT + RESTORE_GB),
    ),
    (
        "SQS",
        lambda rate: " / ".join(f"{queue_requests(rate):.1f}" for rate in RATES) + " requests",
        lambda rate, calls: tiered(calls * queue_requests(rate), QUEUE_REQUEST),
    ),
    (
        "KMS",
        lambda rate: f"{DATA_KEYS} keys × " + " / ".join(str(APPS[rate]) for rate in RATES) + " applications, every 285 s",
        lambda rate, calls: calls * key_requests(rate) * KMS_REQUEST,
    ),
    (
        "Logs",
        lambda rate: f"{LOG_BYTES} B",
        lambda rate, calls: tiered(calls * LOG_BYTES / GB, LOG_GB),
    ),
    (
        "X-Ray",
        lambda rate: " / ".join(f"{traced(rate):.1%}" for rate in RATES) + " traced",
        lambda rate, calls: calls * traced(rate) * TRACE,
    ),
    (
        "Traffic out",
        lambda rate: f"{SENT_BYTES} B",
        lambda rate, calls: tiered(calls * SENT_BYTES / GB, SENT_GB),
    ),
    ("Fixed", lambda rate: f"${FIXED:.2f} a month", lambda rate, calls: FIXED),
]


def price_table() -> str:
    header = ["", "Per call"] + [f"{rate:,} call{'s' if rate > 1 else ''}/s" for rate in RATES]
    rows = []
    totals = dict.fromkeys(RATES, 0.0)
    for name, what, price in LINES:
        cells = []
        for rate in RATES:
            calls = rate * MONTH_SECONDS
            cost = price(rate, calls)
            totals[rate] += cost
            cells.append(f"{cost / calls * MILLION:.2f}")
        rows.append([name, what(RATES[0]), *cells])
    million = [f"**{totals[rate] / (rate * MONTH_SECONDS) * MILLION:.2f}**" for rate in RATES]
    month = [f"{totals[rate]:,.0f}" for rate in RATES]
    rows.append(["**A million calls, $**", "", *million])
    rows.append(["A month at this rate, $", f"{MONTH_SECONDS:,} s", *month])
    return _table(header, rows)


def limits() -> list[tuple[str, str, str, float]]:
    """What is limited, the limit, what a call takes of it, and the calls a second at which it is reached."""
    row = EVENTS * row_units()
    rate = RATES[-1]
    keys_per_call = call_seconds() * APPS[rate] * DATA_KEYS / DATA_KEY_SECONDS
    in_flight = EVENTS * (1 + WRITER_SECONDS + WRITER_SECONDS_PER_EVENT * BATCH)
    return [
        (
            "Audit rows of one grant, agent or user (a partition of an index)",
            f"{PARTITION_WRITES:,} units/s",
            f"{EVENTS} × {row_units()} = {row}",
            PARTITION_WRITES / row,
        ),
        (
            f"Audit rows of one application ({SHARDS} partitions)",
            f"{SHARDS} × {PARTITION_WRITES:,} units/s",
            f"{row}",
            SHARDS * PARTITION_WRITES / row,
        ),
        (
            "One key, one grant or one secret (an item)",
            f"{PARTITION_READS:,} units/s",
            "1",
            PARTITION_READS,
        ),
        (
            "The audit table",
            f"{TABLE_UNITS:,} units/s, can be raised",
            f"{row} + 1 = {row + 1}",
            TABLE_UNITS / (row + 1),
        ),
        (
            "Lambda: functions at once in the account",
            f"{CONCURRENCY:,}, can be raised",
            f"{call_seconds():.3f} s",
            CONCURRENCY / call_seconds(),
        ),
        ("API Gateway: requests to the account", f"{API_REQUESTS:,}/s, can be raised", "1", API_REQUESTS),
        ("The main table, reading", f"{TABLE_UNITS:,} units/s, can be raised", "3", TABLE_UNITS / 3),
        ("SQS: messages in flight", f"{IN_FLIGHT:,}", f"{EVENTS} × {in_flight / EVENTS:.2f} s", IN_FLIGHT / in_flight),
        (
            f"KMS, {APPS[rate]} busy applications",
            f"{KMS_REQUESTS:,}/s, can be raised",
            f"{keys_per_call:.3f}",
            KMS_REQUESTS / keys_per_call,
        ),
    ]


def limit_table() -> str:
    header = ["What", "Limit", "A call takes", "Reached at, calls/s"]
    found = sorted(limits(), key=lambda limit: limit[3])
    return _table(header, [[what, limit, takes, f"{reached:,.0f}"] for what, limit, takes, reached in found])


def variants() -> str:
    """What the same million costs when one thing is otherwise."""
    rate = RATES[1]
    calls = rate * MONTH_SECONDS

    def million(cost: float) -> str:
        return f"{cost / calls * MILLION:+.2f}"

    rest = tiered(calls, REST_API) - tiered(calls, HTTP_API)
    fewer = calls * (audit_write_units() - 1) / 2 * WRITE_UNIT_INFREQUENT
    second = calls * MEMORY_GB * 1.0 * LAMBDA_GB_SECOND[0][1]
    month = calls * ROW_BYTES / GB * ((1 + INDEXES) * KEEP_GB_INFREQUENT + RESTORE_GB)
    standard_keep = calls * ROW_BYTES / GB * KEPT_MONTHS * (1 + INDEXES) * (0.25 - KEEP_GB_INFREQUENT)
    standard = standard_keep - calls * audit_write_units() * (WRITE_UNIT_INFREQUENT - WRITE_UNIT)
    return _table(
        ["At 100 calls/s, a million calls", "$"],
        [
            ["through /v1/forward (REST API, up to 10 MB each)", million(rest)],
            ["with a provider that answers a second later", million(second)],
            ["with rows of at most 1 KB, or intent and final always in one batch", million(-fewer)],
            ["with rows kept for one month instead of 400 days", million(month * (1 - KEPT_MONTHS))],
            ["with the audit table in the class «standard»", million(standard)],
        ],
    )


def connections() -> str:
    """What connections add to the calls that are made through them."""
    once = refresh_price()
    return _table(
        ["A thousand connections, $ a month", "$"],
        [
            [f"that are used round the clock, with tokens of an hour ({REFRESHES} refreshes each)", f"{1000 * REFRESHES * once:.2f}"],
            ["that are used once a day, with tokens of an hour (30 refreshes each)", f"{1000 * 30 * once:.2f}"],
            ["whose refresh token idles out in 30 days and is used by nobody (2 refreshes each)", f"{1000 * 2 * once:.2f}"],
        ],
    )


def wallet_visit(first: bool) -> float:
    """Somebody who looks at everything and ends one grant."""
    files, sent = (SITE_FILES, SITE_BYTES + WALLET_BYTES) if first else (1, WALLET_BYTES)
    edge = (files + WALLET_ANSWERS) * EDGE_REQUEST + files * EDGE_RUN + sent / GB * EDGE_GB
    answers = WALLET_ANSWERS * (HTTP_API[0][1] + LAMBDA_REQUEST + MEMORY_GB * WALLET_SECONDS * LAMBDA_GB_SECOND[0][1])
    reads = WALLET_ANSWERS * WALLET_SESSION_READS + WALLET_ITEMS + WALLET_ROWS * ROW_BYTES / 4096 / 2
    writes = 2 * CONNECTION_UNITS * WRITE_UNIT + (audit_write_units() / EVENTS) * WRITE_UNIT_INFREQUENT
    return edge + answers + reads * READ_UNIT + writes


def wallet() -> str:
    """What end users' visits add."""
    visits = [
        ("by browsers that were never there", wallet_visit(first=True)),
        ("by browsers that have the site", wallet_visit(first=False)),
        ("of each, for reading 5,000 calls", WALLET_ROWS * ROW_BYTES / 4096 / 2 * READ_UNIT),
    ]
    return _table(["A thousand visits of the Wallet", "$"], [[which, f"{1000 * price:.2f}"] for which, price in visits])


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * 2 + ["---:"] * (len(header) - 2) if len(header) > 2 else ["---", "---:"], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


BLOCKS: dict[str, Callable[[], str]] = {"prices": price_table, "variants": variants, "connections": connections, "wallet": wallet, "limits": limit_table}


def with_tables(text: str) -> str:
    """The document with its computed tables as they are now."""
    for name, table in BLOCKS.items():
        place = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(text):
            raise SystemExit(f"{DOCUMENT.name} has no place for {name}")
        text = place.sub(lambda found, table=table: f"{found[1]}{table()}\n{found[2]}", text, count=1)
    return text


def main() -> None:
    if sys.argv[1:] == ["--write"]:
        DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
        return
    for name, table in BLOCKS.items():
        print(f"{name}\n\n{table()}\n")


if __name__ == "__main__":
    main()
