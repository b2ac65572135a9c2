import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * An idempotent producer that sends NAME/0, NAME/1 ... to a partition until its standard input ends, through whatever befalls the
 * broker meanwhile. Then it prints "sent COUNT", or the reason for which it gave up.
 *
 * <p>usage: java Writer BOOTSTRAP TOPIC PARTITION NAME
 */
public final class Writer {
  private Writer() {}

  public static void main(String[] args) throws Exception {
    AtomicReference<Exception> failure = new AtomicReference<>();
    int count = 0;
    Map<String, Object> conf = Map.of("bootstrap.servers", args[0], "delivery.timeout.ms", "120000", "reconnect.backoff.max.ms", "50",
        "retry.backoff.max.ms", "50", "max.block.ms", "60000");
    try (KafkaProducer<String, String> p = new KafkaProducer<>(conf, new StringSerializer(), new StringSerializer())) {
      while (System.in.available() == 0 && failure.get() == null) { // a line ends it
        for (int i = 0; i < 10; i++) {
          p.send(new ProducerRecord<>(args[1], Integer.valueOf(args[2]), null, args[3] + "/" + count++), (m, e) -> {
            if (e != null) {
              failure.compareAndSet(null, e);
            }
          });
        }
        Thread.sleep(5);
      }
    }
    System.out.println(failure.get() == null ? "sent " + count : failure.get().toString());
  }
}
