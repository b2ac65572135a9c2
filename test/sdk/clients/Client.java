import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.retry.RetryPolicy;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.*;
import software.amazon.awssdk.services.kinesis.model.Record;

/**
 * The scenario of test/sdk with the AWS SDK for Java v2, unchanged from Maven. Its Kinesis client
 * speaks CBOR. Most steps use the blocking client over HTTP/1.1; step async uses the Netty client,
 * whose own choice for Kinesis is HTTP/2, with prior knowledge on http:// endpoints.
 *
 * <p>Arguments: endpoint, stream name, and http1 for a server that does not speak HTTP/2 (step async is
 * then reported as failed). Prints {@code ok STEP} for each step, or {@code FAILED STEP: reason} and
 * exits 1.
 */
public final class Client {
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final int SHARDS = 4;
    private static final BigInteger HASH_SPACE = BigInteger.ONE.shiftLeft(128);

    private record Sent(BigInteger sequence, String key, SdkBytes data) {}

    private interface Step {
        void run() throws Exception;
    }

    private final KinesisClient kinesis;
    private final KinesisAsyncClient async;
    private final String stream;
    private final Map<String, List<Sent>> sent = new TreeMap<>();
    private final Map<String, List<Record>> read = new TreeMap<>();

    private Client(URI endpoint, String stream) {
        this.stream = stream;
        kinesis = KinesisClient.builder().endpointOverride(endpoint)
            .httpClient(UrlConnectionHttpClient.create())
            .overrideConfiguration(o -> o.retryPolicy(RetryPolicy.none())).build();
        async = KinesisAsyncClient.builder().endpointOverride(endpoint)
            .overrideConfiguration(o -> o.retryPolicy(RetryPolicy.none())).build();
    }

    public static void main(String[] args) {
        Client c = new Client(URI.create(args[0]), args[1]);
        Map<String, Step> steps = new LinkedHashMap<>();
        steps.put("create", c::create);
        steps.put("shards", c::shards);
        steps.put("put", c::put);
        steps.put("put-batch", c::putBatch);
        steps.put("read", c::readBack);
        steps.put("iterators", c::iterators);
        steps.put("tags", c::tags);
        steps.put("retention", c::retention);
        steps.put("errors", c::errors);
        if (args.length < 3 || !args[2].equals("http1")) {
            steps.put("async", c::async);
            steps.put("push", c::push);
        }
        steps.put("delete", c::delete);
        steps.forEach((name, step) -> {
            try {
                step.run();
            } catch (Throwable e) {
                e.printStackTrace();
                String text = e.toString();
                System.out.println("FAILED " + name + ": "
                    + text.substring(0, Math.min(text.length(), 800)).replace('\n', ' '));
                System.exit(1);
            }
            System.out.println("ok " + name);
        });
        System.exit(0); // Netty's threads would keep the process for some seconds
    }

    private static void check(boolean condition, Object... facts) {
        if (!condition) {
            throw new AssertionError(Arrays.toString(facts));
        }
    }

    /** Asks until the condition holds; a server answers within milliseconds, so the pause is short. */
    private static void until(String what, Callable<Boolean> condition) throws Exception {
        Instant end = Instant.now().plus(DEADLINE);
        while (!condition.call()) {
            check(Instant.now().isBefore(end), "deadline passed while waiting for", what);
            Thread.sleep(20);
        }
    }

    private StreamDescriptionSummary summary() {
        return kinesis.describeStreamSummary(r -> r.streamName(stream)).streamDescriptionSummary();
    }

    private void create() throws Exception {
        kinesis.createStream(r -> r.streamName(stream).shardCount(SHARDS));
        until("ACTIVE", () -> summary().streamStatus() == StreamStatus.ACTIVE);
        check(summary().openShardCount() == SHARDS, summary());
        check(kinesis.listStreams().streamNames().contains(stream), "not listed");
        // CBOR carries timestamps in milliseconds; a slip to seconds would be decades off.
        Duration age = Duration.between(summary().streamCreationTimestamp(), Instant.now()).abs();
        check(age.toHours() < 1, "created", summary().streamCreationTimestamp());
    }

