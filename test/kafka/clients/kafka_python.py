"""The scenario of test/kafka, played by kafka-python.

usage: kafka_python.py BOOTSTRAP PREFIX
"""

import sys
import time

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import MessageSizeTooLargeError, ProducerFencedError, TopicAlreadyExistsError

from steps import CODECS, PATIENCE, expect, records, run, until

bootstrap, prefix = sys.argv[1], sys.argv[2]
admin = KafkaAdminClient(bootstrap_servers=bootstrap)
log_topic, txn_topic = prefix + "-log", prefix + "-txn"


def producer(**more):
    return KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, **more)


def consumer(group=None, *topics, **more):
    return KafkaConsumer(
        *topics, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6000, **more)


def send(p, topic, all_records):
    """Sends records and returns {(partition, offset): record}."""
    sent = [(p.send(topic, value, key, headers, timestamp_ms=timestamp), (key, value, headers, timestamp))
            for key, value, headers, timestamp in all_records]
    p.flush(PATIENCE)
    acked = {}
    for future, record in sent:
        m = future.get(PATIENCE)
        acked[m.partition, m.offset] = record
    return acked


def poll(c, got):
    for batch in c.poll(200).values():
        for m in batch:
            got[m.partition, m.offset] = (m.key, m.value, list(m.headers), m.timestamp)
    return got


def take(c, count):
    got = {}
    deadline = time.monotonic() + PATIENCE
    while len(got) < count and time.monotonic() < deadline:
        poll(c, got)
    return got


def partitions(topic, count):
    return [TopicPartition(topic, p) for p in range(count)]


def from_the_beginning(topic, count, **more):
    c = consumer(**more)
    c.assign(partitions(topic, count))
    c.seek_to_beginning()
    return c


def auto():
    p = producer()
    expect("records in an automatically created topic", len(send(p, prefix + "-auto", records("auto", 3))), 3)
    p.close()


def topic():
    name = prefix + "-topic"
    admin.create_topics({name: {"num_partitions": 2, "configs": {"retention.ms": "3600000"}}})
    try:
        admin.create_topics([name])
        raise AssertionError("a topic was created twice")
    except TopicAlreadyExistsError:
        pass
    admin.create_partitions({name: 5})
    until("5 partitions", lambda: len(admin.describe_topics([name])[0]["partitions"]) == 5)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": "2000"})])
    configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])["topic"][name]
    expect("changed configs", {k: v["value"] for k, v in configs.items()}, {"retention.ms": "3600000", "max.message.bytes": "2000"})
    p = producer()
    try:
        p.send(name, b"x" * 5000).get(PATIENCE)
        raise AssertionError("a record above max.message.bytes was taken")
    except MessageSizeTooLargeError:
        pass
    p.close()
    expect("nodes", [n["broker_id"] for n in admin.describe_cluster()["brokers"]], [0])


def produce():
    admin.create_topics({log_topic: {"num_partitions": 3}})
    acked = {}
    for codec in CODECS:
        p = producer(compression_type=None if codec == "none" else codec)
        acked |= send(p, log_topic, records(codec, 30))
        p.close()
    c = from_the_beginning(log_topic, 3)
    expect("records read back", take(c, len(acked)), acked)
    c.close()


def timestamps():
    middle = records("none", 30)[15][3]
    first = TopicPartition(log_topic, 0)
    c = consumer()
    found = c.offsets_for_times({first: middle})[first]
    c.assign([first])
    c.seek(first, found.offset)
    got = take(c, 1)
    expect("time of the record there", got[0, found.offset][3], found.timestamp)
    expect("it is not older", found.timestamp >= middle, True)
    expect("first offset", c.beginning_offsets([first])[first], 0)
    expect("last offset", c.end_offsets([first])[first] > 0, True)
    c.close()


def group():
    name = prefix + "-group"
    a = consumer(name, log_topic)
    expect("records read by one member", len(take(a, 150)), 150)
    a.commit()
    b = consumer(name, log_topic)
    got = {}

    def shared():
        poll(a, got), poll(b, got)
        return len(a.assignment()) + len(b.assignment()) == 3 and a.assignment() and b.assignment()

    until("both members have partitions", shared)
    described = admin.describe_groups([name])[name]
    expect("state and members", (described["group_state"].lower(), len(described["members"])), ("stable", 2))
    p = producer()
    more = send(p, log_topic, records("second", 30))
    until("30 more records", lambda: len(poll(b, poll(a, got))) >= len(more))
    expect("what both read after the rebalance", got, more)
    for c in (a, b):
        c.commit()
        c.close()
    last = send(p, log_topic, records("third", 10))
    p.close()
    c = consumer(name, log_topic)
    expect("what a new member reads from the committed offsets", take(c, len(last)), last)
    c.commit()
    c.close()


def idempotent():
    p = producer(enable_idempotence=True, compression_type="lz4")
    expect("acknowledged", len(send(p, prefix + "-idempotent", records("idempotent", 500))), 500)
    p.close()


def transaction():
    admin.create_topics({txn_topic: {"num_partitions": 2}})
    p = producer(transactional_id=prefix + "-id", transaction_timeout_ms=30000)
    p.init_transactions()
    p.begin_transaction()
    committed = send(p, txn_topic, records("committed", 20))
    p.commit_transaction()
    p.begin_transaction()
    aborted = send(p, txn_topic, records("aborted", 20))
    p.abort_transaction()
    c = consumer(prefix + "-copy", log_topic)
    take(c, 10)
    p.begin_transaction()
    committed |= send(p, txn_topic, records("copied", 20))
    offsets = {tp: OffsetAndMetadata(c.position(tp), "copied", -1) for tp in c.assignment()}
    p.send_offsets_to_transaction(offsets, c.group_metadata())
    p.commit_transaction()
    until("committed offset", lambda: all(c.committed(tp) == o.offset for tp, o in offsets.items()))
    c.close()
    p.close()
    for level, want in {"read_committed": committed, "read_uncommitted": committed | aborted}.items():
        c = from_the_beginning(txn_topic, 2, isolation_level=level)
        expect(level, take(c, len(want)), want)
        c.close()
    zombie, current = (producer(transactional_id=prefix + "-zombie") for _ in range(2))
    zombie.init_transactions()
    zombie.begin_transaction()
    send(zombie, txn_topic, records("zombie", 1))
    current.init_transactions()
    try:
        zombie.commit_transaction()
        raise AssertionError("a fenced producer committed")
    except ProducerFencedError:
        pass
    zombie.close(timeout=1)
    current.close()


def delete_records():
    name = prefix + "-idempotent"
    parts = partitions(name, len(admin.describe_topics([name])[0]["partitions"]))
    admin.delete_records({tp: 10 for tp in parts})
    c = consumer()
    expect("first offsets", c.beginning_offsets(parts), {tp: 10 for tp in parts})
    c.close()


def groups():
    def listed():
        return {g["group_id"] for g in admin.list_groups()}

    expect("groups", {prefix + "-group", prefix + "-copy"} <= listed(), True)
    admin.delete_groups([prefix + "-group"])
    expect("the deleted group is listed", prefix + "-group" in listed(), False)


def delete_topic():
    admin.delete_topics([prefix + "-topic"])
    until("the topic is gone", lambda: prefix + "-topic" not in admin.list_topics())


run(auto, topic, produce, timestamps, group, idempotent, transaction, delete_records, groups, delete_topic)
