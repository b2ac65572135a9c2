import com.google.common.util.concurrent.ListenableFuture;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

/**
 * The Kinesis Producer Library with its native daemon, unchanged from Maven, over TLS: puts records of many keys and waits
 * until all are acknowledged.
 *
 * <p>Arguments: host, port, stream, file with the certificate of the authority, folder for the daemon and for the file
 * {@code acknowledged}, number of keys, records for each key. Record i of key k is the text {@code k/i/}, padded; a line of the
 * file is {@code k/i SHARD SEQUENCENUMBER}. Prints {@code ok produce}, or {@code FAILED produce: reason} and exits 1.
 */
public final class Producer {
    /** More records than this are not handed to the daemon before it has acknowledged some. */
    private static final int OUTSTANDING_MAX = 2000;

    public static void main(String[] args) throws Exception {
        KinesisProducerConfiguration config = new KinesisProducerConfiguration()
            .setKinesisEndpoint(args[0]).setKinesisPort(Long.parseLong(args[1]))
            .setCloudwatchEndpoint(args[0]).setCloudwatchPort(Long.parseLong(args[1]))
            .setCaCertFile(args[3]).setVerifyCertificate(true)
            .setRegion(System.getenv("AWS_REGION")).setCredentialsProvider(EnvironmentVariableCredentialsProvider.create())
            .setAggregationEnabled(true).setRecordMaxBufferedTime(50)
            .setMetricsLevel("detailed").setMetricsGranularity("stream").setMetricsNamespace("Producer").setMetricsUploadDelay(1000)
            .setTempDirectory(args[4]);
        KinesisProducer producer = new KinesisProducer(config);
        int keys = Integer.parseInt(args[5]);
        int each = Integer.parseInt(args[6]);
        Map<String, ListenableFuture<UserRecordResult>> answers = new LinkedHashMap<>();
        for (int i = 0; i < each; i++) {
            for (int k = 0; k < keys; k++) {
                while (producer.getOutstandingRecordsCount() >= OUTSTANDING_MAX) {
                    Thread.sleep(1);
                }
                String name = k + "/" + i;
                byte[] data = (name + "/" + ".".repeat((k * 31 + i) % 200)).getBytes(StandardCharsets.UTF_8);
                answers.put(name, producer.addUserRecord(args[2], "schlüssel-" + k, ByteBuffer.wrap(data)));
            }
        }
        producer.flush();
        StringBuilder acknowledged = new StringBuilder();
        for (var answer : answers.entrySet()) {
            UserRecordResult result = answer.getValue().get();
            if (!result.isSuccessful() || result.getAttempts().size() != 1) {
                System.out.println("FAILED produce: " + result.getAttempts());
                System.exit(1);
            }
            acknowledged.append(answer.getKey()).append(' ').append(result.getShardId()).append(' ').append(result.getSequenceNumber()).append('\n');
        }
        Files.writeString(Path.of(args[4], "acknowledged"), acknowledged);
        producer.destroy();
        System.out.println("ok produce");
        System.exit(0);
    }
}