    private void shards() {
        List<Shard> listed = new ArrayList<>(kinesis.listShards(r -> r.streamName(stream)).shards());
        check(listed.size() == SHARDS, listed);
        listed.sort(Comparator.comparing(s -> new BigInteger(s.hashKeyRange().startingHashKey())));
        BigInteger start = BigInteger.ZERO;
        for (Shard s : listed) {
            check(new BigInteger(s.hashKeyRange().startingHashKey()).equals(start), s, start);
            start = new BigInteger(s.hashKeyRange().endingHashKey()).add(BigInteger.ONE);
            sent.put(s.shardId(), new ArrayList<>());
        }
        check(start.equals(HASH_SPACE), start);
    }

    private void put() {
        for (int i = 0; i < 12; i++) {
            String key = "Schlüssel-" + i + "-鍵";
            byte[] bytes = new byte[256 + i];
            for (int n = 0; n < bytes.length; n++) {
                bytes[n] = (byte) n;
            }
            SdkBytes data = SdkBytes.fromByteArray(bytes);
            PutRecordRequest.Builder request =
                PutRecordRequest.builder().streamName(stream).partitionKey(key).data(data);
            if (i % 3 == 0) {
                request.explicitHashKey(
                    HASH_SPACE.divide(BigInteger.valueOf(12)).multiply(BigInteger.valueOf(i)).toString());
            }
            PutRecordResponse answer = kinesis.putRecord(request.build());
            remember(answer.shardId(), answer.sequenceNumber(), key, data);
        }
    }

    private void remember(String shard, String sequence, String key, SdkBytes data) {
        sent.get(shard).add(new Sent(new BigInteger(sequence), key, data));
    }

