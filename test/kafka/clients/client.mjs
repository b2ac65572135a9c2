// The scenario of test/kafka, played by KafkaJS. It has no codec of its own but gzip; Snappy and LZ4 come from other
// packages as its documentation says. There is none for Zstandard that needs no compiler.
//
// usage: NODE_PATH=MODULES node client.mjs BOOTSTRAP PREFIX
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(process.env.NODE_PATH + '/');
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs');
const lz4 = require('lz4js');

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
});

const [bootstrap, prefix] = process.argv.slice(2);
const PATIENCE = 30_000; // milliseconds that a step waits for the server on a busy machine
const START = (Math.floor(Date.now() / 1000) - 3600) * 1000;
const logTopic = `${prefix}-log`;
const txnTopic = `${prefix}-txn`;
const quiet = { retry: { initialRetryTime: 50, retries: 10 } };
const kafka = new Kafka({ clientId: prefix, brokers: [bootstrap], logLevel: logLevel.NOTHING, ...quiet });
const admin = kafka.admin();

// records makes count messages: binary headers, a header twice, compressible values.
const records = (name, count) => Array.from({ length: count }, (_, i) => ({
  key: `${name}-${i}`, value: `${name} ${i} `.repeat(20), timestamp: String(START + 1000 * i),
  headers: { codec: name, n: [Buffer.from([i % 256, 0]), 'again'] },
}));

const plain = (m) => JSON.stringify({
  key: String(m.key), value: String(m.value), timestamp: String(m.timestamp), codec: String(m.headers.codec),
  n: m.headers.n.map((v) => Buffer.from(v).toString('hex')),
});

const sorted = (messages) => messages.map(plain).sort();

async function until(what, condition) {
  const end = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function send(topic, messages, compression = CompressionTypes.None, options = {}) {
  const producer = kafka.producer({ allowAutoTopicCreation: true, ...options });
  await producer.connect();
  const answer = await producer.send({ topic, messages, compression });
  await producer.disconnect();
  return answer;
}

// member joins a group and collects what it reads.
async function member(groupId, topic, options = {}) {
  const consumer = kafka.consumer({
    groupId, sessionTimeout: 6000, heartbeatInterval: 300, rebalanceTimeout: 5000, maxWaitTimeInMs: 100, ...options,
  });
  const got = [];
  const m = { consumer, got, partitions: [] };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { m.partitions = payload.memberAssignment[topic] ?? []; });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ autoCommit: options.autoCommit ?? true, eachMessage: async ({ message, partition }) => { got.push({ ...message, partition }); } });
  return m;
}

async function readAll(topic, want, what, options) {
  const m = await member(`${prefix}-${what}`, topic, options);
  await until(`${want} records ${what}`, async () => m.got.length >= want);
  await m.consumer.disconnect();
  return m.got;
}

