import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import software.amazon.awssdk.services.cloudwatch.CloudWatchClient;
import software.amazon.awssdk.services.cloudwatch.model.*;

/**
 * Metrics with the AWS SDK for Java v2, unchanged from Maven.
 *
 * <p>Arguments: endpoint. Prints {@code ok STEP} for each step, or {@code FAILED STEP: reason} and exits 1.
 */
public final class Metrics {
    private static final Dimension HOST = Dimension.builder().name("Host").value("höst").build();

    private final CloudWatchClient client;
    private final Instant now = Instant.now();
    private final Instant from = now.minus(Duration.ofHours(1));
    private final Instant to = now.plus(Duration.ofMinutes(1));

    private Metrics(URI endpoint) {
        client = CloudWatchClient.builder().endpointOverride(endpoint).build();
    }

    public static void main(String[] args) {
        Metrics c = new Metrics(URI.create(args[0]));
        Map<String, Steps.Step> steps = new LinkedHashMap<>();
        steps.put("put", c::put);
        steps.put("list", c::list);
        steps.put("statistics", c::statistics);
        steps.put("data", c::data);
        steps.put("errors", c::errors);
        Steps.run(steps);
    }

    private void put() {
        List<MetricDatum> some = IntStream.range(0, 600) // more than 10 KiB, which the client may compress
            .mapToObj(i -> MetricDatum.builder().metricName(String.format("M%03d", i)).value((double) i).dimensions(HOST).timestamp(now).build()).toList();
        client.putMetricData(r -> r.namespace("Java").metricData(some));
        client.putMetricData(r -> r.namespace("Java").metricData(
            MetricDatum.builder().metricName("Many").values(1.0, 2.0, 8.0).counts(1.0, 2.0, 1.0).unit(StandardUnit.SECONDS).build(),
            MetricDatum.builder().metricName("Set").storageResolution(1)
                .statisticValues(s -> s.sampleCount(2.0).sum(5.0).minimum(1.0).maximum(4.0)).build()));
    }

    private void list() {
        Steps.same(client.listMetricsPaginator(r -> r.namespace("Java")).metrics().stream().count(), 602L);
        Steps.same(client.listMetrics(r -> r.metricName("M007").namespace("Java")).metrics(),
            List.of(Metric.builder().namespace("Java").metricName("M007").dimensions(HOST).build()));
    }

    private void statistics() {
        var points = client.getMetricStatistics(r -> r.namespace("Java").metricName("Many").period(60).startTime(from).endTime(to)
            .statistics(Statistic.SUM, Statistic.AVERAGE, Statistic.MAXIMUM)).datapoints();
        Steps.same(points.size(), 1);
        var p = points.get(0);
        Steps.same(List.of(p.sum(), p.average(), p.maximum(), p.unit()), List.of(13.0, 3.25, 8.0, StandardUnit.SECONDS));
        Steps.check(!p.timestamp().isBefore(from) && !p.timestamp().isAfter(to), p);
        var median = client.getMetricStatistics(r -> r.namespace("Java").metricName("Many").period(60).startTime(from).endTime(to)
            .extendedStatistics("p50")).datapoints();
        Steps.same(median.get(0).extendedStatistics().get("p50"), 2.0);
    }

    private static MetricStat stat(String name) {
        return MetricStat.builder().metric(m -> m.namespace("Java").metricName(name).dimensions(HOST)).period(60).stat("Sum").build();
    }

    private void data() {
        var got = client.getMetricData(r -> r.startTime(from).endTime(to).metricDataQueries(
            MetricDataQuery.builder().id("a").metricStat(stat("M004")).returnData(false).build(),
            MetricDataQuery.builder().id("b").metricStat(stat("M002")).build(),
            MetricDataQuery.builder().id("c").expression("a / b").label("ratio").build())).metricDataResults();
        Steps.same(got.stream().map(d -> List.of(d.id(), d.label(), d.values(), d.statusCode())).toList(),
            List.of(List.of("b", "M002", List.of(2.0), StatusCode.COMPLETE), List.of("c", "ratio", List.of(2.0), StatusCode.COMPLETE)));
    }

    private void errors() {
        var one = MetricDatum.builder().metricName("m").value(1.0).build();
        try {
            client.putMetricData(r -> r.namespace("AWS/Java").metricData(one));
        } catch (InvalidParameterValueException e) {
            Steps.same(e.awsErrorDetails().errorMessage(), "The value AWS/ for parameter Namespace is invalid.");
            Steps.check(e.requestId() != null, "no request id", e);
            return;
        }
        throw new AssertionError("a namespace of AWS was accepted");
    }
}
