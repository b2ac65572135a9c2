// Indexes, streams and expiry of tables with the AWS SDK for JavaScript v3 and its document client, unchanged from npm.
//
// Arguments: folder of the part node, endpoint, table name. Prints `ok STEP` for each step, or `FAILED STEP: reason` and exits 1.

import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import assert from "node:assert/strict";

const [part, endpoint, TableName] = process.argv.slice(2);
const require = createRequire(join(part, "package.json"));
const sdk = require("@aws-sdk/client-dynamodb");
const lib = require("@aws-sdk/lib-dynamodb");
const following = require("@aws-sdk/client-dynamodb-streams");

const client = new sdk.DynamoDBClient({ endpoint, maxAttempts: 1 });
const streams = new following.DynamoDBStreamsClient({ endpoint, maxAttempts: 1 });
const documents = lib.DynamoDBDocumentClient.from(client);
const call = (command, input) => client.send(new sdk[command + "Command"]({ TableName, ...input }));
const doc = (command, input) => documents.send(new lib[command + "Command"]({ TableName, ...input }));
const follow = (command, input) => streams.send(new following[command + "Command"](input));
const waiting = { client, maxWaitTime: 30, minDelay: 0.05, maxDelay: 0.05 };

async function until(what, condition) {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `deadline passed while waiting for ${what}`);
    await pause(50);
  }
}

const attributes = (types) => Object.entries(types).map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType }));
const keys = (...names) => names.map((AttributeName, i) => ({ AttributeName, KeyType: i === 0 ? "HASH" : "RANGE" }));

async function create() {
  await call("CreateTable", {
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: attributes({ pk: "S", sk: "N", kind: "S", n: "N" }),
    KeySchema: keys("pk", "sk"),
    GlobalSecondaryIndexes: [
      { IndexName: "by-kind", KeySchema: keys("kind", "n"), Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["text"] } },
    ],
    LocalSecondaryIndexes: [{ IndexName: "by-n", KeySchema: keys("pk", "n"), Projection: { ProjectionType: "KEYS_ONLY" } }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
  });
  const { Table } = (await sdk.waitUntilTableExists(waiting, { TableName })).reason;
  assert.equal(Table.GlobalSecondaryIndexes[0].IndexStatus, "ACTIVE");
  assert.equal(Table.LocalSecondaryIndexes[0].IndexArn, Table.TableArn + "/index/by-n");
}

async function indexes() {
  const all = Array.from({ length: 30 }, (_, i) => ({
    pk: "p", sk: i, n: 30 - i, kind: i % 2 ? "odd" : "even", text: `item ${i}`, hidden: "x",
  }));
  for (const some of [all.slice(0, 25), all.slice(25)]) {
    const RequestItems = { [TableName]: some.map((Item) => ({ PutRequest: { Item } })) };
    const { UnprocessedItems } = await documents.send(new lib.BatchWriteCommand({ RequestItems }));
    assert.deepEqual(UnprocessedItems, {});
  }
  const even = { TableName, IndexName: "by-kind", KeyConditionExpression: "kind = :k", ExpressionAttributeValues: { ":k": "even" } };
  const pages = [];
  for await (const page of lib.paginateQuery({ client: documents, pageSize: 4 }, even)) pages.push(page.Items);
  assert.deepEqual(pages.flat().map((i) => i.sk), Array.from({ length: 15 }, (_, i) => 28 - 2 * i));
  assert.deepEqual(pages.slice(0, 4).map((p) => p.length), [4, 4, 4, 3]);
  assert.deepEqual(pages[0][0], { pk: "p", sk: 28, n: 2, kind: "even", text: "item 28" });
  const local = { IndexName: "by-n", KeyConditionExpression: "pk = :p AND n < :n", ExpressionAttributeValues: { ":p": "p", ":n": 4 } };
  const { Items } = await doc("Query", { ...local, ConsistentRead: true, ScanIndexForward: false });
  assert.deepEqual(Items, [3, 2, 1].map((n) => ({ pk: "p", sk: 30 - n, n })));
  const whole = await doc("Query", { ...local, Select: "ALL_ATTRIBUTES" });
  assert.deepEqual(whole.Items.map((i) => i.hidden), ["x", "x", "x"]);
  await assert.rejects(doc("Query", { ...even, ConsistentRead: true }), {
    name: "ValidationException", message: "Consistent reads are not supported on global secondary indexes",
  });
}

