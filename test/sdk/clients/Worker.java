import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.metrics.MetricsConfig;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;

/**
 * What workers of the Kinesis Client Library have in common: a name, a file of lines that several share, and short intervals. The library's
 * own are made for AWS: a lease is taken over after 10 s, shards are looked for each minute.
 */
final class Worker {
    final String name;
    private final OutputStream out;

    Worker(String name, String file) throws IOException {
        this.name = name;
        out = new FileOutputStream(file, true);
    }

    LeaseManagementConfig leases(ConfigsBuilder configs) {
        var leases = configs.leaseManagementConfig().failoverTimeMillis(3000).leaseAssignmentIntervalMillis(1000L)
            .shardSyncIntervalMillis(2000).leasesRecoveryAuditorExecutionFrequencyMillis(2000);
        leases.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(1000).inMemoryWorkerMetricsCaptureFrequencyMillis(500);
        return leases;
    }

    CoordinatorConfig coordinator(ConfigsBuilder configs) {
        return configs.coordinatorConfig().parentShardPollIntervalMillis(500).shardConsumerDispatchPollIntervalMillis(100)
            .schedulerInitializationBackoffTimeMillis(200);
    }

    MetricsConfig metrics(ConfigsBuilder configs) {
        return configs.metricsConfig().metricsLevel(MetricsLevel.DETAILED).metricsBufferTimeMillis(1000);
    }

    /** Runs until SIGTERM, and ends politely. */
    void run(Scheduler scheduler) {
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

    synchronized void write(CharSequence lines) {
        try {
            out.write(lines.toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Says so when there is none because the lease went to another worker. */
    void checkpoint(RecordProcessorCheckpointer checkpointer) {
        try {
            checkpointer.checkpoint();
        } catch (ShutdownException | InvalidStateException e) {
            System.err.println("no checkpoint: " + e);
        }
    }

    /** Writes that a shard ended, which needs its checkpoint. */
    void ended(String shard, RecordProcessorCheckpointer checkpointer) {
        write(name + " " + shard + " ended\n");
        try {
            checkpointer.checkpoint();
        } catch (ShutdownException | InvalidStateException e) {
            throw new IllegalStateException(e);
        }
    }
}
