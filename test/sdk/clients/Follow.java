import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.enhanced.dynamodb.*;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.*;
import software.amazon.awssdk.enhanced.dynamodb.model.*;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.Capacity;
import software.amazon.awssdk.services.dynamodb.model.DynamoDbException;
import software.amazon.awssdk.services.dynamodb.model.IndexStatus;
import software.amazon.awssdk.services.dynamodb.model.KeyType;
import software.amazon.awssdk.services.dynamodb.model.OperationType;
import software.amazon.awssdk.services.dynamodb.model.ProjectionType;
import software.amazon.awssdk.services.dynamodb.model.Record;
import software.amazon.awssdk.services.dynamodb.model.ReturnConsumedCapacity;
import software.amazon.awssdk.services.dynamodb.model.ScalarAttributeType;
import software.amazon.awssdk.services.dynamodb.model.ShardIteratorType;
import software.amazon.awssdk.services.dynamodb.model.StreamViewType;
import software.amazon.awssdk.services.dynamodb.model.TimeToLiveStatus;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;

/**
 * Indexes, streams and expiry of tables with the AWS SDK for Java v2 and its enhanced client, unchanged from Maven.
 *
 * <p>Arguments: endpoint, table name. Prints {@code ok STEP} for each step, or {@code FAILED STEP: reason} and exits 1.
 */
public final class Follow {
    @DynamoDbBean
    public static class Entry {
        private String pk;
        private Integer sk;
        private Integer n;
        private String kind;
        private String text;
        private String hidden;

        @DynamoDbPartitionKey
        @DynamoDbSecondaryPartitionKey(indexNames = "by-n")
        public String getPk() { return pk; }
        public void setPk(String v) { pk = v; }
        @DynamoDbSortKey
        public Integer getSk() { return sk; }
        public void setSk(Integer v) { sk = v; }
        @DynamoDbSecondarySortKey(indexNames = {"by-kind", "by-n"})
        public Integer getN() { return n; }
        public void setN(Integer v) { n = v; }
        @DynamoDbSecondaryPartitionKey(indexNames = "by-kind")
        public String getKind() { return kind; }
        public void setKind(String v) { kind = v; }
        @DynamoDbSecondaryPartitionKey(indexNames = "by-text")
        public String getText() { return text; }
        public void setText(String v) { text = v; }
        public String getHidden() { return hidden; }
        public void setHidden(String v) { hidden = v; }
    }

    private final String name;
    private final DynamoDbClient client;
    private final DynamoDbStreamsClient streams;
    private final DynamoDbEnhancedClient enhanced;
    private final DynamoDbTable<Entry> entries;

    private Follow(URI endpoint, String name) {
        this.name = name;
        client = DynamoDbClient.builder().endpointOverride(endpoint).build();
        streams = DynamoDbStreamsClient.builder().endpointOverride(endpoint).build();
        enhanced = DynamoDbEnhancedClient.builder().dynamoDbClient(client).build();
        entries = enhanced.table(name, TableSchema.fromBean(Entry.class));
    }

    public static void main(String[] args) {
        Follow c = new Follow(URI.create(args[0]), args[1]);
        Map<String, Steps.Step> steps = new LinkedHashMap<>();
        steps.put("create", c::create);
        steps.put("indexes", c::indexes);
        steps.put("added", c::added);
        steps.put("capacity", c::capacity);
        steps.put("follow", c::follow);
        steps.put("expiry", c::expiry);
        steps.put("delete", c::delete);
        Steps.run(steps);
    }

    private static void until(String what, Callable<Boolean> condition) throws Exception {
        Instant end = Instant.now().plusSeconds(30);
        while (!condition.call()) {
            Steps.check(Instant.now().isBefore(end), "deadline passed while waiting for " + what);
            Thread.sleep(50);
        }
    }

    private static Entry entry(int i) {
        Entry e = new Entry();
        e.setPk("p");
        e.setSk(i);
        e.setN(30 - i);
        e.setKind(i % 2 == 0 ? "even" : "odd");
        e.setText("item " + i);
        e.setHidden("x");
        return e;
    }

