"""The scenario of test/sdk in boto3, unchanged from the Python package index.

Arguments: endpoint, stream name. Prints `ok STEP` for each step, or `FAILED STEP: reason` and exits 1.
Trust (AWS_CA_BUNDLE) and credentials come from the environment, as in any application.
"""

import sys
import time
import traceback

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

DEADLINE_SECONDS = 30
SHARDS = 4
HASH_SPACE = 2**128

endpoint, stream = sys.argv[1], sys.argv[2]
client = boto3.client(
    "kinesis", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1})
)
sent = {}  # shard id -> [(sequence number, partition key, data)]
read = {}  # shard id -> records of GetRecords


def check(condition, *facts):
    if not condition:
        raise AssertionError(" ".join(repr(f)[:400] for f in facts))


def until(what, condition):
    """Asks until condition() is true; a server answers within milliseconds, so the pause is short."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        check(time.monotonic() < end, "deadline passed while waiting for", what)
        time.sleep(0.02)


def error_code(operation, **arguments):
    try:
        answer = operation(**arguments)
    except ClientError as e:
        check(e.response["Error"]["Message"], "an error without a message:", e.response)
        check(e.response["ResponseMetadata"].get("RequestId"), "an error without a request id")
        return e.response["Error"]["Code"]
    raise AssertionError(f"answered {answer}, want an error, for {arguments}")


def summary():
    return client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]


def read_from(iterator, count):
    """Follows NextShardIterator until count records came."""
    records = []

    def page():
        nonlocal iterator
        answer = client.get_records(ShardIterator=iterator, Limit=7)
        check("MillisBehindLatest" in answer, "no MillisBehindLatest in", answer)
        check(answer["NextShardIterator"] != iterator, "the iterator did not change")
        iterator = answer["NextShardIterator"]
        records.extend(answer["Records"])
        return len(records) >= count

    until(f"{count} records", page)
    return records, iterator


def iterator_of(shard, kind, **arguments):
    return client.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType=kind, **arguments
    )["ShardIterator"]


def create():
    client.create_stream(StreamName=stream, ShardCount=SHARDS)
    until("ACTIVE", lambda: summary()["StreamStatus"] == "ACTIVE")
    check(summary()["OpenShardCount"] == SHARDS, summary())
    check(stream in client.list_streams()["StreamNames"], "not listed")
    check(summary()["StreamARN"].endswith(":stream/" + stream), summary()["StreamARN"])


def shards():
    listed = client.list_shards(StreamName=stream)["Shards"]
    check(len(listed) == SHARDS, listed)
    start = 0
    for shard in sorted(listed, key=lambda s: int(s["HashKeyRange"]["StartingHashKey"])):
        check(int(shard["HashKeyRange"]["StartingHashKey"]) == start, shard, start)
        start = int(shard["HashKeyRange"]["EndingHashKey"]) + 1
        sent[shard["ShardId"]] = []
    check(start == HASH_SPACE, start)


def put():
    for i in range(12):
        key = f"Schlüssel-{i}-鍵"
        data = bytes(range(256)) + str(i).encode()
        arguments = {}
        if i % 3 == 0:
            arguments["ExplicitHashKey"] = str(HASH_SPACE // 12 * i)
        answer = client.put_record(StreamName=stream, PartitionKey=key, Data=data, **arguments)
        sent[answer["ShardId"]].append((int(answer["SequenceNumber"]), key, data))


def put_batch():
    records = [{"PartitionKey": f"k{i}", "Data": b"batch %d " % i * (i + 1)} for i in range(60)]
    answer = client.put_records(StreamName=stream, Records=records)
    check(answer["FailedRecordCount"] == 0, answer)
    check(len(answer["Records"]) == len(records), answer)
    for record, entry in zip(records, answer["Records"]):
        sent[entry["ShardId"]].append(
            (int(entry["SequenceNumber"]), record["PartitionKey"], record["Data"])
        )


def read_back():
    for shard, records in sent.items():
        read[shard], _ = read_from(iterator_of(shard, "TRIM_HORIZON"), len(records))
        got = [(int(r["SequenceNumber"]), r["PartitionKey"], r["Data"]) for r in read[shard]]
        check(got == sorted(records), "shard", shard, "got", got, "want", sorted(records))


def iterators():
    shard, records = max(read.items(), key=lambda item: len(item[1]))
    third = records[2]
    second = third["ApproximateArrivalTimestamp"].replace(microsecond=0)  # boto3 sends seconds
    for kind, arguments, want in (
        ("AT_SEQUENCE_NUMBER", {"StartingSequenceNumber": third["SequenceNumber"]}, records[2:]),
        ("AFTER_SEQUENCE_NUMBER", {"StartingSequenceNumber": third["SequenceNumber"]}, records[3:]),
        (
            "AT_TIMESTAMP",
            {"Timestamp": third["ApproximateArrivalTimestamp"]},
            [r for r in records if r["ApproximateArrivalTimestamp"] >= second],
        ),
    ):
        got, _ = read_from(iterator_of(shard, kind, **arguments), len(want))
        got = [r["SequenceNumber"] for r in got]
        check(got == [r["SequenceNumber"] for r in want], kind, got, want)
    latest = {shard: iterator_of(shard, "LATEST") for shard in sent}
    answer = client.put_record(StreamName=stream, PartitionKey="late", Data=b"late")
    got, _ = read_from(latest[answer["ShardId"]], 1)
    check([r["SequenceNumber"] for r in got] == [answer["SequenceNumber"]], got, answer)
    check(got[0]["Data"] == b"late", got)


def tags():
    client.add_tags_to_stream(StreamName=stream, Tags={"team": "rivers", "größe": "groß"})
    client.remove_tags_from_stream(StreamName=stream, TagKeys=["team"])
    got = client.list_tags_for_stream(StreamName=stream)
    check(got["Tags"] == [{"Key": "größe", "Value": "groß"}], got)


def retention():
    check(summary()["RetentionPeriodHours"] == 24, summary())
    client.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    until("48 hours", lambda: summary()["RetentionPeriodHours"] == 48)
    client.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=25)
    until("25 hours", lambda: summary()["RetentionPeriodHours"] == 25)


def errors():
    shard = next(iter(sent))
    for want, operation, arguments in (
        ("ResourceNotFoundException", client.describe_stream_summary, {"StreamName": "absent"}),
        (
            "ResourceNotFoundException",
            client.put_record,
            {"StreamName": "absent", "PartitionKey": "k", "Data": b""},
        ),
        ("ResourceInUseException", client.create_stream, {"StreamName": stream, "ShardCount": 1}),
        (
            "ValidationException",
            client.put_record,
            {"StreamName": stream, "PartitionKey": "k" * 257, "Data": b""},
        ),
        (
            "ValidationException",
            client.get_shard_iterator,
            {"StreamName": stream, "ShardId": shard, "ShardIteratorType": "SIDEWAYS"},
        ),
        (
            "ResourceNotFoundException",
            client.get_shard_iterator,
            {
                "StreamName": stream,
                "ShardId": "shardId-000000000099",
                "ShardIteratorType": "LATEST",
            },
        ),
        ("InvalidArgumentException", client.get_records, {"ShardIterator": "AAAAnotaniterator"}),
    ):
        got = error_code(operation, **arguments)
        check(got == want, "got", got, "want", want, "for", arguments)


def delete():
    client.delete_stream(StreamName=stream)

    def gone():
        try:
            return summary()["StreamStatus"] not in ("DELETING", "ACTIVE")
        except client.exceptions.ResourceNotFoundException:
            return True

    until("the stream to be gone", gone)
    check(stream not in client.list_streams()["StreamNames"], "still listed")


for name, step in (
    ("create", create),
    ("shards", shards),
    ("put", put),
    ("put-batch", put_batch),
    ("read", read_back),
    ("iterators", iterators),
    ("tags", tags),
    ("retention", retention),
    ("errors", errors),
    ("delete", delete),
):
    try:
        step()
    except Exception as e:  # every kind of failure is a line for the driver
        traceback.print_exc()
        print(f"FAILED {name}: {type(e).__name__}: {e}".replace("\n", " "), flush=True)
        sys.exit(1)
    print(f"ok {name}", flush=True)