async function added() {
  await call("UpdateTable", {
    AttributeDefinitions: attributes({ text: "S" }),
    GlobalSecondaryIndexUpdates: [
      { Create: { IndexName: "by-text", KeySchema: keys("text"), Projection: { ProjectionType: "ALL" } } },
    ],
  });
  await until("the index", async () => {
    const { Table } = await call("DescribeTable", {});
    return Table.GlobalSecondaryIndexes.length === 2 && Table.GlobalSecondaryIndexes.every((i) => i.IndexStatus === "ACTIVE");
  });
  const { Items } = await doc("Query", {
    IndexName: "by-text", KeyConditionExpression: "#t = :t", ExpressionAttributeNames: { "#t": "text" }, ExpressionAttributeValues: { ":t": "item 7" },
  });
  assert.deepEqual(Items, [{ pk: "p", sk: 7, n: 23, kind: "odd", text: "item 7", hidden: "x" }]);
}

async function capacity() {
  const units = { CapacityUnits: 1 };
  const Item = { pk: "capacity", sk: 1, n: 1, kind: "capacity", text: "t" };
  const { ConsumedCapacity } = await doc("Put", { Item, ReturnConsumedCapacity: "INDEXES" });
  assert.deepEqual(ConsumedCapacity, {
    TableName, CapacityUnits: 4, Table: units,
    GlobalSecondaryIndexes: { "by-kind": units, "by-text": units }, LocalSecondaryIndexes: { "by-n": units },
  });
}

// changes are all records of an item so far, from every shard.
async function changes(pk) {
  const { Streams } = await follow("ListStreams", { TableName });
  assert.equal(Streams.length, 1);
  const [{ StreamArn }] = Streams;
  const { StreamDescription } = await follow("DescribeStream", { StreamArn });
  assert.equal(StreamDescription.StreamStatus, "ENABLED");
  const found = [];
  for (const { ShardId } of StreamDescription.Shards) {
    let { ShardIterator } = await follow("GetShardIterator", { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" });
    while (ShardIterator) {
      const { Records, NextShardIterator } = await follow("GetRecords", { ShardIterator, Limit: 20 });
      found.push(...Records.filter((r) => r.dynamodb.Keys.pk.S === pk));
      ShardIterator = Records.length > 0 ? NextShardIterator : undefined;
    }
  }
  return found;
}

async function followed() {
  const Key = { pk: "s", sk: 1 };
  await doc("Put", { Item: { ...Key, v: "größe", b: Uint8Array.of(0, 255) } });
  await doc("Update", { Key, UpdateExpression: "SET v = :v", ExpressionAttributeValues: { ":v": "2" } });
  await doc("Delete", { Key });
  const first = { pk: { S: "s" }, sk: { N: "1" }, v: { S: "größe" }, b: { B: Uint8Array.of(0, 255) } };
  const second = { ...first, v: { S: "2" } };
  const found = await changes("s");
  const plain = (image) => image && { ...image, b: { B: Uint8Array.from(image.b.B) } };
  assert.deepEqual(
    found.map((r) => [r.eventName, plain(r.dynamodb.OldImage), plain(r.dynamodb.NewImage)]),
    [["INSERT", undefined, first], ["MODIFY", first, second], ["REMOVE", second, undefined]],
  );
  assert.ok(found.every((r) => r.userIdentity === undefined && r.dynamodb.ApproximateCreationDateTime instanceof Date));
}

async function expiry() {
  await call("UpdateTimeToLive", { TimeToLiveSpecification: { Enabled: true, AttributeName: "expires" } });
  await until("time to live", async () => {
    const { TimeToLiveDescription } = await call("DescribeTimeToLive", {});
    return TimeToLiveDescription.TimeToLiveStatus === "ENABLED" && TimeToLiveDescription.AttributeName === "expires";
  });
  const now = Math.floor(Date.now() / 1000);
  await doc("Put", { Item: { pk: "stays", sk: 1, expires: now + 3600 } });
  await doc("Put", { Item: { pk: "goes", sk: 1, expires: now - 10 } });
  await until("the end of an item", async () => !(await doc("Get", { Key: { pk: "goes", sk: 1 } })).Item);
  const last = (await changes("goes")).at(-1);
  assert.equal(last.eventName, "REMOVE");
  assert.deepEqual(last.userIdentity, { PrincipalId: "dynamodb.amazonaws.com", Type: "Service" });
  assert.deepEqual(last.dynamodb.OldImage.expires, { N: String(now - 10) });
  assert.equal((await doc("Get", { Key: { pk: "stays", sk: 1 } })).Item.expires, now + 3600);
}

async function remove() {
  await call("DeleteTable", {});
  await sdk.waitUntilTableNotExists(waiting, { TableName });
}

for (const [step, run] of Object.entries({ create, indexes, added, capacity, follow: followed, expiry, delete: remove })) {
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
streams.destroy();