    /** The index by text is added later, to the table as it is used. */
    private void create() {
        client.createTable(r -> r.tableName(name).billingMode("PAY_PER_REQUEST")
            .attributeDefinitions(a -> a.attributeName("pk").attributeType(ScalarAttributeType.S), a -> a.attributeName("sk").attributeType(ScalarAttributeType.N),
                a -> a.attributeName("kind").attributeType(ScalarAttributeType.S), a -> a.attributeName("n").attributeType(ScalarAttributeType.N))
            .keySchema(k -> k.attributeName("pk").keyType(KeyType.HASH), k -> k.attributeName("sk").keyType(KeyType.RANGE))
            .globalSecondaryIndexes(i -> i.indexName("by-kind").projection(p -> p.projectionType(ProjectionType.INCLUDE).nonKeyAttributes("text"))
                .keySchema(k -> k.attributeName("kind").keyType(KeyType.HASH), k -> k.attributeName("n").keyType(KeyType.RANGE)))
            .localSecondaryIndexes(i -> i.indexName("by-n").projection(p -> p.projectionType(ProjectionType.KEYS_ONLY))
                .keySchema(k -> k.attributeName("pk").keyType(KeyType.HASH), k -> k.attributeName("n").keyType(KeyType.RANGE)))
            .streamSpecification(s -> s.streamEnabled(true).streamViewType(StreamViewType.NEW_AND_OLD_IMAGES)));
        var table = client.waiter().waitUntilTableExists(r -> r.tableName(name), o -> o.maxAttempts(300)
            .backoffStrategyV2(software.amazon.awssdk.retries.api.BackoffStrategy.fixedDelay(Duration.ofMillis(50))))
            .matched().response().orElseThrow().table();
        Steps.same(table.globalSecondaryIndexes().get(0).indexStatus(), IndexStatus.ACTIVE);
        Steps.same(table.localSecondaryIndexes().get(0).indexArn(), table.tableArn() + "/index/by-n");
    }

    private void indexes() {
        for (int from = 0; from < 30; from += 15) {
            WriteBatch.Builder<Entry> batch = WriteBatch.builder(Entry.class).mappedTableResource(entries);
            IntStream.range(from, from + 15).forEach(i -> batch.addPutItem(entry(i)));
            Steps.check(enhanced.batchWriteItem(r -> r.addWriteBatch(batch.build())).unprocessedPutItemsForTable(entries).isEmpty(), "unprocessed");
        }
        var even = QueryConditional.keyEqualTo(k -> k.partitionValue("even"));
        List<Integer> sizes = new ArrayList<>();
        List<Entry> found = new ArrayList<>();
        for (Page<Entry> page : entries.index("by-kind").query(r -> r.queryConditional(even).limit(4))) {
            sizes.add(page.items().size());
            found.addAll(page.items());
        }
        Steps.same(found.stream().map(Entry::getSk).toList(), IntStream.range(0, 15).mapToObj(i -> 28 - 2 * i).toList());
        Steps.same(sizes.subList(0, 4), List.of(4, 4, 4, 3));
        Steps.check(found.get(0).getText().equals("item 28") && found.get(0).getHidden() == null, "the projection");
        var local = entries.index("by-n").query(r -> r.consistentRead(true).scanIndexForward(false)
            .queryConditional(QueryConditional.sortLessThan(k -> k.partitionValue("p").sortValue(4)))).stream().flatMap(p -> p.items().stream()).toList();
        Steps.same(local.stream().map(Entry::getSk).toList(), List.of(27, 28, 29));
        Steps.check(local.stream().allMatch(e -> e.getText() == null && e.getN() == 30 - e.getSk()), "keys only");
        try {
            entries.index("by-kind").query(r -> r.queryConditional(even).consistentRead(true)).stream().toList();
        } catch (DynamoDbException e) {
            Steps.same(e.awsErrorDetails().errorMessage(), "Consistent reads are not supported on global secondary indexes");
            return;
        }
        throw new AssertionError("a global index was read consistently");
    }

    private void added() throws Exception {
        client.updateTable(r -> r.tableName(name).attributeDefinitions(a -> a.attributeName("text").attributeType(ScalarAttributeType.S))
            .globalSecondaryIndexUpdates(u -> u.create(i -> i.indexName("by-text").projection(p -> p.projectionType(ProjectionType.ALL))
                .keySchema(k -> k.attributeName("text").keyType(KeyType.HASH)))));
        until("the index", () -> {
            var found = client.describeTable(r -> r.tableName(name)).table().globalSecondaryIndexes();
            return found.size() == 2 && found.stream().allMatch(i -> i.indexStatus() == IndexStatus.ACTIVE);
        });
        var found = entries.index("by-text").query(QueryConditional.keyEqualTo(k -> k.partitionValue("item 7"))).stream()
            .flatMap(p -> p.items().stream()).toList();
        Steps.check(found.size() == 1 && found.get(0).getSk() == 7 && found.get(0).getHidden().equals("x"), found.size());
    }

