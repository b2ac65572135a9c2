import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The scenario of test/kafka, played by the Java clients.
 *
 * <p>usage: java Client BOOTSTRAP PREFIX
 */
public final class Client {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final long START = (System.currentTimeMillis() / 1000 - 3600) * 1000;

  private final String bootstrap;
  private final String prefix;
  private final Admin admin;
  private boolean failed;

  private record Place(int partition, long offset) {}

  private record Content(String key, String value, String headers, long time) {}

  private interface Step {
    void play() throws Exception;
  }

  private Client(String bootstrap, String prefix) {
    this.bootstrap = bootstrap;
    this.prefix = prefix;
    admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
  }

  public static void main(String[] args) {
    Client c = new Client(args[0], args[1]);
    c.run("auto", c::auto);
    c.run("topic", c::topic);
    c.run("produce", c::produce);
    c.run("timestamps", c::timestamps);
    c.run("group", c::group);
    c.run("cooperative", c::cooperative);
    c.run("static", c::staticMembers);
    c.run("idempotent", c::idempotent);
    c.run("transaction", c::transaction);
    c.run("delete-records", c::deleteRecords);
    c.run("groups", c::groups);
    c.run("delete-topic", c::deleteTopic);
    c.admin.close();
    System.exit(c.failed ? 1 : 0);
  }

  private void run(String name, Step step) {
    long begun = System.currentTimeMillis();
    try {
      step.play();
      System.out.println("ok " + name);
    } catch (Exception | AssertionError e) {
      failed = true;
      System.out.println((name + ": " + e).replace('\n', ' '));
      e.printStackTrace();
    }
    System.err.println(name + ": " + (System.currentTimeMillis() - begun) + " ms");
  }

  private static void expect(String what, Object got, Object want) {
    if (!got.equals(want)) {
      String g = got.toString();
      String w = want.toString();
      throw new AssertionError(what + ": got " + g.substring(0, Math.min(800, g.length())) + ", want " + w.substring(0, Math.min(800, w.length())));
    }
  }

