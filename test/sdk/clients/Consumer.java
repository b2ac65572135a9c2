import java.io.FileOutputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.*;
import software.amazon.kinesis.metrics.MetricsLevel;
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
 * <p>Arguments: endpoint, stream, application, worker, {@code polling} or {@code fanout}, file. Each record becomes a line
 * {@code WORKER SHARD KEY DATA} of the file, data up to its second slash, before its checkpoint; a shard that ended a line {@code
 * WORKER SHARD ended}. Several workers may share the file: lines are in the order in which they were processed.
 */
public final class Consumer {
    private final String worker;
    private final OutputStream out;

    private Consumer(String worker, String file) throws Exception {
        this.worker = worker;
        out = new FileOutputStream(file, true);
    }

    public static void main(String[] args) throws Exception {
        URI endpoint = URI.create(args[0]);
        String stream = args[1];
        String application = args[2];
        Consumer consumer = new Consumer(args[3], args[5]);
        KinesisAsyncClient kinesis = KinesisClientUtil.createKinesisAsyncClient(KinesisAsyncClient.builder().endpointOverride(endpoint));
        DynamoDbAsyncClient dynamodb = DynamoDbAsyncClient.builder().endpointOverride(endpoint).build();
        CloudWatchAsyncClient cloudwatch = CloudWatchAsyncClient.builder().endpointOverride(endpoint).build();
        ConfigsBuilder configs = new ConfigsBuilder(
            new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
            application, kinesis, dynamodb, cloudwatch, args[3], consumer::processor);
        // The library's own intervals: a lease is taken over after 10 s, the lead after two minutes, shards are looked for each minute.
        var leases = configs.leaseManagementConfig().failoverTimeMillis(3000).leaseAssignmentIntervalMillis(1000L)
            .shardSyncIntervalMillis(2000).leasesRecoveryAuditorExecutionFrequencyMillis(2000)
            .dynamoDbLockBasedLeaderLeaseDurationInMillis(5000).dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(1000);
        leases.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(1000).inMemoryWorkerMetricsCaptureFrequencyMillis(500);
        var coordinator = configs.coordinatorConfig().parentShardPollIntervalMillis(500).shardConsumerDispatchPollIntervalMillis(100)
            .schedulerInitializationBackoffTimeMillis(200);
        RetrievalSpecificConfig specific = args[4].equals("fanout")
            ? new FanOutConfig(kinesis).streamName(stream).applicationName(application).retryBackoffMillis(200)
            : new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(200);
        Scheduler scheduler = new Scheduler(configs.checkpointConfig(), coordinator, leases, configs.lifecycleConfig(),
            configs.metricsConfig().metricsLevel(MetricsLevel.DETAILED).metricsBufferTimeMillis(1000), configs.processorConfig(),
            configs.retrievalConfig().retrievalSpecificConfig(specific));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            boolean ended = false;
            try {
                ended = scheduler.startGracefulShutdown().get(20, TimeUnit.SECONDS);
            } catch (Exception e) {
                e.printStackTrace();
            }
            Runtime.getRuntime().halt(ended ? 0 : 1);
        }));
        scheduler.run();
    }

    private synchronized void write(StringBuilder lines) {
        try {
            out.write(lines.toString().getBytes(StandardCharsets.UTF_8));
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private ShardRecordProcessor processor() {
        return new ShardRecordProcessor() {
            private String shard;

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
                    lines.append(worker).append(' ').append(shard).append(' ').append(r.partitionKey()).append(' ')
                        .append(data[0]).append('/').append(data[1]).append('\n');
                }
                write(lines);
                try {
                    in.checkpointer().checkpoint();
                } catch (ShutdownException | InvalidStateException e) {
                    System.err.println("no checkpoint: " + e); // the lease went to another worker
                }
            }

            @Override
            public void leaseLost(LeaseLostInput in) {}

            @Override
            public void shardEnded(ShardEndedInput in) {
                write(new StringBuilder(worker + " " + shard + " ended\n"));
                try {
                    in.checkpointer().checkpoint();
                } catch (ShutdownException | InvalidStateException e) {
                    throw new IllegalStateException(e);
                }
            }

            @Override
            public void shutdownRequested(ShutdownRequestedInput in) {
                try {
                    in.checkpointer().checkpoint();
                } catch (ShutdownException | InvalidStateException e) {
                    System.err.println("no checkpoint: " + e);
                }
            }
        };
    }
}
