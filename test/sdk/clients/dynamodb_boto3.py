"""The scenario of tables in boto3, client and resource, unchanged from the Python package index.

Arguments: endpoint, table name. Prints `ok STEP` for each step, or `FAILED STEP: reason` and exits 1.
Trust (AWS_CA_BUNDLE) and credentials come from the environment, as in any application.
"""

import sys
import traceback
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, name = sys.argv[1], sys.argv[2]
config = Config(retries={"total_max_attempts": 1})
client = boto3.client("dynamodb", endpoint_url=endpoint, config=config)
table = boto3.resource("dynamodb", endpoint_url=endpoint, config=config).Table(name)
# Waiters ask every 20 seconds of AWS; the tables here are there within a fraction of one.
soon = {"Delay": 1, "MaxAttempts": 30}


def check(condition, *facts):
    if not condition:
        raise AssertionError(" ".join(repr(f)[:400] for f in facts))


def same(got, want):
    check(got == want, "got", got, "want", want)


def refused(operation, code, **arguments):
    try:
        answer = operation(**arguments)
    except ClientError as e:
        same(e.response["Error"]["Code"], code)
        check(e.response["Error"]["Message"], "an error without a message:", e.response)
        check(e.response["ResponseMetadata"].get("RequestId"), "an error without a request id")
        return e.response
    raise AssertionError(f"answered {answer}, want {code}, for {arguments}")


def create():
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        Tags=[{"Key": "team", "Value": "rivers"}],
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=soon)
    table.load()
    same((table.table_status, table.key_schema[1]["AttributeName"]), ("ACTIVE", "sk"))
    check(name in client.list_tables()["TableNames"], "not listed")


ALL_TYPES = {
    "pk": "schlüssel ✓",
    "sk": Decimal("-1.5"),
    "string": "größe\n\u0000end",
    "empty": "",
    "digits": Decimal("12345678901234567890123456789012345678"),
    "small": Decimal("-1.2345678901234567890123456789012345678E-80"),
    "binary": Binary(bytes(range(256))),
    "yes": True,
    "none": None,
    "strings": {"a", "ü"},
    "numbers": {Decimal("1"), Decimal("2.5"), Decimal("9.9E+30")},
    "binaries": {Binary(b"\x00"), Binary(b"\xff\xfe")},
    "list": ["x", Decimal("1"), [True, {"deep": [None, {"er": Binary(b"z")}]}]],
    "map": {"inner": {"of": "many", "empty": {}}, "list": []},
}


def items():
    table.put_item(Item=ALL_TYPES)
    key = {"pk": ALL_TYPES["pk"], "sk": Decimal("-1.50")}
    same(table.get_item(Key=key, ConsistentRead=True)["Item"], ALL_TYPES)
    raw = client.get_item(TableName=name, Key={"pk": {"S": key["pk"]}, "sk": {"N": "-15e-1"}})["Item"]
    same(raw["digits"], {"N": "12345678901234567890123456789012345678"})
    same(set(raw["numbers"]["NS"]), {"1", "2.5", "99" + "0" * 29})
    old = table.put_item(Item={**key, "other": "short"}, ReturnValues="ALL_OLD")["Attributes"]
    same(old, ALL_TYPES)
    same(table.delete_item(Key=key, ReturnValues="ALL_OLD")["Attributes"]["other"], "short")
    check("Item" not in table.get_item(Key=key), "deleted, and there")


