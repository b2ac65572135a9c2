"""An idempotent producer of librdkafka that sends NAME/0, NAME/1 ... to a partition until a line comes on its standard input,
through whatever befalls the broker meanwhile. Then it prints "sent COUNT", or the reason for which it gave up.

usage: writer.py BOOTSTRAP TOPIC PARTITION NAME
"""

import select
import sys

from confluent_kafka import Producer

bootstrap, topic, partition, name = sys.argv[1:]
failures = []
p = Producer({
    "bootstrap.servers": bootstrap, "enable.idempotence": True, "message.timeout.ms": 120000, "linger.ms": 2,
    "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 50, "retry.backoff.ms": 20, "retry.backoff.max.ms": 100, "log_level": 0,
})


def delivered(err, message):
    if err:
        failures.append(err)


count = 0
while not failures and not select.select([sys.stdin], [], [], 0.005)[0]:
    for _ in range(10):
        p.produce(topic, f"{name}/{count}".encode(), partition=int(partition), on_delivery=delivered)
        count += 1
    p.poll(0)
left = p.flush(60)
print(failures[0] if failures else f"{left} are left" if left else f"sent {count}")