  private static void until(String what, Callable<Boolean> condition) throws Exception {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.call()) {
      if (System.nanoTime() > end) {
        throw new AssertionError(what + ": not within " + PATIENCE);
      }
      Thread.sleep(20);
    }
  }

  private static <E extends Exception> void expectFailure(String what, Class<E> kind, Callable<?> call) throws Exception {
    try {
      call.call();
    } catch (ExecutionException e) {
      expect(what, e.getCause().getClass(), kind);
      return;
    }
    throw new AssertionError(what + ": it was done, want " + kind);
  }

  private static List<Content> records(String name, int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> new Content(name + "-" + i, (name + " " + i + " ").repeat(20), "codec=" + name + " n=" + i + " n=", START + 1000L * i))
        .collect(Collectors.toList());
  }

  private KafkaProducer<String, String> producer(String... more) {
    Map<String, Object> conf = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", "20"));
    put(conf, more);
    return new KafkaProducer<>(conf, new StringSerializer(), new StringSerializer());
  }

  private KafkaConsumer<String, String> consumer(String... more) {
    Map<String, Object> conf = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest",
        "enable.auto.commit", "false", "session.timeout.ms", "6000", "heartbeat.interval.ms", "300"));
    put(conf, more);
    return new KafkaConsumer<>(conf, new StringDeserializer(), new StringDeserializer());
  }

  private static void put(Map<String, Object> conf, String... more) {
    for (int i = 0; i < more.length; i += 2) {
      conf.put(more[i], more[i + 1]);
    }
  }

  private Map<Place, Content> send(KafkaProducer<String, String> p, String topic, List<Content> all) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (Content r : all) {
      List<Header> headers = Arrays.stream(r.headers.split(" "))
          .map(h -> h.split("=", 2))
          .map(h -> (Header) new RecordHeader(h[0], h[1].getBytes(StandardCharsets.UTF_8)))
          .collect(Collectors.toList());
      sent.add(p.send(new ProducerRecord<>(topic, null, r.time, r.key, r.value, headers)));
    }
    p.flush();
    Map<Place, Content> acked = new HashMap<>();
    for (int i = 0; i < all.size(); i++) {
      RecordMetadata m = sent.get(i).get();
      acked.put(new Place(m.partition(), m.offset()), all.get(i));
    }
    return acked;
  }

  private Map<Place, Content> sendOnce(String topic, List<Content> all, String... conf) throws Exception {
    try (KafkaProducer<String, String> p = producer(conf)) {
      return send(p, topic, all);
    }
  }

  private static void poll(KafkaConsumer<String, String> c, Map<Place, Content> got) {
    for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(100))) {
      String headers = Arrays.stream(r.headers().toArray())
          .map(h -> h.key() + "=" + new String(h.value(), StandardCharsets.UTF_8))
          .collect(Collectors.joining(" "));
      got.put(new Place(r.partition(), r.offset()), new Content(r.key(), r.value(), headers, r.timestamp()));
    }
  }

  private static Map<Place, Content> take(KafkaConsumer<String, String> c, int count) {
    Map<Place, Content> got = new HashMap<>();
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (got.size() < count && System.nanoTime() < end) {
      poll(c, got);
    }
    return got;
  }

  private List<TopicPartition> partitions(String topic) throws Exception {
    int count = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    return IntStream.range(0, count).mapToObj(p -> new TopicPartition(topic, p)).collect(Collectors.toList());
  }

  private Map<Place, Content> readAll(String topic, int count, String... conf) throws Exception {
    try (KafkaConsumer<String, String> c = consumer(conf)) {
      c.assign(partitions(topic));
      c.seekToBeginning(c.assignment());
      return take(c, count);
    }
  }

  private void create(String topic, int count) throws Exception {
    admin.createTopics(List.of(new NewTopic(topic, count, (short) 1))).all().get();
  }

  private void auto() throws Exception {
    expect("records in an automatically created topic", sendOnce(prefix + "-auto", records("auto", 3)).size(), 3);
  }

  private void topic() throws Exception {
    String name = prefix + "-topic";
    NewTopic made = new NewTopic(name, 2, (short) 3).configs(Map.of("retention.ms", "3600000"));
    expect("replication factor", admin.createTopics(List.of(made)).replicationFactor(name).get(), 3);
    expectFailure("creating it again", TopicExistsException.class, () -> admin.createTopics(List.of(made)).all().get());
    admin.createPartitions(Map.of(name, NewPartitions.increaseTo(5))).all().get();
    expect("partitions", partitions(name).size(), 5);
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
    AlterConfigOp set = new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000"), AlterConfigOp.OpType.SET);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
    var configs = admin.describeConfigs(List.of(resource)).all().get().get(resource);
    expect("max.message.bytes", configs.get("max.message.bytes").value(), "2000");
    expect("retention.ms", configs.get("retention.ms").value(), "3600000");
    expect("source of retention.ms", configs.get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG);
    expect("cleanup.policy", configs.get("cleanup.policy").value(), "delete");
    try (KafkaProducer<String, String> p = producer()) {
      expectFailure("a record above max.message.bytes", RecordTooLargeException.class, () -> p.send(new ProducerRecord<>(name, "x".repeat(5000))).get());
    }
    expect("nodes", admin.describeCluster().nodes().get().stream().map(n -> n.id()).toList(), List.of(0));
  }

  private void produce() throws Exception {
    String topic = prefix + "-log";
    create(topic, 3);
    Map<Place, Content> acked = new HashMap<>();
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      acked.putAll(sendOnce(topic, records(codec, 30), "compression.type", codec));
    }
    expect("records read back", readAll(topic, acked.size()), acked);
  }

  private void timestamps() throws Exception {
    String topic = prefix + "-log";
    long middle = START + 15_000;
    Map<Place, Content> all = readAll(topic, 150);
    try (KafkaConsumer<String, String> c = consumer()) {
      Map<TopicPartition, Long> asked = partitions(topic).stream().collect(Collectors.toMap(tp -> tp, tp -> middle));
      for (Map.Entry<TopicPartition, OffsetAndTimestamp> e : c.offsetsForTimes(asked).entrySet()) {
        long want = all.entrySet().stream()
            .filter(r -> r.getKey().partition == e.getKey().partition() && r.getValue().time >= middle)
            .mapToLong(r -> r.getKey().offset).min().orElseThrow();
        expect("offset of " + e.getKey() + " for a time", e.getValue().offset(), want);
      }
      Map<TopicPartition, ListOffsetsResult.ListOffsetsResultInfo> latest = admin.listOffsets(
          partitions(topic).stream().collect(Collectors.toMap(tp -> tp, tp -> OffsetSpec.maxTimestamp()))).all().get();
      for (var e : latest.entrySet()) {
        long want = all.entrySet().stream().filter(r -> r.getKey().partition == e.getKey().partition()).mapToLong(r -> r.getValue().time).max().orElseThrow();
        expect("greatest time of " + e.getKey(), e.getValue().timestamp(), want);
      }
      Map<TopicPartition, Long> ends = c.endOffsets(partitions(topic));
      expect("sum of the ends", ends.values().stream().mapToLong(Long::longValue).sum(), 150L);
    }
  }

  /** Two members share, both leave, a third goes on from what was committed. */
  private void sharing(String group, String... conf) throws Exception {
    String topic = prefix + "-" + group;
    create(topic, 3);
    Map<Place, Content> first = sendOnce(topic, records("first", 60));
    String[] all = Arrays.copyOf(conf, conf.length + 2);
    all[conf.length] = "group.id";
    all[conf.length + 1] = prefix + "-" + group;
    KafkaConsumer<String, String> a = consumer(all);
    KafkaConsumer<String, String> b = consumer(all);
    a.subscribe(List.of(topic));
    expect("what one member reads", take(a, 60), first);
    a.commitSync();
    b.subscribe(List.of(topic));
    Map<Place, Content> got = new HashMap<>();
    until("both members have partitions", () -> {
      poll(a, got);
      poll(b, got);
      return a.assignment().size() + b.assignment().size() == 3 && !a.assignment().isEmpty() && !b.assignment().isEmpty();
    });
    var described = admin.describeConsumerGroups(List.of(prefix + "-" + group)).all().get().get(prefix + "-" + group);
    expect("state", described.groupState().toString(), "Stable");
    expect("members", described.members().size(), 2);
    Map<Place, Content> more = sendOnce(topic, records("second", 30));
    until("30 more records", () -> {
      poll(a, got);
      poll(b, got);
      return got.size() >= more.size();
    });
    expect("what both read after the rebalance", got, more);
    a.commitSync();
    b.commitSync();
    a.close();
    b.close();
    Map<Place, Content> last = sendOnce(topic, records("third", 10));
    try (KafkaConsumer<String, String> c = consumer(all)) {
      c.subscribe(List.of(topic));
      expect("what a new member reads from the committed offsets", take(c, 10), last);
      c.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(3, "a note")));
    }
    var offsets = admin.listConsumerGroupOffsets(prefix + "-" + group).partitionsToOffsetAndMetadata().get();
    expect("committed offset and its note", offsets.get(new TopicPartition(topic, 0)).toString(), new OffsetAndMetadata(3, "a note").toString());
  }

  private void group() throws Exception {
    sharing("group");
  }

  private void cooperative() throws Exception {
    sharing("cooperative", "partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
  }

  /** A static member that returns within its session gets its partitions back without a rebalance of the other. */
  private void staticMembers() throws Exception {
    String topic = prefix + "-static";
    create(topic, 4);
    String group = prefix + "-static";
    KafkaConsumer<String, String> a = consumer("group.id", group, "group.instance.id", "a");
    KafkaConsumer<String, String> b = consumer("group.id", group, "group.instance.id", "b");
    Map<Place, Content> got = new HashMap<>();
    a.subscribe(List.of(topic));
    b.subscribe(List.of(topic));
    until("both members have partitions", () -> {
      poll(a, got);
      poll(b, got);
      return a.assignment().size() == 2 && b.assignment().size() == 2;
    });
    int generation = a.groupMetadata().generationId();
    Collection<TopicPartition> held = Set.copyOf(b.assignment());
    b.close(); // a static member does not leave
    try (KafkaConsumer<String, String> again = consumer("group.id", group, "group.instance.id", "b")) {
      again.subscribe(List.of(topic));
      until("the member is back", () -> {
        poll(a, got);
        poll(again, got);
        return !again.assignment().isEmpty();
      });
      expect("partitions of the member that returned", again.assignment(), held);
      expect("generation", a.groupMetadata().generationId(), generation);
    }
    a.close();
  }

  private void idempotent() throws Exception {
    expect("acknowledged", sendOnce(prefix + "-idempotent", records("idempotent", 500), "compression.type", "lz4").size(), 500);
  }

  private void transaction() throws Exception {
    String topic = prefix + "-txn";
    String copy = prefix + "-copy";
    create(topic, 2);
    Map<Place, Content> committed = new HashMap<>();
    Map<Place, Content> all = new HashMap<>();
    try (KafkaProducer<String, String> p = producer("transactional.id", prefix + "-id");
        KafkaConsumer<String, String> c = consumer("group.id", copy)) {
      p.initTransactions();
      p.beginTransaction();
      committed.putAll(send(p, topic, records("committed", 20)));
      p.commitTransaction();
      p.beginTransaction();
      all.putAll(send(p, topic, records("aborted", 20)));
      p.abortTransaction();
      p.beginTransaction(); // nothing in it
      p.commitTransaction();
      c.subscribe(List.of(prefix + "-log"));
      take(c, 150);
      Map<TopicPartition, OffsetAndMetadata> offsets = c.assignment().stream().collect(Collectors.toMap(tp -> tp, tp -> new OffsetAndMetadata(c.position(tp))));
      p.beginTransaction();
      committed.putAll(send(p, topic, records("copied", 20)));
      p.sendOffsetsToTransaction(offsets, c.groupMetadata());
      expect("offsets before the commit", admin.listConsumerGroupOffsets(copy).partitionsToOffsetAndMetadata().get().size(), 0);
      p.commitTransaction();
      until("offsets", () -> c.committed(c.assignment()).equals(offsets));
    }
    all.putAll(committed);
    expect("read_committed", readAll(topic, committed.size(), "isolation.level", "read_committed"), committed);
    expect("read_uncommitted", readAll(topic, all.size(), "isolation.level", "read_uncommitted"), all);
    KafkaProducer<String, String> zombie = producer("transactional.id", prefix + "-zombie");
    zombie.initTransactions();
    zombie.beginTransaction();
    send(zombie, topic, records("zombie", 1));
    try (KafkaProducer<String, String> current = producer("transactional.id", prefix + "-zombie")) {
      current.initTransactions();
    }
    try {
      zombie.commitTransaction();
      throw new AssertionError("a fenced producer committed");
    } catch (ProducerFencedException | InvalidProducerEpochException e) {
      zombie.close(Duration.ZERO);
    }
  }

  private void deleteRecords() throws Exception {
    String topic = prefix + "-idempotent";
    List<TopicPartition> parts = partitions(topic);
    admin.deleteRecords(parts.stream().collect(Collectors.toMap(tp -> tp, tp -> RecordsToDelete.beforeOffset(10)))).all().get();
    var first = admin.listOffsets(parts.stream().collect(Collectors.toMap(tp -> tp, tp -> OffsetSpec.earliest()))).all().get();
    expect("first offsets", first.values().stream().map(ListOffsetsResult.ListOffsetsResultInfo::offset).toList(), Collections.nCopies(parts.size(), 10L));
  }

  private Set<String> listedGroups() throws Exception {
    return admin.listGroups().all().get().stream().map(g -> g.groupId()).collect(Collectors.toSet());
  }

  private void groups() throws Exception {
    expect("groups are listed", listedGroups().containsAll(List.of(prefix + "-group", prefix + "-copy")), true);
    admin.deleteConsumerGroups(List.of(prefix + "-group")).all().get();
    expect("the deleted group is listed", listedGroups().contains(prefix + "-group"), false);
  }

  private void deleteTopic() throws Exception {
    admin.deleteTopics(List.of(prefix + "-topic")).all().get();
    expect("the deleted topic is listed", admin.listTopics().names().get().contains(prefix + "-topic"), false);
  }
}