    private void capacity() {
        var got = entries.putItemWithResponse(PutItemEnhancedRequest.builder(Entry.class).item(entry(100))
            .returnConsumedCapacity(ReturnConsumedCapacity.INDEXES).build()).consumedCapacity();
        Capacity one = Capacity.builder().capacityUnits(1.0).build();
        Steps.same(got.capacityUnits(), 4.0);
        Steps.same(List.of(got.table(), got.globalSecondaryIndexes(), got.localSecondaryIndexes()),
            List.of(one, Map.of("by-kind", one, "by-text", one), Map.of("by-n", one)));
    }

    /** All records of an item so far, from every shard. */
    private List<Record> changes(String pk) {
        var listed = streams.listStreams(r -> r.tableName(name)).streams();
        Steps.same(listed.size(), 1);
        String arn = listed.get(0).streamArn();
        var description = streams.describeStream(r -> r.streamArn(arn)).streamDescription();
        Steps.same(description.streamStatusAsString() + " " + description.streamViewTypeAsString(), "ENABLED NEW_AND_OLD_IMAGES");
        List<Record> found = new ArrayList<>();
        for (var shard : description.shards()) {
            String next = streams.getShardIterator(r -> r.streamArn(arn).shardId(shard.shardId()).shardIteratorType(ShardIteratorType.TRIM_HORIZON)).shardIterator();
            while (next != null) {
                String iterator = next;
                var page = streams.getRecords(r -> r.shardIterator(iterator).limit(20));
                page.records().stream().filter(r -> r.dynamodb().keys().get("pk").s().equals(pk)).forEach(found::add);
                next = page.records().isEmpty() ? null : page.nextShardIterator();
            }
        }
        return found;
    }

    private static Map<String, AttributeValue> key(String pk) {
        return Map.of("pk", AttributeValue.fromS(pk), "sk", AttributeValue.fromN("1"));
    }

    private static Map<String, AttributeValue> with(Map<String, AttributeValue> item, String attribute, AttributeValue value) {
        var copy = new LinkedHashMap<>(item);
        copy.put(attribute, value);
        return copy;
    }

    private void follow() {
        var first = with(with(key("s"), "v", AttributeValue.fromS("größe")), "b", AttributeValue.fromB(SdkBytes.fromByteArray(new byte[] {0, -1})));
        var second = with(first, "v", AttributeValue.fromS("2"));
        client.putItem(r -> r.tableName(name).item(first));
        client.updateItem(r -> r.tableName(name).key(key("s")).updateExpression("SET v = :v").expressionAttributeValues(Map.of(":v", second.get("v"))));
        client.deleteItem(r -> r.tableName(name).key(key("s")));
        var found = changes("s");
        Steps.same(found.stream().map(Record::eventName).toList(), List.of(OperationType.INSERT, OperationType.MODIFY, OperationType.REMOVE));
        Steps.same(found.stream().map(r -> r.dynamodb().oldImage()).toList(), List.of(Map.of(), first, second));
        Steps.same(found.stream().map(r -> r.dynamodb().newImage()).toList(), List.of(first, second, Map.of()));
        Steps.check(found.stream().allMatch(r -> r.userIdentity() == null), found);
    }

    private void expiry() throws Exception {
        client.updateTimeToLive(r -> r.tableName(name).timeToLiveSpecification(s -> s.enabled(true).attributeName("expires")));
        until("time to live", () -> client.describeTimeToLive(r -> r.tableName(name)).timeToLiveDescription().timeToLiveStatus() == TimeToLiveStatus.ENABLED);
        long now = Instant.now().getEpochSecond();
        var past = AttributeValue.fromN(Long.toString(now - 10));
        client.putItem(r -> r.tableName(name).item(with(key("stays"), "expires", AttributeValue.fromN(Long.toString(now + 3600)))));
        client.putItem(r -> r.tableName(name).item(with(key("goes"), "expires", past)));
        until("the end of an item", () -> !client.getItem(r -> r.tableName(name).key(key("goes"))).hasItem());
        var found = changes("goes");
        var last = found.get(found.size() - 1);
        Steps.same(last.eventName(), OperationType.REMOVE);
        Steps.same(last.userIdentity().principalId() + " " + last.userIdentity().type(), "dynamodb.amazonaws.com Service");
        Steps.same(last.dynamodb().oldImage().get("expires"), past);
        Steps.check(client.getItem(r -> r.tableName(name).key(key("stays"))).hasItem(), "an item went before its time");
    }

    private void delete() {
        entries.deleteTable();
        client.waiter().waitUntilTableNotExists(r -> r.tableName(name), o -> o.maxAttempts(300)
            .backoffStrategyV2(software.amazon.awssdk.retries.api.BackoffStrategy.fixedDelay(Duration.ofMillis(50))));
    }
}
