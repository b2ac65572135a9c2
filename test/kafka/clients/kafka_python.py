"""The scenario of test/kafka, played by kafka-python.

usage: kafka_python.py BOOTSTRAP PREFIX
"""

import sys
import threading
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
        session_timeout_ms=6000, heartbeat_interval_ms=300, **more)


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
    # Longer than a rebalance: kafka-python can lose an assignment that comes just when the time of a poll is over.
    for batch in c.poll(3000).values():
        for m in batch:
            got[m.partition, m.offset] = (m.key, m.value, list(m.headers), m.timestamp)
    return got


def take(c, count):
    got = {}
    deadline = time.monotonic() + PATIENCE
    while len(got) < count and time.monotonic() < deadline:
        poll(c, got)
    return got


class Member(threading.Thread):
    """A member of a group that reads and commits in a thread of its own until it is told to leave."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.consumer, self.got, self.leaves = consumer(name, log_topic), {}, False
        self.start()

    def run(self):
        while not self.leaves:
            before = len(self.got)
            if len(poll(self.consumer, self.got)) > before:
                self.consumer.commit()
        self.consumer.close()

    def leave(self):
        self.leaves = True
        self.join(PATIENCE)


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
    a = Member(name)
    until("150 records read by one member", lambda: len(a.got) == 150)
    b = Member(name)
    until("both members have partitions", lambda: sorted(len(m.consumer.assignment()) for m in (a, b)) == [1, 2])
    described = admin.describe_groups([name])[name]
    expect("state and members", (described["group_state"].lower(), len(described["members"])), ("stable", 2))
    p = producer()
    before = dict(a.got)
    more = send(p, log_topic, records("second", 30))
    until("30 more records", lambda: len(a.got | b.got) >= 180)
    expect("what both have read after the rebalance", a.got | b.got, before | more)
    a.leaves = b.leaves = True
    a.leave(), b.leave()
    last = send(p, log_topic, records("third", 10))
    p.close()
    c = Member(name)
    until("10 more records", lambda: len(c.got) >= 10)
    expect("what a new member reads from the committed offsets", c.got, last)
    c.leave()


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
