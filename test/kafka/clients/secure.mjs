// Connects KafkaJS to listeners of each security protocol, with each mechanism, with the right and a wrong password; a
// record goes out and comes back.
//
// usage: NODE_PATH=MODULES node secure.mjs CA USER PASSWORD PROTOCOL=ADDRESS...
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Kafka, logLevel } = createRequire(process.env.NODE_PATH + '/')('kafkajs');
const [ca, username, password, ...listeners] = process.argv.slice(2);
let topics = 0;

async function play(address, protocol, mechanism, secret) {
  const kafka = new Kafka({
    brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 2, initialRetryTime: 50 },
    ssl: protocol.endsWith('SSL') ? { ca: [readFileSync(ca, 'utf8')] } : false,
    sasl: mechanism && { mechanism: mechanism.toLowerCase(), username, password: secret },
  });
  const topic = `kafkajs-secure-${topics++}`;
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: 'a record' }] });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const value = await new Promise((resolve) => consumer.run({ eachMessage: async ({ message }) => resolve(String(message.value)) }));
  await consumer.disconnect();
  assert.equal(value, 'a record');
}

async function report(name, step) {
  try {
    await step();
    console.log(`ok ${name}`);
  } catch (e) {
    console.log(`${name}: ${e.name} ${e.message}`);
  }
}

for (const [protocol, address] of listeners.map((l) => l.split('='))) {
  for (const mechanism of protocol.startsWith('SASL') ? ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] : [undefined]) {
    const name = [protocol, mechanism].filter(Boolean).join(' ');
    await report(name, () => play(address, protocol, mechanism, password));
    if (mechanism) {
      await report(`${name} wrong password`, () => assert.rejects(
        play(address, protocol, mechanism, `${password}x`), { name: 'KafkaJSSASLAuthenticationError' }));
    }
  }
}
