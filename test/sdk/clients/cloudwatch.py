"""Metrics by boto3, unchanged from the Python package index.

Arguments: endpoint. Prints `ok STEP` for each step, or `FAILED STEP: reason` and exits 1.
"""

import datetime
import sys
import traceback

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client(
    "cloudwatch", endpoint_url=sys.argv[1], config=Config(retries={"total_max_attempts": 1})
)
now = datetime.datetime.now(datetime.timezone.utc)
span = {
    "StartTime": now - datetime.timedelta(hours=1),
    "EndTime": now + datetime.timedelta(minutes=1),
}
host = [{"Name": "Host", "Value": "höst"}]


def check(condition, *facts):
    if not condition:
        raise AssertionError(" ".join(repr(f)[:400] for f in facts))


def put():
    # More than 10 KiB, which the client compresses.
    data = [
        {"MetricName": f"M{i:03}", "Value": float(i), "Dimensions": host, "Timestamp": now}
        for i in range(600)
    ]
    data.append({"MetricName": "Many", "Values": [1.0, 2.0, 8.0], "Counts": [1.0, 2.0, 1.0]})
    data.append(
        {
            "MetricName": "Set",
            "StatisticValues": {"SampleCount": 2, "Sum": 5, "Minimum": 1, "Maximum": 4},
            "StorageResolution": 1,
        }
    )
    client.put_metric_data(Namespace="Py", MetricData=data)


def list_metrics():
    pages = list(client.get_paginator("list_metrics").paginate(Namespace="Py"))
    check(len(pages) == 2 and sum(len(p["Metrics"]) for p in pages) == 602, pages)
    found = client.list_metrics(MetricName="M007", Dimensions=[{"Name": "Host"}])["Metrics"]
    check(found == [{"Namespace": "Py", "MetricName": "M007", "Dimensions": host}], found)


def statistics():
    ask = {"Namespace": "Py", "MetricName": "Many", "Period": 60, **span}
    points = client.get_metric_statistics(Statistics=["Sum", "Average", "Maximum"], **ask)
    point = points["Datapoints"][0]
    check((point["Sum"], point["Average"], point["Maximum"]) == (13, 3.25, 8), points)
    points = client.get_metric_statistics(ExtendedStatistics=["p50"], **ask)["Datapoints"]
    check(points[0]["ExtendedStatistics"] == {"p50": 2.0}, points)


def data():
    def metric(name):
        of = {"Namespace": "Py", "MetricName": name, "Dimensions": host}
        return {"Metric": of, "Period": 60, "Stat": "Sum"}

    queries = [
        {"Id": "a", "MetricStat": metric("M004"), "ReturnData": False},
        {"Id": "b", "MetricStat": metric("M002")},
        {"Id": "c", "Expression": "a / b", "Label": "ratio"},
    ]
    got = client.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
    check([(r["Id"], r["Label"], r["Values"]) for r in got] == [("b", "M002", [2.0]), ("c", "ratio", [2.0])], got)
    check(got[0]["StatusCode"] == "Complete", got)


def errors():
    def code(**arguments):
        try:
            client.put_metric_data(**arguments)
        except ClientError as e:
            check(e.response["ResponseMetadata"]["RequestId"], e.response)
            return e.response["Error"]["Code"], e.response["Error"]["Message"]
        raise AssertionError("was accepted")

    one = {"MetricName": "m", "Value": 1.0}
    got = code(Namespace="AWS/Py", MetricData=[one])
    check(got == ("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid."), got)
    got = code(Namespace="Py", MetricData=[{**one, "Value": float("nan")}])
    check(got[0] == "InvalidParameterValue", got)
    got = code(Namespace="Py", MetricData=[one] * 1001)
    check(got[1] == "The collection MetricData must not have a size greater than 1000.", got)


for name, step in [
    ("put", put),
    ("list", list_metrics),
    ("statistics", statistics),
    ("data", data),
    ("errors", errors),
]:
    try:
        step()
    except Exception as e:
        traceback.print_exc()
        print(f"FAILED {name}: {e}")
        sys.exit(1)
    print(f"ok {name}")
