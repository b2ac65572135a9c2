import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * A stateful application of Kafka Streams with exactly_once_v2: counts words. Each input record is a line of words; the
 * words become keys (a repartition topic), each has a counter (a store with a compacted changelog), and every change of a counter
 * is a record of the output topic. So with exactly once each word's counters come out as 1, 2, 3 ... without gap or repetition.
 *
 * <p>usage: java StreamsApp BOOTSTRAP APPLICATION INPUT OUTPUT FOLDER
 */
public final class StreamsApp {
  private StreamsApp() {}

  public static void main(String[] args) {
    Properties conf = new Properties();
    conf.putAll(Map.of(
        "bootstrap.servers", args[0], "application.id", args[1], "state.dir", args[4],
        "processing.guarantee", "exactly_once_v2", "commit.interval.ms", "100", "replication.factor", "-1",
        "num.stream.threads", "2", "statestore.cache.max.bytes", "0"));
    conf.putAll(Map.of(
        "consumer.auto.offset.reset", "earliest", "consumer.session.timeout.ms", "6000", "consumer.heartbeat.interval.ms", "500",
        "producer.transaction.timeout.ms", "10000"));
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(args[2], Consumed.with(Serdes.String(), Serdes.String()))
        .flatMap((key, line) -> java.util.Arrays.stream(line.split(" ")).map(word -> KeyValue.pair(word, "")).toList())
        .groupByKey(Grouped.with("words", Serdes.String(), Serdes.String()))
        .count(Materialized.<String, Long, org.apache.kafka.streams.state.KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]>>as("counts")
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
        .toStream()
        .mapValues(String::valueOf)
        .to(args[3], Produced.with(Serdes.String(), Serdes.String()));
    KafkaStreams streams = new KafkaStreams(builder.build(), conf);
    streams.setStateListener((now, before) -> {
      System.out.println("state " + now);
      if (now == KafkaStreams.State.ERROR) {
        Runtime.getRuntime().halt(1);
      }
    });
    streams.start(); // until it is killed
  }
}