def expressions():
    key = {"pk": "e", "sk": 1}
    table.put_item(Item={**key, "n": 1, "list": ["a", "b", "c"], "cut": ["a", "b", "c"], "tags": {"x", "y"}, "map": {"in": {"c": 5}}, "gone": 1})
    answer = table.update_item(
        Key=key,
        UpdateExpression="SET #m.#i.c = #m.#i.c - :one, #l = list_append(#l, :more), fresh = if_not_exists(absent, :one) "
        "REMOVE gone, cut[0] ADD n :two DELETE tags :x",
        ConditionExpression="attribute_exists(pk) AND size(#l) = :three AND (begins_with(#l[0], :a) OR contains(tags, :q)) "
        "AND n BETWEEN :one AND :two AND attribute_type(#m, :map)",
        ExpressionAttributeNames={"#m": "map", "#i": "in", "#l": "list"},
        ExpressionAttributeValues={
            ":one": 1, ":two": 2, ":three": 3, ":a": "a", ":q": "q", ":map": "M", ":more": ["d"], ":x": {"x"},
        },
        ReturnValues="ALL_NEW",
    )["Attributes"]
    want = {**key, "n": 3, "list": ["a", "b", "c", "d"], "cut": ["b", "c"], "tags": {"y"}, "map": {"in": {"c": 4}}, "fresh": 1}
    same(answer, want)
    answer = table.update_item(
        Key=key, UpdateExpression="SET n = n + :n", ExpressionAttributeValues={":n": Decimal("0.5")}, ReturnValues="UPDATED_OLD"
    )
    same(answer["Attributes"], {"n": 3})
    answer = table.get_item(Key=key, ProjectionExpression="#l[1], map_, #m.#i", ExpressionAttributeNames={"#l": "list", "#m": "map", "#i": "in"})
    same(answer["Item"], {"list": ["b"], "map": {"in": {"c": 4}}})
    response = refused(
        client.put_item, "ConditionalCheckFailedException", TableName=name,
        Item={"pk": {"S": "e"}, "sk": {"N": "1"}}, ConditionExpression="attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    same(response["Item"]["n"], {"N": "3.5"})
    try:
        table.delete_item(Key=key, ConditionExpression=Attr("n").gt(100))
    except table.meta.client.exceptions.ConditionalCheckFailedException as e:
        same(e.response["Error"]["Message"], "The conditional request failed")
    else:
        raise AssertionError("deleted against its condition")


def legacy():
    key = {"pk": {"S": "legacy"}, "sk": {"N": "1"}}
    client.put_item(TableName=name, Item={**key, "n": {"N": "1"}}, Expected={"pk": {"Exists": False}})
    answer = client.update_item(
        TableName=name, Key=key, ReturnValues="ALL_NEW",
        Expected={"n": {"ComparisonOperator": "LE", "AttributeValueList": [{"N": "1"}]}, "absent": {"Exists": False}},
        ConditionalOperator="AND",
        AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "4"}}, "s": {"Value": {"S": "put"}}},
    )
    same(answer["Attributes"], {**key, "n": {"N": "5"}, "s": {"S": "put"}})
    refused(client.delete_item, "ConditionalCheckFailedException", TableName=name, Key=key, Expected={"n": {"Value": {"N": "1"}}})
    answer = client.query(
        TableName=name, AttributesToGet=["n"],
        KeyConditions={"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "legacy"}]}},
        QueryFilter={"s": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "p"}]}},
    )
    same(answer["Items"], [{"n": {"N": "5"}}])
    answer = client.scan(TableName=name, ScanFilter={"s": {"ComparisonOperator": "NOT_NULL"}})
    same(answer["Items"], [{**key, "n": {"N": "5"}, "s": {"S": "put"}}])


def batches():
    with table.batch_writer(overwrite_by_pkeys=["pk", "sk"]) as batch:
        for i in range(90):
            batch.put_item(Item={"pk": "batch", "sk": i, "text": f"item {i} ".ljust(1000, "."), "even": i % 2 == 0})
        batch.delete_item(Key={"pk": "batch", "sk": 89})
    serialize = TypeSerializer().serialize
    keys = [{"pk": serialize("batch"), "sk": serialize(i)} for i in range(80, 100)]
    answer = client.batch_get_item(RequestItems={name: {"Keys": keys, "ProjectionExpression": "sk"}}, ReturnConsumedCapacity="TOTAL")
    same(sorted(int(i["sk"]["N"]) for i in answer["Responses"][name]), list(range(80, 89)))
    same((answer["UnprocessedKeys"], answer["ConsumedCapacity"][0]["TableName"]), ({}, name))


