// The scenario of tables with the AWS SDK for JavaScript v3 and its document client, unchanged from npm.
//
// Arguments: folder of the part node, endpoint, table name. Prints `ok STEP` for each step, or `FAILED STEP: reason`
// and exits 1.

import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";

const [part, endpoint, name] = process.argv.slice(2);
const require = createRequire(join(part, "package.json"));
const sdk = require("@aws-sdk/client-dynamodb");
const lib = require("@aws-sdk/lib-dynamodb");

const client = new sdk.DynamoDBClient({ endpoint, maxAttempts: 1 });
const documents = lib.DynamoDBDocumentClient.from(client, { marshallOptions: { convertEmptyValues: false } });
// Numbers beyond 53 bits that are not whole arrive as text that keeps every digit.
const exact = lib.DynamoDBDocumentClient.from(new sdk.DynamoDBClient({ endpoint }), {
  unmarshallOptions: { wrapNumbers: (digits) => ({ digits }) },
});
const call = (command, input) => client.send(new sdk[command + "Command"]({ TableName: name, ...input }));
const doc = (command, input) => documents.send(new lib[command + "Command"]({ TableName: name, ...input }));
const batch = (command, input) => documents.send(new lib[command + "Command"](input));
const waiting = { client, maxWaitTime: 30, minDelay: 0.05, maxDelay: 0.05 };

async function refused(want, promise) {
  const error = await promise.then(
    (answer) => assert.fail(`answered ${JSON.stringify(answer)}, want ${want}`),
    (e) => e,
  );
  assert.equal(error.name, want, error.message);
  assert.ok(error.message, `${want} without a message`);
  assert.ok(error.$metadata.requestId, `${want} without a request id`);
  return error;
}

async function create() {
  await call("CreateTable", {
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [
      { AttributeName: "pk", AttributeType: "S" },
      { AttributeName: "sk", AttributeType: "N" },
    ],
    KeySchema: [
      { AttributeName: "pk", KeyType: "HASH" },
      { AttributeName: "sk", KeyType: "RANGE" },
    ],
    Tags: [{ Key: "team", Value: "rivers" }],
  });
  const found = await sdk.waitUntilTableExists(waiting, { TableName: name });
  assert.equal(found.reason.Table.TableStatus, "ACTIVE");
  assert.ok(Math.abs(Date.now() - found.reason.Table.CreationDateTime) < 3_600_000, "created at another time");
  assert.ok((await client.send(new sdk.ListTablesCommand({}))).TableNames.includes(name));
}

const allTypes = {
  pk: "schlüssel ✓",
  sk: -1.5,
  string: "größe\n\u0000end",
  empty: "",
  big: 1234567890123456789012345678901234n,
  binary: Uint8Array.from({ length: 256 }, (_, i) => i),
  yes: true,
  none: null,
  strings: new Set(["a", "ü"]),
  numbers: new Set([1, 2.5]),
  binaries: new Set([Uint8Array.of(0), Uint8Array.of(255, 254)]),
  list: ["x", 1, [true, { deep: [null, { er: Uint8Array.of(1) }] }]],
  map: { inner: { of: "many", empty: {} }, list: [] },
};

async function items() {
  await doc("Put", { Item: allTypes });
  const Key = { pk: allTypes.pk, sk: -1.5 };
  const got = (await doc("Get", { Key, ConsistentRead: true })).Item;
  const sets = ({ strings, numbers, binaries, ...others }) => ({
    ...others,
    sets: [[...strings].sort(), [...numbers].sort(), [...binaries].map((b) => Buffer.from(b).toString("hex")).sort()],
  });
  assert.deepEqual(sets(got), sets(allTypes));

  const digits = "12345678901234567890123456789012345678";
  await call("PutItem", { Item: { pk: { S: "n" }, sk: { N: "0" }, n: { N: "-" + digits }, tiny: { N: "1E-130" } } });
  const number = await exact.send(new lib.GetCommand({ TableName: name, Key: { pk: "n", sk: 0 } }));
  assert.equal(number.Item.n.digits, "-" + digits);
  assert.equal(Number(number.Item.tiny.digits), 1e-130);
  const old = (await doc("Delete", { Key, ReturnValues: "ALL_OLD" })).Attributes;
  assert.equal(old.empty, "");
  assert.equal((await doc("Get", { Key })).Item, undefined);
}

