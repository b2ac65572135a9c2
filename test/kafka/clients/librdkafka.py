"""The scenario of test/kafka, played by librdkafka through confluent-kafka.

usage: librdkafka.py BOOTSTRAP PREFIX
"""

import sys
import time

from confluent_kafka import (
    Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition, OFFSET_BEGINNING,
)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
)

from steps import CODECS, PATIENCE, expect, records, run, until

bootstrap, prefix = sys.argv[1], sys.argv[2]
admin = AdminClient({"bootstrap.servers": bootstrap})
log_topic, txn_topic = prefix + "-log", prefix + "-txn"


def producer(**more):
    return Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, **{k.replace("_", "."): v for k, v in more.items()}})


def consumer(group, **more):
    return Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "session.timeout.ms": 6000, **{k.replace("_", "."): v for k, v in more.items()},
    })


def send(p, topic, all_records):
    """Sends records and returns {(partition, offset): record} of what was acknowledged."""
    acked, failed = {}, []

    def delivered(record):
        def call(err, msg):
            if err:
                failed.append(err)
            else:
                acked[msg.partition(), msg.offset()] = record
        return call

    for key, value, headers, timestamp in all_records:
        p.produce(topic, value, key, headers=headers, timestamp=timestamp, on_delivery=delivered((key, value, headers, timestamp)))
    expect("unsent records", p.flush(PATIENCE), 0)
    expect("failed deliveries", failed, [])
    return acked


def take(c, count):
    """Reads count records as {(partition, offset): record}."""
    got = {}
    deadline = time.monotonic() + PATIENCE
    while len(got) < count and time.monotonic() < deadline:
        for m in c.consume(500, 0.2):
            if m.error():
                raise KafkaException(m.error())
            got[m.partition(), m.offset()] = (m.key(), m.value(), m.headers() or [], m.timestamp()[1])
    return got


def wait(futures):
    return {name: f.result(PATIENCE) for name, f in futures.items()}


def auto():
    acked = send(producer(), prefix + "-auto", records("auto", 3))
    expect("records in an automatically created topic", len(acked), 3)


def topic():
    name = prefix + "-topic"
    wait(admin.create_topics([NewTopic(name, 2, 1, config={"retention.ms": "3600000"})]))
    try:
        wait(admin.create_topics([NewTopic(name, 2, 1)]))
        raise AssertionError("a topic was created twice")
    except KafkaException as e:
        expect("creating it again", e.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS)
    wait(admin.create_partitions([NewPartitions(name, 5)]))
    until("5 partitions", lambda: len(admin.list_topics(name).topics[name].partitions) == 5)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    entry = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    wait(admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])]))
    configs = wait(admin.describe_configs([resource]))[resource]
    expect("configs", {k: configs[k].value for k in ("retention.ms", "max.message.bytes", "cleanup.policy")},
           {"retention.ms": "3600000", "max.message.bytes": "2000", "cleanup.policy": "delete"})
    errors = []
    p = producer()
    p.produce(name, b"x" * 5000, on_delivery=lambda err, msg: errors.append(err and err.code()))
    p.flush(PATIENCE)
    expect("a record above max.message.bytes", errors, [KafkaError.MSG_SIZE_TOO_LARGE])
    cluster = admin.describe_cluster().result(PATIENCE)
    expect("nodes", [n.id for n in cluster.nodes], [0])


def produce():
    wait(admin.create_topics([NewTopic(log_topic, 3, 1)]))
    acked = {}
    for codec in CODECS:
        acked |= send(producer(compression_type=codec), log_topic, records(codec, 30))
    c = consumer(prefix + "-reader")
    c.assign([TopicPartition(log_topic, p, OFFSET_BEGINNING) for p in range(3)])
    expect("records read back", take(c, len(acked)), acked)
    c.close()


def timestamps():
    _, _, _, middle = records("none", 30)[15]
    found = admin.list_offsets({TopicPartition(log_topic, 0): OffsetSpec.for_timestamp(middle)})
    c = consumer(prefix + "-reader")
    want = c.offsets_for_times([TopicPartition(log_topic, 0, middle)], timeout=PATIENCE)[0].offset
    expect("offset for a time", wait(found)[TopicPartition(log_topic, 0)].offset, want)
    c.assign([TopicPartition(log_topic, 0, want)])
    (_, _, _, timestamp) = next(iter(take(c, 1).values()))
    expect("first record from there is not older", timestamp >= middle, True)
    low, high = c.get_watermark_offsets(TopicPartition(log_topic, 0), timeout=PATIENCE)
    expect("watermarks", (low, high > 0), (0, True))
    c.close()