def pages():
    of_batch = Key("pk").eq("batch")
    answer = table.query(KeyConditionExpression=of_batch & Key("sk").between(10, 19), FilterExpression=Attr("even").eq(True), ScanIndexForward=False)
    same([int(i["sk"]) for i in answer["Items"]], [18, 16, 14, 12, 10])
    same((answer["Count"], answer["ScannedCount"]), (5, 10))
    found = []
    pages = client.get_paginator("query").paginate(
        TableName=name, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "batch"}}, PaginationConfig={"PageSize": 7}
    )
    sizes = []
    for page in pages:
        sizes.append(page["Count"])
        found += [int(i["sk"]["N"]) for i in page["Items"]]
    same(found, list(range(89)))
    same(sizes[:12], [7] * 12)
    seen = []
    for segment in range(3):
        for page in client.get_paginator("scan").paginate(TableName=name, Segment=segment, TotalSegments=3, PaginationConfig={"PageSize": 10}):
            seen += [(i["pk"]["S"], i["sk"]["N"]) for i in page["Items"]]
    same((len(seen), len(set(seen))), (91, 91))
    same(table.scan(Select="COUNT")["Count"], 91)


def transactions():
    def put(pk, **more):
        return {"Put": {"TableName": name, "Item": {"pk": {"S": pk}, "sk": {"N": "0"}}, **more}}

    token = name + "-once"
    client.transact_write_items(TransactItems=[put("t1"), put("t2")], ClientRequestToken=token)
    client.transact_write_items(TransactItems=[put("t1"), put("t2")], ClientRequestToken=token)
    refused(client.transact_write_items, "IdempotentParameterMismatchException", TransactItems=[put("t3")], ClientRequestToken=token)
    absent = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    response = refused(client.transact_write_items, "TransactionCanceledException", TransactItems=[put("t4"), put("t1", **absent)])
    reasons = response["CancellationReasons"]
    same([r["Code"] for r in reasons], ["None", "ConditionalCheckFailed"])
    same(reasons[1]["Item"], {"pk": {"S": "t1"}, "sk": {"N": "0"}})
    same(response["Error"]["Message"], "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]")
    answer = client.transact_get_items(
        TransactItems=[{"Get": {"TableName": name, "Key": {"pk": {"S": k}, "sk": {"N": "0"}}}} for k in ("t1", "t4")]
    )
    same([r.get("Item", {}).get("pk") for r in answer["Responses"]], [{"S": "t1"}, None])


def capacity():
    item = {"pk": "capacity", "sk": 1, "text": "x" * 3000}
    same(table.put_item(Item=item, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"], {"TableName": name, "CapacityUnits": 3.0})
    answer = table.get_item(Key={"pk": "capacity", "sk": 1}, ReturnConsumedCapacity="INDEXES")
    same(answer["ConsumedCapacity"], {"TableName": name, "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}})


def tags():
    arn = table.table_arn
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "größe", "Value": "groß"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["team"])
    same(client.list_tags_of_resource(ResourceArn=arn)["Tags"], [{"Key": "größe", "Value": "groß"}])


def errors():
    key = {"pk": {"S": "a"}, "sk": {"N": "1"}}
    refused(client.describe_table, "ResourceNotFoundException", TableName="absent")
    refused(client.get_item, "ResourceNotFoundException", TableName="absent", Key=key)
    refused(client.get_item, "ValidationException", TableName=name, Key={"pk": {"S": "a"}})
    refused(client.put_item, "ValidationException", TableName=name, Item={**key, "n": {"N": "1" * 39}})
    refused(client.put_item, "ValidationException", TableName=name, Item={**key, "b": {"S": "x" * 400 * 1024}})
    refused(client.scan, "ValidationException", TableName=name, FilterExpression="size = :s", ExpressionAttributeValues={":s": {"S": ""}})
    refused(
        client.create_table, "ResourceInUseException", TableName=name, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )


def delete():
    table.delete()
    client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=soon)
    check(name not in client.list_tables()["TableNames"], "listed after its end")


for step in (create, items, expressions, legacy, batches, pages, transactions, capacity, tags, errors, delete):
    try:
        step()
    except Exception as e:
        traceback.print_exc()
        print(f"FAILED {step.__name__}: {str(e)[:800]}".replace("\n", " "))
        sys.exit(1)
    print("ok", step.__name__)