const steps = {
  async auto() {
    const topic = `${prefix}-auto`;
    await send(topic, records('auto', 3));
    assert.equal((await readAll(topic, 3, 'auto')).length, 3);
  },

  async topic() {
    const topic = `${prefix}-topic`;
    const made = { topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '3600000' }] };
    assert.equal(await admin.createTopics({ topics: [made] }), true);
    assert.equal(await admin.createTopics({ topics: [made] }), false, 'a topic was created twice');
    await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] });
    await until('5 partitions', async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 5);
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
    await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'max.message.bytes', value: '2000' }] }] });
    const { resources } = await admin.describeConfigs({ resources: [{ ...resource, configNames: ['max.message.bytes', 'retention.ms'] }] });
    const configs = Object.fromEntries(resources[0].configEntries.map((c) => [c.configName, c.configValue]));
    assert.deepEqual(configs, { 'max.message.bytes': '2000', 'retention.ms': '604800000' });
    await assert.rejects(send(topic, [{ value: 'x'.repeat(5000) }]), { type: 'MESSAGE_TOO_LARGE' });
    assert.deepEqual((await admin.describeCluster()).brokers.map((b) => b.nodeId), [0]);
  },

  async produce() {
    await admin.createTopics({ topics: [{ topic: logTopic, numPartitions: 3 }] });
    const all = [];
    for (const [name, codec] of Object.entries({ none: 0, gzip: 1, snappy: 2, lz4: 3 })) {
      all.push(...records(name, 30));
      await send(logTopic, records(name, 30), codec);
    }
    assert.deepEqual(sorted(await readAll(logTopic, all.length, 'produced')), sorted(all));
  },

  async timestamps() {
    const middle = START + 15_000;
    const found = await admin.fetchTopicOffsetsByTimestamp(logTopic, middle);
    const got = await readAll(logTopic, 120, 'times');
    for (const { partition, offset } of found) {
      const first = got.filter((m) => m.partition === partition && Number(m.timestamp) >= middle)
        .reduce((least, m) => Math.min(least, Number(m.offset)), Infinity);
      assert.equal(Number(offset), first, `offset of partition ${partition} for a time`);
    }
  },

  async group() {
    const groupId = `${prefix}-group`;
    const a = await member(groupId, logTopic);
    await until('120 records', async () => a.got.length === 120);
    const b = await member(groupId, logTopic);
    await until('both have partitions', async () => a.partitions.length && b.partitions.length && a.partitions.length + b.partitions.length === 3);
    const { groups } = await admin.describeGroups([groupId]);
    assert.deepEqual([groups[0].state, groups[0].members.length], ['Stable', 2]);
    const more = records('second', 30);
    await send(logTopic, more);
    await until('30 more records', async () => a.got.length + b.got.length >= 150);
    assert.deepEqual(sorted([...a.got.slice(120), ...b.got]), sorted(more));
    await a.consumer.disconnect();
    await b.consumer.disconnect();
    const last = records('third', 10);
    await send(logTopic, last);
    const c = await member(groupId, logTopic);
    await until('10 more records', async () => c.got.length >= 10);
    assert.deepEqual(sorted(c.got), sorted(last), 'what a new member reads from the committed offsets');
    await c.consumer.disconnect();
  },

  async idempotent() {
    await send(`${prefix}-idempotent`, records('idempotent', 500), CompressionTypes.GZIP, { idempotent: true, maxInFlightRequests: 1 });
    assert.equal((await readAll(`${prefix}-idempotent`, 500, 'idempotent')).length, 500);
  },

  async transaction() {
    await admin.createTopics({ topics: [{ topic: txnTopic, numPartitions: 2 }] });
    const open = (transactionalId) => kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
    const producer = open(`${prefix}-id`);
    await producer.connect();
    const committed = [...records('committed', 20), ...records('copied', 20)];
    let transaction = await producer.transaction();
    await transaction.send({ topic: txnTopic, messages: records('committed', 20) });
    await transaction.commit();
    transaction = await producer.transaction();
    await transaction.send({ topic: txnTopic, messages: records('aborted', 20) });
    await transaction.abort();
    transaction = await producer.transaction();
    await transaction.send({ topic: txnTopic, messages: records('copied', 20) });
    const offsets = { consumerGroupId: `${prefix}-copy`, topics: [{ topic: logTopic, partitions: [{ partition: 0, offset: '7' }] }] };
    await transaction.sendOffsets(offsets);
    await transaction.commit();
    await producer.disconnect();
    const copied = await admin.fetchOffsets({ groupId: `${prefix}-copy`, topics: [logTopic] });
    assert.equal(copied[0].partitions.find((p) => p.partition === 0).offset, '7');
    assert.deepEqual(sorted(await readAll(txnTopic, 40, 'committed')), sorted(committed));
    const all = [...committed, ...records('aborted', 20)];
    assert.deepEqual(sorted(await readAll(txnTopic, 60, 'uncommitted', { readUncommitted: true })), sorted(all));
    const zombie = open(`${prefix}-zombie`);
    const current = open(`${prefix}-zombie`);
    await zombie.connect();
    transaction = await zombie.transaction();
    await transaction.send({ topic: txnTopic, messages: records('zombie', 1) });
    await current.connect();
    // KafkaJS takes the id at its first transaction, which waits for the old one to be aborted.
    const next = await current.transaction();
    await assert.rejects(transaction.commit(), 'a fenced producer committed');
    await next.abort();
    await zombie.disconnect();
    await current.disconnect();
  },

  async 'delete-records'() {
    const topic = `${prefix}-idempotent`;
    await admin.fetchTopicOffsets(topic); // KafkaJS looks for the leader before it asks for metadata
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] });
    const offsets = await admin.fetchTopicOffsets(topic);
    assert.equal(offsets.find((p) => p.partition === 0).low, '10');
  },

  async groups() {
    const listed = async () => (await admin.listGroups()).groups.map((g) => g.groupId);
    assert.ok((await listed()).includes(`${prefix}-group`));
    await admin.deleteGroups([`${prefix}-group`]);
    assert.ok(!(await listed()).includes(`${prefix}-group`), 'the deleted group is listed');
  },

  async 'delete-topic'() {
    await admin.deleteTopics({ topics: [`${prefix}-topic`] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes(`${prefix}-topic`));
  },
};

await admin.connect();
let failed = false;
for (const [name, step] of Object.entries(steps)) {
  const begun = Date.now();
  try {
    await step();
    console.log(`ok ${name}`);
  } catch (e) {
    failed = true;
    console.log(`${name}: ${e.message}`.replaceAll('\n', ' ').slice(0, 2000));
    console.error(e);
  }
  console.error(`${name}: ${Date.now() - begun} ms`);
}
await admin.disconnect();
process.exit(failed ? 1 : 0);
