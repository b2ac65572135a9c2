import java.net.URI;
import java.nio.charset.StandardCharsets;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.RetrievalSpecificConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of the Kinesis Client Library, unchanged from Maven, whose leases, checkpoints and metrics are kept by the same
 * server. It ends politely on SIGTERM.
 *
 * <p>Arguments: endpoint, stream, application, {@code polling} or {@code fanout}, worker, file. Each record becomes a line
 * {@code WORKER SHARD KEY DATA} of the file, data up to its second slash, before its checkpoint; a shard that ended a line {@code
 * WORKER SHARD ended}. Several workers may share the file: lines are in the order in which they were processed.
 */
public final class Consumer extends Processor {
    private Consumer(Worker worker) {
        super(worker);
    }

    public static void main(String[] args) throws Exception {
        URI endpoint = URI.create(args[0]);
        String stream = args[1];
        String application = args[2];
        Worker worker = new Worker(args[4], args[5]);
        KinesisAsyncClient kinesis = KinesisClientUtil.createKinesisAsyncClient(KinesisAsyncClient.builder().endpointOverride(endpoint));
        DynamoDbAsyncClient dynamodb = DynamoDbAsyncClient.builder().endpointOverride(endpoint).build();
        CloudWatchAsyncClient cloudwatch = CloudWatchAsyncClient.builder().endpointOverride(endpoint).build();
        ConfigsBuilder configs = new ConfigsBuilder(
            new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
            application, kinesis, dynamodb, cloudwatch, worker.name, () -> new Consumer(worker));
        RetrievalSpecificConfig specific = args[3].equals("fanout")
            ? new FanOutConfig(kinesis).streamName(stream).applicationName(application).retryBackoffMillis(200)
            : new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(200);
        LeaseManagementConfig leases = worker.leases(configs) // whose lead would be taken over after two minutes
            .dynamoDbLockBasedLeaderLeaseDurationInMillis(5000).dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(1000);
        worker.run(new Scheduler(configs.checkpointConfig(), worker.coordinator(configs), leases, configs.lifecycleConfig(),
            worker.metrics(configs), configs.processorConfig(), configs.retrievalConfig().retrievalSpecificConfig(specific)));
    }

    private static String text(KinesisClientRecord r) {
        String[] data = StandardCharsets.UTF_8.decode(r.data()).toString().split("/", 3);
        return r.partitionKey() + " " + data[0] + "/" + data[1];
    }

    @Override
    public void processRecords(ProcessRecordsInput in) {
        process(in.records(), Consumer::text, in.checkpointer());
    }
}
