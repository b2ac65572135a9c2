import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient;
import com.amazonaws.services.dynamodbv2.streamsadapter.StreamsSchedulerFactory;
import com.amazonaws.services.dynamodbv2.streamsadapter.adapter.DynamoDBStreamsClientRecord;
import com.amazonaws.services.dynamodbv2.streamsadapter.model.DynamoDBStreamsProcessRecordsInput;
import com.amazonaws.services.dynamodbv2.streamsadapter.polling.DynamoDBStreamsPollingConfig;
import com.amazonaws.services.dynamodbv2.streamsadapter.processor.DynamoDBStreamsShardRecordProcessor;
import java.net.URI;
import java.util.HexFormat;
import java.util.Map;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.StreamRecord;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;

/**
 * A worker of the Kinesis Client Library that reads changes of a table through the adapter of DynamoDB Streams, both unchanged from
 * Maven. Its leases, checkpoints and metrics are kept by the same server. It ends politely on SIGTERM.
 *
 * <p>Arguments: endpoint, ARN of the stream, application, worker, file. Each change becomes a line {@code WORKER SHARD EVENT KEY OLD NEW} of the
 * file before its checkpoint; an image is {@code n:text:blob in hex}, or {@code -} when there is none. A shard that ended is a line {@code WORKER
 * SHARD ended}. Several workers may share the file.
 */
public final class StreamConsumer extends Processor implements DynamoDBStreamsShardRecordProcessor {
    private StreamConsumer(Worker worker) {
        super(worker);
    }

    public static void main(String[] args) throws Exception {
        URI endpoint = URI.create(args[0]);
        String stream = args[1];
        Worker worker = new Worker(args[3], args[4]);
        AmazonDynamoDBStreamsAdapterClient streams = new AmazonDynamoDBStreamsAdapterClient(
            DynamoDbStreamsClient.builder().endpointOverride(endpoint).build(), Region.of(System.getenv("AWS_REGION")));
        DynamoDbAsyncClient dynamodb = DynamoDbAsyncClient.builder().endpointOverride(endpoint).build();
        CloudWatchAsyncClient cloudwatch = CloudWatchAsyncClient.builder().endpointOverride(endpoint).build();
        ConfigsBuilder configs = new ConfigsBuilder(
            StreamsSchedulerFactory.createSingleStreamTracker(stream,
                InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
            args[2], streams, dynamodb, cloudwatch, worker.name, () -> new StreamConsumer(worker));
        DynamoDBStreamsPollingConfig polling = new DynamoDBStreamsPollingConfig(stream, streams).idleTimeBetweenReadsInMillis(200);
        worker.run(StreamsSchedulerFactory.createScheduler(configs.checkpointConfig(),
            worker.coordinator(configs).skipShardSyncAtWorkerInitializationIfLeasesExist(true), worker.leases(configs), configs.lifecycleConfig(),
            worker.metrics(configs), configs.processorConfig(), configs.retrievalConfig().retrievalSpecificConfig(polling), streams));
    }

    private static String image(boolean there, Map<String, AttributeValue> item) {
        return !there ? "-" : item.get("n").n() + ":" + item.get("text").s() + ":" + HexFormat.of().formatHex(item.get("blob").b().asByteArray());
    }

    private static String text(DynamoDBStreamsClientRecord r) {
        StreamRecord change = r.getRecord().dynamodb();
        return String.join(" ", r.getRecord().eventNameAsString(), change.keys().get("pk").s(), image(change.hasOldImage(), change.oldImage()),
            image(change.hasNewImage(), change.newImage()));
    }

    @Override
    public void processRecords(DynamoDBStreamsProcessRecordsInput in) {
        process(in.records(), StreamConsumer::text, in.checkpointer());
    }
}
