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
import software.amazon.kinesis.lifecycle.events.*;
import software.amazon.kinesis.processor.ShardRecordProcessor;
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
public final class Consumer implements ShardRecordProcessor {
    private final Worker worker;
    private String shard;

    private Consumer(Worker worker) {
        this.worker = worker;
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

    @Override
    public void initialize(InitializationInput in) {
        shard = in.shardId();
    }

    @Override
    public void processRecords(ProcessRecordsInput in) {
        if (in.records().isEmpty()) {
            return;
        }
        StringBuilder lines = new StringBuilder();
        for (KinesisClientRecord r : in.records()) {
            String[] data = StandardCharsets.UTF_8.decode(r.data()).toString().split("/", 3);
            lines.append(worker.name).append(' ').append(shard).append(' ').append(r.partitionKey()).append(' ')
                .append(data[0]).append('/').append(data[1]).append('\n');
        }
        worker.write(lines);
        worker.checkpoint(in.checkpointer());
    }

    @Override
    public void leaseLost(LeaseLostInput in) {}

    @Override
    public void shardEnded(ShardEndedInput in) {
        worker.ended(shard, in.checkpointer());
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput in) {
        worker.checkpoint(in.checkpointer());
    }
}
