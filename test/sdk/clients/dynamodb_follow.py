"""Indexes, streams and expiry of tables in boto3, client and resource, unchanged from the Python package index.

Arguments: endpoint, table name. Prints `ok STEP` for each step, or `FAILED STEP: reason` and exits 1.
"""

import sys
import time
import traceback

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, name = sys.argv[1], sys.argv[2]
config = Config(retries={"total_max_attempts": 1})
client = boto3.client("dynamodb", endpoint_url=endpoint, config=config)
streams = boto3.client("dynamodbstreams", endpoint_url=endpoint, config=config)
table = boto3.resource("dynamodb", endpoint_url=endpoint, config=config).Table(name)
soon = {"Delay": 1, "MaxAttempts": 30}


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}"[:800])


def until(what, condition):
    deadline = time.monotonic() + 30
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("deadline passed while waiting for " + what)
        time.sleep(0.05)


def attributes(**types):
    return [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]


def keys(partition, sort=None):
    schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])


def create():
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes(pk="S", sk="N", kind="S", n="N"),
        KeySchema=keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": "by-kind", "KeySchema": keys("kind", "n"), "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["text"]}}
        ],
        LocalSecondaryIndexes=[{"IndexName": "by-n", "KeySchema": keys("pk", "n"), "Projection": {"ProjectionType": "KEYS_ONLY"}}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=soon)
    found = client.describe_table(TableName=name)["Table"]
    index = found["GlobalSecondaryIndexes"][0]
    same((index["IndexName"], index["IndexStatus"], index["Projection"]["NonKeyAttributes"]), ("by-kind", "ACTIVE", ["text"]))
    same(found["LocalSecondaryIndexes"][0]["IndexArn"], found["TableArn"] + "/index/by-n")
    same(found["LatestStreamArn"], f"{found['TableArn']}/stream/{found['LatestStreamLabel']}")


def indexes():
    with table.batch_writer() as batch:
        for i in range(30):
            batch.put_item(Item={"pk": "p", "sk": i, "n": 30 - i, "kind": "odd" if i % 2 else "even", "text": f"item {i}", "hidden": "x"})
    sizes, found = [], []
    pages = client.get_paginator("query").paginate(
        TableName=name, IndexName="by-kind", KeyConditionExpression="kind = :k", ExpressionAttributeValues={":k": {"S": "even"}},
        PaginationConfig={"PageSize": 4},
    )
    for page in pages:
        sizes.append(page["Count"])
        found += page["Items"]
    same([int(i["sk"]["N"]) for i in found], list(range(28, -1, -2)))
    same(sizes[:4], [4, 4, 4, 3])
    same(found[0], {"pk": {"S": "p"}, "sk": {"N": "28"}, "n": {"N": "2"}, "kind": {"S": "even"}, "text": {"S": "item 28"}})
    local = table.query(IndexName="by-n", KeyConditionExpression=Key("pk").eq("p") & Key("n").between(1, 5), ConsistentRead=True)["Items"]
    same(local, [{"pk": "p", "sk": 30 - n, "n": n} for n in range(1, 6)])
    whole = table.query(IndexName="by-n", KeyConditionExpression=Key("pk").eq("p") & Key("n").eq(1), Select="ALL_ATTRIBUTES")["Items"]
    same(whole[0]["hidden"], "x")
    try:
        table.query(IndexName="by-kind", KeyConditionExpression=Key("kind").eq("odd"), ConsistentRead=True)
    except ClientError as e:
        same(e.response["Error"]["Message"], "Consistent reads are not supported on global secondary indexes")
    else:
        raise AssertionError("a global index was read consistently")
    same(table.scan(IndexName="by-kind", Select="COUNT")["Count"], 30)


