package config

// maxLong is how Kafka writes "never" for times and counts.
const maxLong = "9223372036854775807"

// topicConfigs are the configs of topics in Apache Kafka 4.3, except for one that only its own tests set, and kinesis.produce,
// which is ours.
//
// Source: LogConfig of Apache Kafka 4.3.1, dumped (2026-11).
var topicConfigs = newTable([]Def{
	{
		Name: "cleanup.policy", Type: List, Default: "delete", Importance: Medium, Synonym: "log.cleanup.policy", rule: someOf("compact", "delete"),
		Effect: "delete trims by retention; compact keeps the newest record of each key and wants a key in each record",
		Doc:    "What happens to old records: delete, compact, both, or nothing when empty.",
	},
	{
		Name: "compression.gzip.level", Type: Int, Default: "-1", Importance: Medium, Synonym: "compression.gzip.level", rule: gzipLevel,
		Doc: "Level of gzip when the broker compresses; -1 is gzip's own default.",
	},
	{
		Name: "compression.lz4.level", Type: Int, Default: "9", Importance: Medium, Synonym: "compression.lz4.level", rule: between(1, 17),
		Doc: "Level of lz4 when the broker compresses.",
	},
	{
		Name: "compression.type", Type: String, Default: "producer", Importance: Medium, Synonym: "compression.type",
		rule: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
		Doc:  "Compression of stored batches; producer keeps what the producer chose.",
	},
	{
		Name: "compression.zstd.level", Type: Int, Default: "3", Importance: Medium, Synonym: "compression.zstd.level", rule: between(-131072, 22),
		Doc: "Level of zstd when the broker compresses.",
	},
	{
		Name: "delete.retention.ms", Type: Long, Default: "86400000", Importance: Medium, Synonym: "log.cleaner.delete.retention.ms", rule: atLeast(0),
		Effect: "honoured: how long tombstones and transaction markers stay after they were first compacted",
		Doc:    "How long tombstones and transaction markers stay in a compacted topic after they were cleaned.",
	},
	{
		Name: "file.delete.delay.ms", Type: Long, Default: "60000", Importance: Medium, Synonym: "log.segment.delete.delay.ms", rule: atLeast(0),
		Doc: "How long a file waits between its removal from the log and its deletion.",
	},
	{
		Name: "flush.messages", Type: Long, Default: maxLong, Importance: Medium, Synonym: "log.flush.interval.messages", rule: atLeast(1),
		Doc: "Number of records after which the log is synced. Here every record is synced before it is acknowledged.",
	},
	{
		Name: "flush.ms", Type: Long, Default: maxLong, Importance: Medium, Synonym: "log.flush.interval.ms", rule: atLeast(0),
		Doc: "Time after which the log is synced. Here every record is synced before it is acknowledged.",
	},
	{
		Name: "follower.replication.throttled.replicas", Type: List, Importance: Medium, rule: replicas,
		Doc: "Replicas whose followers are throttled: pairs of partition and broker, or *.",
	},
	{
		Name: "index.interval.bytes", Type: Int, Default: "4096", Importance: Medium, Synonym: "log.index.interval.bytes", rule: atLeast(0),
		Doc: "Bytes of records between two entries of the offset index.",
	},
	{
		Name: "kinesis.produce", Type: String, Default: "refuse", Importance: Medium, rule: oneOf("refuse", "reroute"), ours: true,
		Effect: "reroute: records for a stream of Kinesis that was split or merged go to the open shards, see there",
		Doc:    "What producers to a stream of Kinesis with a closed shard get: a refusal, or their records routed by the MD5 of their keys.",
	},
	{
		Name: "leader.replication.throttled.replicas", Type: List, Importance: Medium, rule: replicas,
		Doc: "Replicas whose leaders are throttled: pairs of partition and broker, or *.",
	},
	{
		Name: "local.retention.bytes", Type: Long, Default: "-2", Importance: Medium, Synonym: "log.local.retention.bytes", rule: atLeast(-2),
		Doc: "Bytes that stay on local disks of a tiered topic; -2 is retention.bytes.",
	},
	{
		Name: "local.retention.ms", Type: Long, Default: "-2", Importance: Medium, Synonym: "log.local.retention.ms", rule: atLeast(-2),
		Doc: "Time that records stay on local disks of a tiered topic; -2 is retention.ms.",
	},
	{
		Name: "max.compaction.lag.ms", Type: Long, Default: maxLong, Importance: Medium, Synonym: "log.cleaner.max.compaction.lag.ms", rule: atLeast(1),
		Effect: "honoured, by append time",
		Doc:    "The longest that a record waits before it can be compacted.",
	},
	{
		Name: "max.message.bytes", Type: Int, Default: "1048588", Importance: Medium, Synonym: "message.max.bytes", rule: atLeast(0),
		Effect: "honoured, up to the 16 MiB that a batch can have",
		Doc:    "The largest batch that is taken, as it was sent.",
	},
	{
		Name: "message.timestamp.after.max.ms", Type: Long, Default: "3600000", Importance: Medium, Synonym: "log.message.timestamp.after.max.ms", rule: atLeast(0),
		Effect: "honoured",
		Doc:    "How far a record's timestamp may be after the broker's time, with CreateTime.",
	},
	{
		Name: "message.timestamp.before.max.ms", Type: Long, Default: maxLong, Importance: Medium, Synonym: "log.message.timestamp.before.max.ms", rule: atLeast(0),
		Effect: "honoured",
		Doc:    "How far a record's timestamp may be before the broker's time, with CreateTime.",
	},
	{
		Name: "message.timestamp.type", Type: String, Default: "CreateTime", Importance: Medium, Synonym: "log.message.timestamp.type",
		rule:   oneOf("CreateTime", "LogAppendTime"),
		Effect: "honoured",
		Doc:    "Whether a record's timestamp is the producer's or that of the append.",
	},
	{
		Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5", Importance: Medium, Synonym: "log.cleaner.min.cleanable.ratio", rule: between(0, 1),
		Effect: "honoured",
		Doc:    "The part of a log that must be uncleaned before it is compacted.",
	},
	{
		Name: "min.compaction.lag.ms", Type: Long, Default: "0", Importance: Medium, Synonym: "log.cleaner.min.compaction.lag.ms", rule: atLeast(0),
		Effect: "honoured, by append time",
		Doc:    "The shortest that a record stays uncompacted.",
	},
	{
		Name: "min.insync.replicas", Type: Int, Default: "1", Importance: Medium, Synonym: "min.insync.replicas", rule: atLeast(1),
		Doc: "Replicas that must have a record before acks=all is answered. Here a record is durable before any answer, on however many nodes.",
	},
	{
		Name: "preallocate", Type: Boolean, Default: "false", Importance: Medium, Synonym: "log.preallocate",
		Doc: "Whether files are allocated in full when they are made.",
	},
	{
		Name: "remote.log.copy.disable", Type: Boolean, Default: "false", Importance: Medium,
		Doc: "Whether a tiered topic stops copying to remote storage.",
	},
	{
		Name: "remote.log.delete.on.disable", Type: Boolean, Default: "false", Importance: Medium,
		Doc: "Whether remote data goes when tiering is switched off.",
	},
	{
		Name: "remote.storage.enable", Type: Boolean, Default: "false", Importance: Medium,
		Effect: "true is refused, as by a broker without tiered storage",
		Doc:    "Whether the topic is tiered to remote storage.",
	},
	{
		Name: "retention.bytes", Type: Long, Default: "-1", Importance: Medium, Synonym: "log.retention.bytes",
		Effect: "honoured with cleanup.policy delete",
		Doc:    "Bytes of each partition above which old batches go; -1 is no limit.",
	},
	{
		Name: "retention.ms", Type: Long, Default: "604800000", Importance: Medium, Synonym: "log.retention.ms", rule: atLeast(-1),
		Effect: "honoured with cleanup.policy delete, by append time",
		Doc:    "Age above which old batches go; -1 is no limit.",
	},
	{
		Name: "segment.bytes", Type: Int, Default: "1073741824", Importance: Medium, Synonym: "log.segment.bytes", rule: atLeast(1 << 20),
		Effect: "bytes that the newest records of a compacted partition may have before they are compacted too",
		Doc:    "Size of a log's files.",
	},
	{
		Name: "segment.index.bytes", Type: Int, Default: "10485760", Importance: Medium, Synonym: "log.index.size.max.bytes", rule: atLeast(4),
		Doc: "Size of a file's index.",
	},
	{
		Name: "segment.jitter.ms", Type: Long, Default: "0", Importance: Medium, Synonym: "log.roll.jitter.ms", rule: atLeast(0),
		Doc: "The most that is taken off segment.ms at random.",
	},
	{
		Name: "segment.ms", Type: Long, Default: "604800000", Importance: Medium, Synonym: "log.roll.ms", rule: atLeast(1),
		Effect: "age that the newest records of a compacted partition may have before they are compacted too",
		Doc:    "Age after which a log begins a new file.",
	},
	{
		Name: "unclean.leader.election.enable", Type: Boolean, Default: "false", Importance: Medium, Synonym: "unclean.leader.election.enable",
		Doc: "Whether a replica that is behind may become leader. Here no replica is ever behind.",
	},
})

// FindTopic returns a topic's config by name, nil when there is none.
func FindTopic(name string) *Def { return topicConfigs.byName[name] }
