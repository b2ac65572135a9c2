import java.util.List;
import java.util.function.Function;
import software.amazon.kinesis.lifecycle.events.*;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;

/** What both applications do with a shard: each record becomes a line {@code WORKER SHARD TEXT}, before its checkpoint. */
abstract class Processor implements ShardRecordProcessor {
    private final Worker worker;
    private String shard;

    Processor(Worker worker) {
        this.worker = worker;
    }

    final <R> void process(List<R> records, Function<R, String> text, RecordProcessorCheckpointer checkpointer) {
        if (records.isEmpty()) {
            return;
        }
        StringBuilder lines = new StringBuilder();
        for (R r : records) {
            lines.append(worker.name).append(' ').append(shard).append(' ').append(text.apply(r)).append('\n');
        }
        worker.write(lines);
        worker.checkpoint(checkpointer);
    }

    @Override
    public void initialize(InitializationInput in) {
        shard = in.shardId();
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
