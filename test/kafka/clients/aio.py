"""The scenario of test/kafka, played by aiokafka.

usage: aio.py BOOTSTRAP PREFIX
"""

import asyncio
import functools
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced

from steps import CODECS, PATIENCE, expect, records, run

bootstrap, prefix = sys.argv[1], sys.argv[2]
log_topic, txn_topic = prefix + "-log", prefix + "-txn"
loop = asyncio.new_event_loop()


def step(f):
    """Makes a function of the coroutine function f, so that the steps share one loop."""
    @functools.wraps(f)
    def call():
        loop.run_until_complete(f())
    return call


def producer(**more):
    return AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, **more)


def consumer(group=None, *topics, **more):
    return AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6000, heartbeat_interval_ms=500, **more)


async def send(p, topic, all_records):
    """Sends records and returns {(partition, offset): record}."""
    sent = [(await p.send(topic, value, key, timestamp_ms=timestamp, headers=headers), (key, value, headers, timestamp))
            for key, value, headers, timestamp in all_records]
    acked = {}
    for future, record in sent:
        m = await asyncio.wait_for(future, PATIENCE)
        acked[m.partition, m.offset] = record
    return acked


async def poll(c, got):
    for batch in (await c.getmany(timeout_ms=100)).values():
        for m in batch:
            got[m.partition, m.offset] = (m.key, m.value, list(m.headers), m.timestamp)
    return got


async def take(c, count):
    got = {}
    deadline = time.monotonic() + PATIENCE
    while len(got) < count and time.monotonic() < deadline:
        await poll(c, got)
    return got


async def until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        await asyncio.sleep(0.02)


async def read_all(topic, count, want, **more):
    c = consumer(**more)
    await c.start()
    c.assign([TopicPartition(topic, p) for p in range(count)])
    await c.seek_to_beginning()
    got = await take(c, want)
    await c.stop()
    return got


@step
async def auto():
    async with producer() as p:
        expect("records in an automatically created topic", len(await send(p, prefix + "-auto", records("auto", 3))), 3)


@step
async def topic():
    name = prefix + "-topic"
    await admin.create_topics([NewTopic(name, 2, 1, topic_configs={"retention.ms": "3600000"})])
    answer = await admin.create_topics([NewTopic(name, 2, 1)])
    expect("code of creating it again", answer.topic_errors[0][1], 36)
    await admin.create_partitions({name: NewPartitions(5)})

    async def five():
        return len((await admin.describe_topics([name]))[0]["partitions"]) == 5

    await until("5 partitions", five)
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": "2000"})])
    answer = (await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)]))[0]
    configs = {c[0]: c[1] for c in answer.resources[0][4]}
    # AlterConfigs, unlike its incremental successor, replaces all of them.
    expect("configs", (configs["max.message.bytes"], configs["retention.ms"]), ("2000", "604800000"))
    async with producer() as p:
        try:
            await p.send_and_wait(name, b"x" * 5000)
            raise AssertionError("a record above max.message.bytes was taken")
        except MessageSizeTooLargeError:
            pass
    expect("nodes", [n["node_id"] for n in (await admin.describe_cluster())["brokers"]], [0])


@step
async def produce():
    await admin.create_topics([NewTopic(log_topic, 3, 1)])
    acked = {}
    for codec in CODECS:
        async with producer(compression_type=None if codec == "none" else codec) as p:
            acked |= await send(p, log_topic, records(codec, 30))
    expect("records read back", await read_all(log_topic, 3, len(acked)), acked)


@step
async def timestamps():
    middle = records("none", 30)[15][3]
    first = TopicPartition(log_topic, 0)
    c = consumer()
    await c.start()
    found = (await c.offsets_for_times({first: middle}))[first]
    c.assign([first])
    c.seek(first, found.offset)
    got = await take(c, 1)
    expect("time of the record there", got[0, found.offset][3], found.timestamp)
    expect("it is not older", found.timestamp >= middle, True)
    expect("first offset", (await c.beginning_offsets([first]))[first], 0)
    expect("last offset", (await c.end_offsets([first]))[first] > 0, True)
    await c.stop()