async function expressions() {
  const Key = { pk: "e", sk: 1 };
  await doc("Put", { Item: { ...Key, n: 1, list: ["a"], cut: ["a", "b"], tags: new Set(["x", "y"]), map: { c: 5 } } });
  const { Attributes } = await doc("Update", {
    Key,
    UpdateExpression:
      "SET #m.c = #m.c - :one, #l = list_append(:more, #l), fresh = if_not_exists(absent, :one) REMOVE cut[0] ADD n :two DELETE tags :x",
    ConditionExpression: "attribute_exists(pk) AND size(#l) = :one AND NOT contains(tags, :q) AND n IN (:one, :two)",
    ExpressionAttributeNames: { "#m": "map", "#l": "list" },
    ExpressionAttributeValues: { ":one": 1, ":two": 2, ":more": ["z"], ":x": new Set(["x"]), ":q": "q" },
    ReturnValues: "ALL_NEW",
  });
  assert.deepEqual(Attributes, {
    ...Key, n: 3, list: ["z", "a"], cut: ["b"], tags: new Set(["y"]), map: { c: 4 }, fresh: 1,
  });
  const some = await doc("Get", { Key, ProjectionExpression: "#l[1], #m.c", ExpressionAttributeNames: { "#l": "list", "#m": "map" } });
  assert.deepEqual(some.Item, { list: ["a"], map: { c: 4 } });
  const failed = await refused("ConditionalCheckFailedException", doc("Put", {
    Item: Key, ConditionExpression: "attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  }));
  assert.equal(failed.message, "The conditional request failed");
  assert.deepEqual(failed.Item.n, { N: "3" }, "the item that was there");
}

async function legacy() {
  const Key = { pk: "legacy", sk: 1 };
  await doc("Put", { Item: { ...Key, n: 1 }, Expected: { pk: { Exists: false } } });
  const { Attributes } = await doc("Update", {
    Key,
    AttributeUpdates: { n: { Action: "ADD", Value: 4 }, s: { Value: "put" } },
    Expected: { n: { ComparisonOperator: "LE", AttributeValueList: [1] } },
    ReturnValues: "UPDATED_NEW",
  });
  assert.deepEqual(Attributes, { n: 5, s: "put" });
  const found = await doc("Query", {
    KeyConditions: { pk: { ComparisonOperator: "EQ", AttributeValueList: ["legacy"] } },
    QueryFilter: { n: { ComparisonOperator: "GT", AttributeValueList: [4] } },
    AttributesToGet: ["s"],
  });
  assert.deepEqual(found.Items, [{ s: "put" }]);
}

async function batches() {
  for (let from = 0; from < 75; from += 25) {
    const requests = Array.from({ length: 25 }, (_, i) => from + i).map((i) => ({
      PutRequest: { Item: { pk: "batch", sk: i, even: i % 2 === 0, text: ".".repeat(1000) } },
    }));
    const { UnprocessedItems } = await batch("BatchWrite", { RequestItems: { [name]: requests } });
    assert.deepEqual(UnprocessedItems, {});
  }
  const Keys = [70, 74, 75].map((sk) => ({ pk: "batch", sk }));
  const answer = await batch("BatchGet", { RequestItems: { [name]: { Keys, ProjectionExpression: "sk" } } });
  assert.deepEqual(answer.Responses[name].map((i) => i.sk).sort(), [70, 74]);
}

async function pages() {
  const query = { TableName: name, KeyConditionExpression: "pk = :p", ExpressionAttributeValues: { ":p": "batch" } };
  const found = [];
  for await (const page of lib.paginateQuery({ client: documents, pageSize: 7 }, query)) {
    assert.ok(page.Items.length <= 7);
    found.push(...page.Items.map((i) => i.sk));
  }
  assert.deepEqual(found, Array.from({ length: 75 }, (_, i) => i));
  const some = await doc("Query", {
    KeyConditionExpression: "pk = :p AND sk >= :from",
    FilterExpression: "even = :yes",
    ExpressionAttributeValues: { ":p": "batch", ":from": 65, ":yes": true },
    ScanIndexForward: false,
  });
  assert.deepEqual([some.Items.map((i) => i.sk), some.Count, some.ScannedCount], [[74, 72, 70, 68, 66], 5, 10]);
  let seen = 0;
  for await (const page of lib.paginateScan({ client: documents, pageSize: 20 }, { TableName: name, Select: "COUNT" })) seen += page.Count;
  assert.equal(seen, 78);
}

async function transactions() {
  const put = (pk, more) => ({ Put: { TableName: name, Item: { pk, sk: 0 }, ...more } });
  await batch("TransactWrite", { TransactItems: [put("t1"), put("t2")] });
  const absent = { ConditionExpression: "attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" };
  const error = await refused("TransactionCanceledException", batch("TransactWrite", {
    TransactItems: [
      put("t4"),
      put("t1", absent),
      { Update: { TableName: name, Key: { pk: "t2", sk: 0 }, UpdateExpression: "SET n = :n", ExpressionAttributeValues: { ":n": 1 } } },
    ],
  }));
  assert.deepEqual(error.CancellationReasons.map((r) => r.Code), ["None", "ConditionalCheckFailed", "None"]);
  assert.deepEqual(error.CancellationReasons[1].Item.pk, { S: "t1" });
  const get = (pk) => ({ Get: { TableName: name, Key: { pk, sk: 0 } } });
  const { Responses } = await batch("TransactGet", { TransactItems: [get("t1"), get("t4")] });
  assert.deepEqual(Responses.map((r) => r.Item), [{ pk: "t1", sk: 0 }, undefined]);
}

async function capacity() {
  const Item = { pk: "capacity", sk: 1, text: "x".repeat(3000) };
  const put = await doc("Put", { Item, ReturnConsumedCapacity: "TOTAL" });
  assert.deepEqual(put.ConsumedCapacity, { TableName: name, CapacityUnits: 3 });
  const get = await doc("Get", { Key: { pk: "capacity", sk: 1 }, ConsistentRead: true, ReturnConsumedCapacity: "INDEXES" });
  assert.equal(get.ConsumedCapacity.Table.CapacityUnits, 1);
}

async function errors() {
  const Key = { pk: { S: "a" }, sk: { N: "1" } };
  await refused("ResourceNotFoundException", call("DescribeTable", { TableName: "absent" }));
  await refused("ResourceNotFoundException", call("GetItem", { TableName: "absent", Key }));
  await refused("ValidationException", call("GetItem", { Key: { pk: { S: "a" } } }));
  await refused("ValidationException", call("PutItem", { Item: { ...Key, n: { N: "1".repeat(39) } } }));
  await refused("ValidationException", call("Scan", { FilterExpression: "name = :n", ExpressionAttributeValues: { ":n": { S: "" } } }));
  await refused("ResourceInUseException", call("CreateTable", {
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
  }));
}

async function remove() {
  await call("DeleteTable", {});
  await sdk.waitUntilTableNotExists(waiting, { TableName: name });
}

for (const [step, run] of Object.entries({
  create, items, expressions, legacy, batches, pages, transactions, capacity, errors, delete: remove,
})) {
  try {
    await run();
  } catch (e) {
    console.error(e);
    console.log(`FAILED ${step}: ${String(e).slice(0, 800).replaceAll("\n", " ")}`);
    process.exit(1);
  }
  console.log(`ok ${step}`);
}
client.destroy();
