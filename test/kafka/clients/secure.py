"""Connects librdkafka, kafka-python and aiokafka to listeners of each security protocol, with each mechanism, with the
right and a wrong password; a record goes out and comes back.

usage: secure.py CLIENT CA USER PASSWORD PROTOCOL=ADDRESS...
"""

import asyncio
import ssl
import sys
import uuid

from steps import PATIENCE, expect

client, ca, user, password = sys.argv[1:5]
listeners = dict(a.split("=") for a in sys.argv[5:])
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
REFUSED = "refused"


def librdkafka(address, protocol, mechanism, secret, topic, value):
    from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
    refusals = []

    def note(e):
        if e.code() == KafkaError._AUTHENTICATION:
            refusals.append(e)

    conf = {"bootstrap.servers": address, "security.protocol": protocol, "ssl.ca.location": ca, "error_cb": note}
    if mechanism:
        conf |= {"sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": secret}
    p = Producer(conf | {"logger": quiet()})
    p.produce(topic, value)
    for _ in range(PATIENCE * 10):
        if refusals:
            p.purge()
            return REFUSED
        if p.flush(0.1) == 0:
            break
    c = Consumer(conf | {"group.id": topic, "logger": quiet()})
    c.assign([TopicPartition(topic, 0, 0)])
    m = c.poll(PATIENCE)
    c.close()
    return m.value()


def quiet():
    import logging
    log = logging.getLogger("librdkafka")
    log.setLevel(logging.CRITICAL)
    return log


def kafka_python(address, protocol, mechanism, secret, topic, value):
    import io
    import logging
    from kafka import KafkaConsumer, KafkaProducer
    from kafka.errors import KafkaTimeoutError
    log, written = logging.getLogger("kafka"), io.StringIO()
    log.handlers, log.propagate = [logging.StreamHandler(written)], False
    conf = {"bootstrap_servers": address, "security_protocol": protocol, "ssl_cafile": ca}
    if mechanism:
        conf |= {"sasl_mechanism": mechanism, "sasl_plain_username": user, "sasl_plain_password": secret}
    try:
        p = KafkaProducer(bootstrap_timeout_ms=1000 if secret != password else PATIENCE * 1000, **conf)
        p.send(topic, value).get(PATIENCE)
        p.close()
    except KafkaTimeoutError:  # it tries again until its time is over, and only its log says why
        return REFUSED if "SaslAuthenticationFailedError" in written.getvalue() else written.getvalue()
    c = KafkaConsumer(topic, auto_offset_reset="earliest", **conf)
    m = next(iter(c))
    c.close()
    return m.value


def aiokafka(address, protocol, mechanism, secret, topic, value):
    import logging
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    conf = {"bootstrap_servers": address, "security_protocol": protocol}
    if protocol.endswith("SSL"):
        conf["ssl_context"] = ssl.create_default_context(cafile=ca)
    if mechanism:
        conf |= {"sasl_mechanism": mechanism, "sasl_plain_username": user, "sasl_plain_password": secret}

    async def play():
        p = AIOKafkaProducer(**conf)
        try:
            await p.start()
        except (KafkaConnectionError, SaslAuthenticationFailed):
            await p.stop()
            return REFUSED
        await p.send_and_wait(topic, value)
        await p.stop()
        c = AIOKafkaConsumer(topic, auto_offset_reset="earliest", **conf)
        await c.start()
        m = await c.getone()
        await c.stop()
        return m.value

    return asyncio.run(asyncio.wait_for(play(), PATIENCE))


play = {"librdkafka": librdkafka, "kafka-python": kafka_python, "aiokafka": aiokafka}[client]
for protocol, address in listeners.items():
    for mechanism in MECHANISMS if protocol.startswith("SASL") else [None]:
        secrets = {password: b"a record", password + "x": REFUSED} if mechanism else {"": b"a record"}
        for secret, want in secrets.items():
            name = " ".join(filter(None, [protocol, mechanism, "wrong password" if want == REFUSED else ""]))
            try:
                got = play(address, protocol, mechanism, secret, f"{client}-{uuid.uuid4()}", b"a record")
                expect(name, got, want)
                print("ok", name, flush=True)
            except Exception as e:  # the others are still of interest
                print(f"{name}: {type(e).__name__} {e}", flush=True)