@step
async def group():
    name = prefix + "-group"
    a, b = consumer(name, log_topic), consumer(name, log_topic)
    await a.start()
    expect("records read by one member", len(await take(a, 150)), 150)
    await a.commit()
    await b.start()
    got = {}

    async def shared():
        await poll(a, got), await poll(b, got)
        return len(a.assignment()) + len(b.assignment()) == 3 and a.assignment() and b.assignment()

    await until("both members have partitions", shared)
    answer = (await admin.describe_consumer_groups([name]))[0]
    expect("state and members", (answer.groups[0][2], len(answer.groups[0][5])), ("Stable", 2))
    p = producer()
    await p.start()
    more = await send(p, log_topic, records("second", 30))

    async def everything():
        return len(await poll(b, await poll(a, got))) >= len(more)

    await until("30 more records", everything)
    expect("what both read after the rebalance", got, more)
    for c in (a, b):
        await c.commit()
        await c.stop()
    last = await send(p, log_topic, records("third", 10))
    await p.stop()
    c = consumer(name, log_topic)
    await c.start()
    expect("what a new member reads from the committed offsets", await take(c, len(last)), last)
    await c.commit()
    await c.stop()


@step
async def idempotent():
    async with producer(enable_idempotence=True, compression_type="lz4") as p:
        expect("acknowledged", len(await send(p, prefix + "-idempotent", records("idempotent", 500))), 500)


@step
async def transaction():
    await admin.create_topics([NewTopic(txn_topic, 2, 1)])
    p = producer(transactional_id=prefix + "-id", transaction_timeout_ms=30000)
    await p.start()
    async with p.transaction():
        committed = await send(p, txn_topic, records("committed", 20))
    await p.begin_transaction()
    aborted = await send(p, txn_topic, records("aborted", 20))
    await p.abort_transaction()
    c = consumer(prefix + "-copy", log_topic)
    await c.start()
    await take(c, 10)
    async with p.transaction():
        committed |= await send(p, txn_topic, records("copied", 20))
        offsets = {tp: await c.position(tp) for tp in c.assignment()}
        await p.send_offsets_to_transaction(offsets, prefix + "-copy")
    await p.stop()

    async def copied():
        return all([await c.committed(tp) == offset for tp, offset in offsets.items()])

    await until("committed offset", copied)
    await c.stop()
    for level, want in {"read_committed": committed, "read_uncommitted": committed | aborted}.items():
        expect(level, await read_all(txn_topic, 2, len(want), isolation_level=level), want)
    zombie, current = (producer(transactional_id=prefix + "-zombie") for _ in range(2))
    await zombie.start()
    await zombie.begin_transaction()
    await send(zombie, txn_topic, records("zombie", 1))
    await current.start()
    try:
        await zombie.commit_transaction()
        raise AssertionError("a fenced producer committed")
    except ProducerFenced:
        pass
    await current.stop()
    try:
        await zombie.stop()
    except KafkaError:
        pass  # it has been fenced


@step
async def delete_records():
    name = prefix + "-idempotent"
    count = len((await admin.describe_topics([name]))[0]["partitions"])
    parts = [TopicPartition(name, p) for p in range(count)]
    await admin.delete_records({tp: RecordsToDelete(before_offset=10) for tp in parts})
    c = consumer()
    await c.start()
    expect("first offsets", await c.beginning_offsets(parts), {tp: 10 for tp in parts})
    await c.stop()


@step
async def groups():
    listed = {name for name, *_ in await admin.list_consumer_groups()}
    expect("groups", {prefix + "-group", prefix + "-copy"} <= listed, True)
    offsets = await admin.list_consumer_group_offsets(prefix + "-group")
    expect("offsets of the group", sum(o.offset for o in offsets.values()), 190)


@step
async def delete_topic():
    await admin.delete_topics([prefix + "-topic"])

    async def gone():
        return prefix + "-topic" not in await admin.list_topics()

    await until("the topic is gone", gone)


admin = None


async def connect():
    global admin
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

loop.run_until_complete(connect())
try:
    run(auto, topic, produce, timestamps, group, idempotent, transaction, delete_records, groups, delete_topic)
finally:
    loop.run_until_complete(admin.close())