def added():
    client.update_table(
        TableName=name,
        AttributeDefinitions=attributes(text="S"),
        GlobalSecondaryIndexUpdates=[{"Create": {"IndexName": "by-text", "KeySchema": keys("text"), "Projection": {"ProjectionType": "ALL"}}}],
    )

    def status():
        return {i["IndexName"]: i["IndexStatus"] for i in client.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"]}

    until("the index", lambda: status() == {"by-kind": "ACTIVE", "by-text": "ACTIVE"})
    found = table.query(IndexName="by-text", KeyConditionExpression=Key("text").eq("item 7"))["Items"]
    same(found, [{"pk": "p", "sk": 7, "n": 23, "kind": "odd", "text": "item 7", "hidden": "x"}])


def capacity():
    item = {"pk": "capacity", "sk": 1, "n": 1, "kind": "capacity", "text": "t"}
    units = {"CapacityUnits": 1.0}
    same(
        table.put_item(Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"],
        {
            "TableName": name, "CapacityUnits": 4.0, "Table": units,
            "GlobalSecondaryIndexes": {"by-kind": units, "by-text": units}, "LocalSecondaryIndexes": {"by-n": units},
        },
    )
    answer = table.query(IndexName="by-kind", KeyConditionExpression=Key("kind").eq("capacity"), ReturnConsumedCapacity="INDEXES")
    same(answer["ConsumedCapacity"]["GlobalSecondaryIndexes"], {"by-kind": {"CapacityUnits": 0.5}})


def changes(pk):
    """All records of an item so far, from every shard."""
    (stream,) = streams.list_streams(TableName=name)["Streams"]
    description = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
    same((description["StreamStatus"], description["StreamViewType"]), ("ENABLED", "NEW_AND_OLD_IMAGES"))
    found = []
    for shard in description["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator, Limit=20)
            found += [r for r in page["Records"] if r["dynamodb"]["Keys"]["pk"]["S"] == pk]
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return found


def follow():
    key = {"pk": "s", "sk": 1}
    table.put_item(Item={**key, "v": "größe", "b": b"\x00\xff"})
    table.update_item(Key=key, UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": "2"})
    table.delete_item(Key=key)
    keys = {"pk": {"S": "s"}, "sk": {"N": "1"}}
    first = {**keys, "v": {"S": "größe"}, "b": {"B": b"\x00\xff"}}
    second = {**first, "v": {"S": "2"}}
    found = changes("s")
    got = [(r["eventName"], r["dynamodb"].get("OldImage"), r["dynamodb"].get("NewImage")) for r in found]
    same(got, [("INSERT", None, first), ("MODIFY", first, second), ("REMOVE", second, None)])
    numbers = [r["dynamodb"]["SequenceNumber"] for r in found]
    same(numbers, sorted(set(numbers)))
    same([(r["dynamodb"]["Keys"], r["eventSource"], "userIdentity" in r) for r in found], [(keys, "aws:dynamodb", False)] * 3)


def expiry():
    client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    wanted = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    until("time to live", lambda: client.describe_time_to_live(TableName=name)["TimeToLiveDescription"] == wanted)
    now = int(time.time())
    table.put_item(Item={"pk": "stays", "sk": 1, "expires": now + 3600})
    table.put_item(Item={"pk": "goes", "sk": 1, "expires": now - 10})
    until("the end of an item", lambda: "Item" not in table.get_item(Key={"pk": "goes", "sk": 1}))
    last = changes("goes")[-1]
    same((last["eventName"], last["userIdentity"]), ("REMOVE", {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}))
    same(last["dynamodb"]["OldImage"]["expires"], {"N": str(now - 10)})
    same(table.get_item(Key={"pk": "stays", "sk": 1})["Item"]["expires"], now + 3600)


def delete():
    table.delete()
    client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=soon)


for step in (create, indexes, added, capacity, follow, expiry, delete):
    try:
        step()
    except Exception as e:
        traceback.print_exc()
        print(f"FAILED {step.__name__}: {str(e)[:800]}".replace("\n", " "))
        sys.exit(1)
    print("ok", step.__name__)
