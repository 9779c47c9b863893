"""The page on costs shows what the arithmetic says, and the arithmetic is right where it can be done by hand."""

from __future__ import annotations

import math
import unittest

import cost
import template


class Cost(unittest.TestCase):
    maxDiff = None

    def test_the_page_is_up_to_date(self):
        page = cost.DOCUMENT.read_text()
        self.assertEqual(cost.with_tables(page), page, "python infra/check/cost.py --write")

    def test_tiers_are_paid_each_at_its_price(self):
        tiers = [(10, 1.0), (30, 0.5), (math.inf, 0.1)]
        self.assertEqual([cost.tiered(amount, tiers) for amount in (0, 10, 20, 40)], [0, 10, 15, 21])

    def test_lines_that_can_be_done_by_hand(self):
        calls = 100 * cost.MONTH_SECONDS
        million = {name: price(100, calls) / calls * cost.MILLION for name, _, price in cost.LINES}
        self.assertAlmostEqual(million["API Gateway, HTTP API"], 1.00)
        self.assertAlmostEqual(million["DynamoDB: reading"], 5 * 0.125)
        self.assertAlmostEqual(million["DynamoDB: audit rows"], 13 * 0.78)
        self.assertAlmostEqual(million["SQS"], 2.4 * 0.40)
        self.assertAlmostEqual(million["Lambda: the call"], 0.20 + 0.25 * 0.125 * 13.3334)
        self.assertAlmostEqual(million["DynamoDB: keeping the row"], 1.2 * 400 * 12 / 365 * (3 * 0.10 + 0.20))

    def test_a_refresh_by_hand(self):
        self.assertEqual(cost.refresh_units(), 2 * 6 + 2 * (6 + 2))
        events = 12 * 0.78e-6 + 1.2e-6 * 400 * 12 / 365 * (3 * 0.10 + 0.20)
        waiting = 0.25 * 0.35 * 1.33334e-5
        self.assertAlmostEqual(cost.refresh_price(), 28 * 0.625e-6 + 3 * 0.125e-6 + events + waiting + 3e-6 + 0.8e-6)

    def test_a_visit_of_the_wallet_by_hand(self):
        edge = 7 * 1.0e-6 + 1e-7 + 30e3 / 1e9 * 0.085
        answers = 6 * (1.0e-6 + 0.2e-6 + 0.25 * 0.030 * 1.33334e-5)
        reads = (6 * 3 + 60 + 5100 * 1200 / 8192) * 0.125e-6
        writes = 12 * 0.625e-6 + 6.5 * 0.78e-6
        self.assertAlmostEqual(cost.wallet_visit(first=False), edge + answers + reads + writes)
        first = 7 * 1.1e-6 + 180e3 / 1e9 * 0.085
        self.assertAlmostEqual(cost.wallet_visit(first=True) - cost.wallet_visit(first=False), first)

    def test_what_is_counted_is_what_the_template_has(self):
        resources = template.read()["Resources"].values()
        alarms = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::CloudWatch::Alarm"]
        watched = [max(1, sum("MetricStat" in one for one in alarm.get("Metrics", []))) for alarm in alarms]
        self.assertEqual(sum(watched), cost.ALARM_METRICS)
        (mapping,) = template.read()["Resources"]["AuditWriterFunction"]["Properties"]["Events"].values()
        self.assertEqual(mapping["Properties"]["BatchSize"], cost.BATCH)

    def test_the_answers_are_in_the_order_of_the_limits(self):
        reached = [limit[3] for limit in sorted(cost.limits(), key=lambda limit: limit[3])]
        self.assertEqual([round(rate) for rate in reached[:3]], [250, 1000, 3000])
        page = cost.DOCUMENT.read_text().partition("<!-- limits")[2]
        answers = ["one hot grant", "one application", "One key", "audit table", "Concurrency", "API Gateway", "KMS", "SQS"]
        places = [page.partition("<!-- end -->")[2].index(answer) for answer in answers]
        self.assertEqual(places, sorted(places))