def group():
    name = prefix + "-group"
    a, b = consumer(name), consumer(name)
    a.subscribe([log_topic])
    first = take(a, 150)
    expect("records read by one member", len(first), 150)
    a.commit(asynchronous=False)
    b.subscribe([log_topic])

    def shared():
        a.poll(0.1), b.poll(0.1)
        return len(a.assignment()) + len(b.assignment()) == 3 and a.assignment() and b.assignment()

    until("both members have partitions", shared)
    described = wait(admin.describe_consumer_groups([name]))[name]
    expect("state and members", (described.state.name, len(described.members)), ("STABLE", 2))
    more = send(producer(), log_topic, records("second", 30))
    got = {}

    def everything():
        for c in (a, b):
            for m in c.consume(100, 0.1):
                expect("error", m.error(), None)
                got[m.partition(), m.offset()] = (m.key(), m.value(), m.headers() or [], m.timestamp()[1])
        return len(got) >= len(more)

    until("30 more records", everything)
    expect("what both read after the rebalance", got, more)
    for c in (a, b):
        c.commit(asynchronous=False)
        c.close()
    c = consumer(name)
    c.subscribe([log_topic])
    last = send(producer(), log_topic, records("third", 10))
    expect("what a new member reads from the committed offsets", take(c, len(last)), last)
    c.commit(asynchronous=False)
    c.close()


def idempotent():
    acked = send(producer(enable_idempotence=True, compression_type="lz4"), prefix + "-idempotent", records("idempotent", 500))
    expect("acknowledged", len(acked), 500)


def transaction():
    wait(admin.create_topics([NewTopic(txn_topic, 2, 1)]))
    p = producer(transactional_id=prefix + "-id", transaction_timeout_ms=30000)
    p.init_transactions(PATIENCE)
    p.begin_transaction()
    committed = send(p, txn_topic, records("committed", 20))
    p.commit_transaction(PATIENCE)
    p.begin_transaction()
    aborted = send(p, txn_topic, records("aborted", 20))
    p.abort_transaction(PATIENCE)
    p.begin_transaction()
    c = consumer(prefix + "-copy")
    c.subscribe([log_topic])
    take(c, 10)
    committed |= send(p, txn_topic, records("copied", 20))
    p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), PATIENCE)
    p.commit_transaction(PATIENCE)
    c.close()
    for level, want in {"read_committed": committed, "read_uncommitted": committed | aborted}.items():
        c = consumer(prefix + "-" + level, isolation_level=level)
        c.assign([TopicPartition(txn_topic, i, OFFSET_BEGINNING) for i in range(2)])
        expect(level, take(c, len(want)), want)
        c.close()
    offsets = wait(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(prefix + "-copy")]))[prefix + "-copy"]
    expect("offsets committed in the transaction", sum(p.offset for p in offsets.topic_partitions if p.offset > 0) > 0, True)
    zombie, current = producer(transactional_id=prefix + "-zombie"), producer(transactional_id=prefix + "-zombie")
    zombie.init_transactions(PATIENCE)
    zombie.begin_transaction()
    zombie.produce(txn_topic, b"zombie", b"zombie")
    zombie.flush(PATIENCE)
    current.init_transactions(PATIENCE)
    try:
        zombie.commit_transaction(PATIENCE)
        raise AssertionError("a fenced producer committed")
    except KafkaException as e:
        expect("a fenced producer's error is fatal", (e.args[0].fatal(), e.args[0].code()), (True, KafkaError._FENCED))


def delete_records():
    name = prefix + "-idempotent"
    before = admin.list_topics(name).topics[name].partitions
    wait(admin.delete_records([TopicPartition(name, p, 10) for p in before]))
    for p in before:
        low = wait(admin.list_offsets({TopicPartition(name, p): OffsetSpec.earliest()}))
        expect("first offset of partition %d" % p, next(iter(low.values())).offset, 10)


def groups():
    listed = {g.group_id for g in admin.list_consumer_groups().result(PATIENCE).valid}
    expect("groups", {prefix + "-group", prefix + "-copy"} <= listed, True)
    wait(admin.delete_consumer_groups([prefix + "-group"]))
    listed = {g.group_id for g in admin.list_consumer_groups().result(PATIENCE).valid}
    expect("the deleted group is listed", prefix + "-group" in listed, False)


def delete_topic():
    wait(admin.delete_topics([prefix + "-topic"]))
    until("the topic is gone", lambda: prefix + "-topic" not in admin.list_topics().topics)


run(auto, topic, produce, timestamps, group, idempotent, transaction, delete_records, groups, delete_topic)
