// The scenario of test/sdk with the AWS SDK for JavaScript v3, unchanged from npm.
//
// Arguments: folder of the part node, endpoint, stream name, and `http1` for a server that does not
// speak HTTP/2 (the SDK's own choice for Kinesis is HTTP/2, on http:// endpoints with prior knowledge).
// Prints `ok STEP` for each step, or `FAILED STEP: reason` and exits 1.

import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";

const [part, endpoint, stream, http1] = process.argv.slice(2);
const require = createRequire(join(part, "package.json"));
const sdk = require("@aws-sdk/client-kinesis");
const { NodeHttpHandler } = require("@smithy/node-http-handler");

const deadlineMs = 30_000;
const shardCount = 4;
const hashSpace = 2n ** 128n;
const client = new sdk.KinesisClient({
  endpoint,
  maxAttempts: 1,
  ...(http1 === "http1" ? { requestHandler: new NodeHttpHandler() } : {}),
});
const call = (name, input) => client.send(new sdk[name + "Command"](input));
const sent = new Map(); // shard id -> [{sequence, key, data}]
const read = new Map(); // shard id -> records of GetRecords

/** Asks until condition() is true; a server answers within milliseconds, so the pause is short. */
async function until(what, condition) {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `deadline passed while waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const summary = async () =>
  (await call("DescribeStreamSummary", { StreamName: stream })).StreamDescriptionSummary;

async function iteratorOf(shard, type, more = {}) {
  const input = { StreamName: stream, ShardId: shard, ShardIteratorType: type, ...more };
  return (await call("GetShardIterator", input)).ShardIterator;
}

/** Follows NextShardIterator until count records came. */
async function readFrom(iterator, count) {
  const records = [];
  await until(`${count} records`, async () => {
    const answer = await call("GetRecords", { ShardIterator: iterator, Limit: 7 });
    assert.equal(typeof answer.MillisBehindLatest, "number");
    assert.notEqual(answer.NextShardIterator, iterator);
    iterator = answer.NextShardIterator;
    records.push(...answer.Records);
    return records.length >= count;
  });
  return records;
}

async function create() {
  await call("CreateStream", { StreamName: stream, ShardCount: shardCount });
  await until("ACTIVE", async () => (await summary()).StreamStatus === "ACTIVE");
  assert.equal((await summary()).OpenShardCount, shardCount);
  assert.ok((await call("ListStreams", {})).StreamNames.includes(stream));
}

async function shards() {
  const listed = (await call("ListShards", { StreamName: stream })).Shards;
  assert.equal(listed.length, shardCount);
  const ranges = listed.map((s) => [BigInt(s.HashKeyRange.StartingHashKey), BigInt(s.HashKeyRange.EndingHashKey)]);
  ranges.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  let start = 0n;
  for (const [from, to] of ranges) {
    assert.equal(from, start);
    start = to + 1n;
  }
  assert.equal(start, hashSpace);
  for (const s of listed) sent.set(s.ShardId, []);
}

async function put() {
  for (let i = 0; i < 12; i++) {
    const key = `Schlüssel-${i}-鍵`;
    const data = Uint8Array.from({ length: 256 + i }, (_, n) => n % 256);
    const more = i % 3 === 0 ? { ExplicitHashKey: String((hashSpace / 12n) * BigInt(i)) } : {};
    const answer = await call("PutRecord", { StreamName: stream, PartitionKey: key, Data: data, ...more });
    sent.get(answer.ShardId).push({ sequence: BigInt(answer.SequenceNumber), key, data });
  }
}

async function putBatch() {
  const records = Array.from({ length: 60 }, (_, i) => ({
    PartitionKey: `k${i}`,
    Data: new TextEncoder().encode(`batch ${i} `.repeat(i + 1)),
  }));
  const answer = await call("PutRecords", { StreamName: stream, Records: records });
  assert.equal(answer.FailedRecordCount, 0);
  assert.equal(answer.Records.length, records.length);
  answer.Records.forEach((entry, i) => {
    const { PartitionKey: key, Data: data } = records[i];
    sent.get(entry.ShardId).push({ sequence: BigInt(entry.SequenceNumber), key, data });
  });
}

async function readBack() {
  for (const [shard, records] of sent) {
    records.sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
    const got = await readFrom(await iteratorOf(shard, "TRIM_HORIZON"), records.length);
    read.set(shard, got);
    assert.deepEqual(
      got.map((r) => ({ sequence: BigInt(r.SequenceNumber), key: r.PartitionKey, data: Uint8Array.from(r.Data) })),
      records.map((r) => ({ ...r, data: Uint8Array.from(r.data) })),
    );
  }
}

async function iterators() {
  const [shard, records] = [...read].reduce((a, b) => (a[1].length >= b[1].length ? a : b));
  const third = records[2];
  const numbers = (list) => list.map((r) => r.SequenceNumber);
  const time = third.ApproximateArrivalTimestamp;
  for (const [type, more, want] of [
    ["AT_SEQUENCE_NUMBER", { StartingSequenceNumber: third.SequenceNumber }, records.slice(2)],
    ["AFTER_SEQUENCE_NUMBER", { StartingSequenceNumber: third.SequenceNumber }, records.slice(3)],
    ["AT_TIMESTAMP", { Timestamp: time }, records.filter((r) => r.ApproximateArrivalTimestamp >= time)],
  ]) {
    const got = await readFrom(await iteratorOf(shard, type, more), want.length);
    assert.deepEqual(numbers(got), numbers(want), type);
  }
  const latest = new Map();
  for (const id of sent.keys()) latest.set(id, await iteratorOf(id, "LATEST"));
  const data = new TextEncoder().encode("late");
  const answer = await call("PutRecord", { StreamName: stream, PartitionKey: "late", Data: data });
  const got = await readFrom(latest.get(answer.ShardId), 1);
  assert.deepEqual(numbers(got), [answer.SequenceNumber]);
}

async function tags() {
  await call("AddTagsToStream", { StreamName: stream, Tags: { team: "rivers", größe: "groß" } });
  await call("RemoveTagsFromStream", { StreamName: stream, TagKeys: ["team"] });
  const answer = await call("ListTagsForStream", { StreamName: stream });
  assert.deepEqual(answer.Tags, [{ Key: "größe", Value: "groß" }]);
}

async function retention() {
  assert.equal((await summary()).RetentionPeriodHours, 24);
  await call("IncreaseStreamRetentionPeriod", { StreamName: stream, RetentionPeriodHours: 48 });
  await until("48 hours", async () => (await summary()).RetentionPeriodHours === 48);
  await call("DecreaseStreamRetentionPeriod", { StreamName: stream, RetentionPeriodHours: 25 });
  await until("25 hours", async () => (await summary()).RetentionPeriodHours === 25);
}

async function errors() {
  const shard = [...sent.keys()][0];
  const none = new Uint8Array();
  for (const [want, name, input] of [
    ["ResourceNotFoundException", "DescribeStreamSummary", { StreamName: "absent" }],
    ["ResourceNotFoundException", "PutRecord", { StreamName: "absent", PartitionKey: "k", Data: none }],
    ["ResourceInUseException", "CreateStream", { StreamName: stream, ShardCount: 1 }],
    ["ValidationException", "PutRecord", { StreamName: stream, PartitionKey: "", Data: none }],
    ["ValidationException", "GetShardIterator", { StreamName: stream, ShardId: shard, ShardIteratorType: "SIDEWAYS" }],
    ["InvalidArgumentException", "GetRecords", { ShardIterator: "AAAAnotaniterator" }],
  ]) {
    const error = await call(name, input).then(
      (answer) => assert.fail(`${name} answered ${JSON.stringify(answer)}, want ${want}`),
      (e) => e,
    );
    assert.equal(error.name, want, error.message);
    assert.ok(error.message, `${want} without a message`);
    assert.ok(error.$metadata.requestId, `${want} without a request id`);
  }
}

/** A consumer is pushed records over HTTP/2; events and their end are those of the SDK's event stream. */
async function push() {
  const named = { StreamARN: (await summary()).StreamARN, ConsumerName: "javascript" };
  const consumer = async () => (await call("DescribeStreamConsumer", named)).ConsumerDescription;
  const ConsumerARN = (await call("RegisterStreamConsumer", named)).Consumer.ConsumerARN;
  await until("the consumer to be ACTIVE", async () => (await consumer()).ConsumerStatus === "ACTIVE");
  const shard = [...sent.keys()].sort()[0]; // holds hash key 0
  const answer = await call("SubscribeToShard", { ConsumerARN, ShardId: shard, StartingPosition: { Type: "LATEST" } });
  const want = [];
  const got = [];
  let ended;
  try {
    for await (const { SubscribeToShardEvent: e } of answer.EventStream) {
      assert.match(e.ContinuationSequenceNumber, /^[0-9]{56}$/);
      assert.equal(typeof e.MillisBehindLatest, "number");
      got.push(...e.Records.map((r) => [r.SequenceNumber, r.PartitionKey, Buffer.from(r.Data).toString()]));
      assert.deepEqual(got, want.slice(0, got.length));
      if (got.length < want.length) continue;
      if (want.length === 20) {
        await call("DeregisterStreamConsumer", { ConsumerARN });
        continue;
      }
      const data = "pushed ".repeat(want.length * 100);
      const record = { PartitionKey: "鍵", ExplicitHashKey: "0", Data: Buffer.from(data) };
      const put = await call("PutRecord", { StreamName: stream, ...record });
      want.push([put.SequenceNumber, "鍵", data]);
    }
  } catch (e) {
    ended = e;
  }
  assert.equal(ended?.name, "ResourceNotFoundException", String(ended));
  assert.equal(got.length, 20);
  await until("the consumer to be gone", () => consumer().then(() => false, (e) => e.name === "ResourceNotFoundException"));
}

async function remove() {
  await call("DeleteStream", { StreamName: stream });
  await until("the stream to be gone", async () => {
    try {
      await summary();
      return false;
    } catch (e) {
      return e.name === "ResourceNotFoundException";
    }
  });
  assert.ok(!(await call("ListStreams", {})).StreamNames.includes(stream));
}

for (const [name, step] of [
  ["create", create],
  ["shards", shards],
  ["put", put],
  ["put-batch", putBatch],
  ["read", readBack],
  ["iterators", iterators],
  ["tags", tags],
  ["retention", retention],
  ["errors", errors],
  ...(http1 === "http1" ? [] : [["push", push]]),
  ["delete", remove],
]) {
  try {
    await step();
  } catch (e) {
    console.error(e);
    console.log(`FAILED ${name}: ${String(e).slice(0, 800).replaceAll("\n", " ")}`);
    process.exit(1);
  }
  console.log(`ok ${name}`);
}
client.destroy();