    private void putBatch() {
        List<PutRecordsRequestEntry> records = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            String text = ("batch " + i + " ").repeat(i + 1);
            records.add(PutRecordsRequestEntry.builder().partitionKey("k" + i)
                .data(SdkBytes.fromUtf8String(text)).build());
        }
        PutRecordsResponse answer = kinesis.putRecords(r -> r.streamName(stream).records(records));
        check(answer.failedRecordCount() == 0, answer);
        check(answer.records().size() == records.size(), answer);
        for (int i = 0; i < records.size(); i++) {
            PutRecordsResultEntry entry = answer.records().get(i);
            remember(entry.shardId(), entry.sequenceNumber(), records.get(i).partitionKey(), records.get(i).data());
        }
    }

    private void readBack() throws Exception {
        for (Map.Entry<String, List<Sent>> e : sent.entrySet()) {
            List<Sent> want = e.getValue();
            want.sort(Comparator.comparing(Sent::sequence));
            List<Record> records = readFrom(iterator(e.getKey(), ShardIteratorType.TRIM_HORIZON), want.size());
            read.put(e.getKey(), records);
            List<Sent> got = records.stream()
                .map(r -> new Sent(new BigInteger(r.sequenceNumber()), r.partitionKey(), r.data())).toList();
            check(got.equals(want), e.getKey(), got, want);
        }
    }

    private GetShardIteratorRequest.Builder iterator(String shard, ShardIteratorType type) {
        return GetShardIteratorRequest.builder().streamName(stream).shardId(shard).shardIteratorType(type);
    }

    /** Follows nextShardIterator until count records came. */
    private List<Record> readFrom(GetShardIteratorRequest.Builder start, int count) throws Exception {
        return follow(kinesis.getShardIterator(start.build()).shardIterator(), count);
    }

    private List<Record> follow(String first, int count) throws Exception {
        List<Record> records = new ArrayList<>();
        String[] at = {first};
        until(count + " records", () -> {
            GetRecordsResponse answer = kinesis.getRecords(r -> r.shardIterator(at[0]).limit(7));
            check(answer.millisBehindLatest() != null, "no millisBehindLatest");
            check(!answer.nextShardIterator().equals(at[0]), "the iterator did not change");
            at[0] = answer.nextShardIterator();
            records.addAll(answer.records());
            return records.size() >= count;
        });
        return records;
    }

    private static List<String> numbers(List<Record> records) {
        return records.stream().map(Record::sequenceNumber).toList();
    }

    private void iterators() throws Exception {
        String shard = read.keySet().stream().max(Comparator.comparing(s -> read.get(s).size())).orElseThrow();
        List<Record> all = read.get(shard);
        Record third = all.get(2);
        Instant time = third.approximateArrivalTimestamp();
        List<Record> later = all.stream().filter(r -> !r.approximateArrivalTimestamp().isBefore(time)).toList();
        GetShardIteratorRequest.Builder at = iterator(shard, ShardIteratorType.AT_SEQUENCE_NUMBER)
            .startingSequenceNumber(third.sequenceNumber());
        GetShardIteratorRequest.Builder after = iterator(shard, ShardIteratorType.AFTER_SEQUENCE_NUMBER)
            .startingSequenceNumber(third.sequenceNumber());
        GetShardIteratorRequest.Builder timed = iterator(shard, ShardIteratorType.AT_TIMESTAMP).timestamp(time);
        same("AT_SEQUENCE_NUMBER", readFrom(at, all.size() - 2), all.subList(2, all.size()));
        same("AFTER_SEQUENCE_NUMBER", readFrom(after, all.size() - 3), all.subList(3, all.size()));
        same("AT_TIMESTAMP", readFrom(timed, later.size()), later);

        Map<String, String> latest = new TreeMap<>();
        for (String id : sent.keySet()) {
            latest.put(id, kinesis.getShardIterator(iterator(id, ShardIteratorType.LATEST).build()).shardIterator());
        }
        SdkBytes data = SdkBytes.fromString("late", StandardCharsets.UTF_8);
        PutRecordResponse answer = kinesis.putRecord(r -> r.streamName(stream).partitionKey("late").data(data));
        List<Record> got = follow(latest.get(answer.shardId()), 1);
        check(numbers(got).equals(List.of(answer.sequenceNumber())), got, answer);
        check(got.get(0).data().equals(data), got);
    }

    private static void same(String what, List<Record> got, List<Record> want) {
        check(numbers(got).equals(numbers(want)), what, numbers(got), numbers(want));
    }

    private void tags() {
        kinesis.addTagsToStream(r -> r.streamName(stream).tags(Map.of("team", "rivers", "größe", "groß")));
        kinesis.removeTagsFromStream(r -> r.streamName(stream).tagKeys("team"));
        List<Tag> got = kinesis.listTagsForStream(r -> r.streamName(stream)).tags();
        check(got.equals(List.of(Tag.builder().key("größe").value("groß").build())), got);
    }

    private void retention() throws Exception {
        check(summary().retentionPeriodHours() == 24, summary());
        kinesis.increaseStreamRetentionPeriod(r -> r.streamName(stream).retentionPeriodHours(48));
        until("48 hours", () -> summary().retentionPeriodHours() == 48);
        kinesis.decreaseStreamRetentionPeriod(r -> r.streamName(stream).retentionPeriodHours(25));
        until("25 hours", () -> summary().retentionPeriodHours() == 25);
    }

    private void errors() {
        String shard = sent.keySet().iterator().next();
        SdkBytes none = SdkBytes.fromByteArray(new byte[0]);
        refused("ResourceNotFoundException", () -> kinesis.describeStreamSummary(r -> r.streamName("absent")));
        refused("ResourceNotFoundException",
            () -> kinesis.putRecord(r -> r.streamName("absent").partitionKey("k").data(none)));
        refused("ResourceInUseException", () -> kinesis.createStream(r -> r.streamName(stream).shardCount(1)));
        refused("ValidationException",
            () -> kinesis.putRecord(r -> r.streamName(stream).partitionKey("").data(none)));
        refused("ValidationException", () -> kinesis.getShardIterator(
            r -> r.streamName(stream).shardId(shard).shardIteratorType("SIDEWAYS")));
        refused("InvalidArgumentException", () -> kinesis.getRecords(r -> r.shardIterator("AAAAnotaniterator")));
    }

    private static void refused(String want, Callable<?> call) {
        Object answer;
        try {
            answer = call.call();
        } catch (KinesisException e) {
            check(e.awsErrorDetails().errorCode().equals(want), "got", e.toString(), "want", want);
            check(!e.awsErrorDetails().errorMessage().isEmpty(), "no message", e.toString());
            check(e.requestId() != null, "no request id", e.toString());
            return;
        } catch (Exception e) {
            throw new AssertionError("got " + e + ", want " + want, e);
        }
        throw new AssertionError("answered " + answer + ", want " + want);
    }

    /** The Netty client: many calls at once over one HTTP/2 connection, answers and errors. */
    private void async() throws Exception {
        List<Sent> want = new ArrayList<>();
        String shard = sent.keySet().iterator().next();
        String start = kinesis.getShardIterator(iterator(shard, ShardIteratorType.LATEST).build()).shardIterator();
        List<java.util.concurrent.CompletableFuture<PutRecordResponse>> calls = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            SdkBytes data = SdkBytes.fromUtf8String("async " + i);
            calls.add(async.putRecord(
                r -> r.streamName(stream).partitionKey("async").explicitHashKey("0").data(data)));
        }
        for (int i = 0; i < calls.size(); i++) {
            PutRecordResponse answer = calls.get(i).join();
            want.add(new Sent(new BigInteger(answer.sequenceNumber()), "async", SdkBytes.fromUtf8String("async " + i)));
        }
        want.sort(Comparator.comparing(Sent::sequence));
        List<Sent> got = follow(start, want.size()).stream()
            .map(r -> new Sent(new BigInteger(r.sequenceNumber()), r.partitionKey(), r.data())).toList();
        check(got.equals(want), got, want);
        try {
            async.describeStreamSummary(r -> r.streamName("absent")).join();
        } catch (CompletionException e) {
            check(e.getCause() instanceof ResourceNotFoundException, e);
            return;
        }
        throw new AssertionError("a stream that does not exist was described");
    }

    /** The Netty client is pushed records in CBOR over HTTP/2, from a moment on, until its consumer is gone. */
    private void push() throws Exception {
        String arn = summary().streamARN();
        String consumer = kinesis.registerStreamConsumer(r -> r.streamARN(arn).consumerName("java")).consumer().consumerARN();
        until("the consumer to be ACTIVE", () -> kinesis.describeStreamConsumer(r -> r.consumerARN(consumer))
            .consumerDescription().consumerStatus() == ConsumerStatus.ACTIVE);
        List<Sent> want = new ArrayList<>();
        List<Sent> got = java.util.Collections.synchronizedList(new ArrayList<>());
        Instant moment = Instant.now();
        pushed(want);
        var done = async.subscribeToShard(
            r -> r.consumerARN(consumer).shardId(sent.keySet().iterator().next())
                .startingPosition(p -> p.type(ShardIteratorType.AT_TIMESTAMP).timestamp(moment)),
            SubscribeToShardResponseHandler.builder().subscriber(SubscribeToShardResponseHandler.Visitor.builder()
                .onSubscribeToShardEvent(e -> {
                    check(e.continuationSequenceNumber().length() == 56, e);
                    check(e.millisBehindLatest() >= 0 && e.childShards().isEmpty(), e);
                    e.records().forEach(r -> got.add(new Sent(new BigInteger(r.sequenceNumber()), r.partitionKey(), r.data())));
                }).build()).build());
        until("the first records", () -> got.size() >= want.size());
        pushed(want);
        until("the second records", () -> got.size() >= want.size());
        check(got.equals(want), got, want);
        kinesis.deregisterStreamConsumer(r -> r.consumerARN(consumer));
        try {
            done.join();
            throw new AssertionError("the stream ended without an exception");
        } catch (CompletionException e) {
            check(e.getCause() instanceof ResourceNotFoundException, e);
        }
        until("the consumer to be gone", () -> {
            try {
                kinesis.describeStreamConsumer(r -> r.consumerARN(consumer));
                return false;
            } catch (ResourceNotFoundException e) {
                return true;
            }
        });
    }

    /** Puts twenty records into the first shard, one after the other. */
    private void pushed(List<Sent> want) {
        for (int i = 0; i < 20; i++) {
            SdkBytes data = SdkBytes.fromUtf8String("pushed ".repeat(100 * i));
            PutRecordResponse answer = kinesis.putRecord(
                r -> r.streamName(stream).partitionKey("鍵").explicitHashKey("0").data(data));
            want.add(new Sent(new BigInteger(answer.sequenceNumber()), "鍵", data));
        }
    }

    private void delete() throws Exception {
        kinesis.deleteStream(r -> r.streamName(stream));
        until("the stream to be gone", () -> {
            try {
                summary();
                return false;
            } catch (ResourceNotFoundException e) {
                return true;
            }
        });
        check(!kinesis.listStreams().streamNames().contains(stream), "still listed");
    }
}
