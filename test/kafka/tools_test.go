//go:build system

package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/process"
)

// Main classes of the tools, by the names of their scripts.
const (
	topicsTool       = "org.apache.kafka.tools.TopicCommand"
	configsTool      = "kafka.admin.ConfigCommand"
	groupsTool       = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	producerTool     = "org.apache.kafka.tools.ConsoleProducer"
	consumerTool     = "org.apache.kafka.tools.consumer.ConsoleConsumer"
	offsetsTool      = "org.apache.kafka.tools.GetOffsetShell"
	transactionsTool = "org.apache.kafka.tools.TransactionsCommand"
	logDirsTool      = "org.apache.kafka.tools.LogDirsCommand"
	quorumTool       = "org.apache.kafka.tools.MetadataQuorumCommand"
	featuresTool     = "org.apache.kafka.tools.FeatureCommand"
	deleteTool       = "org.apache.kafka.tools.DeleteRecordsCommand"
	electionTool     = "org.apache.kafka.tools.LeaderElectionCommand"
	reassignTool     = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
	versionsTool     = "org.apache.kafka.tools.BrokerApiVersionsCommand"
	clusterTool      = "org.apache.kafka.tools.ClusterTool"
	allGroupsTool    = "org.apache.kafka.tools.GroupsCommand"
	producePerfTool  = "org.apache.kafka.tools.ProducerPerformance"
	consumePerfTool  = "org.apache.kafka.tools.ConsumerPerformance"
)

// toolCall is one call of a console tool.
type toolCall struct {
	tool  string
	args  string // with spaces between them; @ stands for the bootstrap address, FOLDER/ for the folder of the files
	input string
	want  []string // regular expressions that its output matches
	fails bool     // it ends with another code than 0
}

// toolFiles are what tools read.
var toolFiles = map[string]string{
	"delete.json":   `{"version":1,"partitions":[{"topic":"tools","partition":0,"offset":-1}]}`,
	"election.json": `{"partitions":[{"topic":"tools","partition":0},{"topic":"tools","partition":1}]}`,
	"reassign.json": `{"version":1,"partitions":[{"topic":"tools","partition":0,"replicas":[0]},{"topic":"tools","partition":1,"replicas":[0]}]}`,
	"topics.json":   `{"version":1,"topics":[{"topic":"tools"}]}`,
}

// toolCalls are in order: later ones see what earlier ones did. A transaction of id "hanging" stands open in topic "open".
var toolCalls = []toolCall{
	{tool: versionsTool, args: "--bootstrap-server @", want: []string{`\(id: 0 rack: null isFenced: false\)`, `Produce\(0\): 0 to 13`, `Fetch\(1\): 4 to 18`}},
	{tool: topicsTool, args: "--bootstrap-server @ --create --topic tools --partitions 2 --replication-factor 1 --config retention.ms=3600000", want: []string{`Created topic tools`}},
	{tool: topicsTool, args: "--bootstrap-server @ --create --topic tools", want: []string{`Topic 'tools' already exists`}, fails: true},
	{tool: topicsTool, args: "--bootstrap-server @ --create --topic tools --if-not-exists"},
	{tool: topicsTool, args: "--bootstrap-server @ --list", want: []string{`(?m)^tools$`}},
	{tool: topicsTool, args: "--bootstrap-server @ --describe --topic tools", want: []string{
		`PartitionCount: 2`, `ReplicationFactor: `, `retention\.ms=3600000`, `Partition: 1\s+Leader: 0\s+Replicas: 0\S*\s+Isr: 0`,
	}},
	{tool: topicsTool, args: "--bootstrap-server @ --alter --topic tools --partitions 3"},
	{tool: topicsTool, args: "--bootstrap-server @ --describe --topic tools", want: []string{`PartitionCount: 3`}},
	{tool: topicsTool, args: "--bootstrap-server @ --describe --unavailable-partitions", want: []string{`\A\s*\z`}},
	{tool: configsTool, args: "--bootstrap-server @ --alter --entity-type topics --entity-name tools --add-config max.message.bytes=100000", want: []string{`Completed updating config for topic tools`}},
	{tool: configsTool, args: "--bootstrap-server @ --describe --entity-type topics --entity-name tools", want: []string{`max\.message\.bytes=100000`, `retention\.ms=3600000`}},
	{tool: configsTool, args: "--bootstrap-server @ --alter --entity-type topics --entity-name tools --delete-config max.message.bytes"},
	{tool: configsTool, args: "--bootstrap-server @ --describe --entity-type topics --entity-name tools --all", want: []string{`max\.message\.bytes=1048588`}},
	{tool: configsTool, args: "--bootstrap-server @ --alter --entity-type topics --entity-name tools --add-config no.such.config=1", want: []string{`(?i)unknown topic config name`}, fails: true},
	{tool: configsTool, args: "--bootstrap-server @ --describe --entity-type brokers --entity-name 0 --all", want: []string{`num\.partitions=`, `log\.retention\.ms`}},
	{tool: configsTool, args: "--bootstrap-server @ --alter --entity-type users --entity-name carol --add-config SCRAM-SHA-256=[password=secret]", want: []string{`Completed updating config for user carol`}},
	{tool: producerTool, args: "--bootstrap-server @ --topic tools --reader-property parse.key=true --reader-property key.separator=| --compression-codec zstd", input: "a|one\nb|two\nc|three\nd|four\n"},
	{
		tool: consumerTool, args: "--bootstrap-server @ --topic tools --from-beginning --max-messages 4 --timeout-ms 20000 --group tools-group --formatter-property print.key=true --formatter-property print.timestamp=true",
		want: []string{`CreateTime:\d+\ta\tone`, `\tb\ttwo`, `\tc\tthree`, `\td\tfour`, `Processed a total of 4 messages`},
	},
	{tool: offsetsTool, args: "--bootstrap-server @ --topic tools --time latest", want: []string{`(?m)^tools:0:\d+$`, `(?m)^tools:2:\d+$`}},
	{tool: offsetsTool, args: "--bootstrap-server @ --topic tools --time earliest", want: []string{`(?m)^tools:0:0$`}},
	{tool: offsetsTool, args: "--bootstrap-server @", want: []string{`(?m)^__consumer_offsets:49:0$`, `(?m)^tools:2:\d+$`}},
	{tool: consumerTool, args: "--bootstrap-server @ --topic __consumer_offsets --from-beginning --timeout-ms 500", want: []string{`Processed a total of 0 messages`}},
	{tool: topicsTool, args: "--bootstrap-server @ --describe --topic __consumer_offsets", want: []string{`PartitionCount: 50`, `cleanup\.policy=compact`}},
	{tool: logDirsTool, args: "--bootstrap-server @ --describe", want: []string{`"error":null`}},
	{tool: groupsTool, args: "--bootstrap-server @ --list", want: []string{`(?m)^tools-group$`}},
	{tool: groupsTool, args: "--bootstrap-server @ --describe --group tools-group", want: []string{`tools-group\s+tools\s+0\s+\d+\s+\d+\s+0`}},
	{tool: groupsTool, args: "--bootstrap-server @ --describe --group tools-group --state", want: []string{`tools-group.*Empty\s+0`}},
	{tool: groupsTool, args: "--bootstrap-server @ --describe --group tools-group --members"},
	{tool: groupsTool, args: "--bootstrap-server @ --reset-offsets --group tools-group --topic tools --to-earliest --execute", want: []string{`tools-group\s+tools\s+0\s+0`}},
	{tool: groupsTool, args: "--bootstrap-server @ --delete-offsets --group tools-group --topic tools", want: []string{`Successful`}},
	{tool: allGroupsTool, args: "--bootstrap-server @ --list", want: []string{`tools-group\s+Classic\s+consumer`}},
	{tool: groupsTool, args: "--bootstrap-server @ --delete --group tools-group", want: []string{`was successful`}},
	{tool: deleteTool, args: "--bootstrap-server @ --offset-json-file FOLDER/delete.json", want: []string{`partition: tools-0\s+low_watermark: \d+`}},
	{tool: logDirsTool, args: "--bootstrap-server @ --describe --topic-list tools", want: []string{`"partition":"tools-0","size":\d+`}},
	{tool: quorumTool, args: "--bootstrap-server @ describe --status", want: []string{`ClusterId:\s+\S+`, `LeaderId:\s+0`}},
	{tool: quorumTool, args: "--bootstrap-server @ describe --replication", want: []string{`(?m)^0\s.*Leader`}},
	{tool: featuresTool, args: "--bootstrap-server @ describe", want: []string{`Feature: transaction\.version.*FinalizedVersionLevel: 2`, `Feature: metadata\.version`}},
	{tool: clusterTool, args: "cluster-id --bootstrap-server @", want: []string{`Cluster ID: \S{22}`}},
	{tool: electionTool, args: "--bootstrap-server @ --election-type preferred --path-to-json-file FOLDER/election.json", want: []string{`(?i)(valid replica already elected|successfully completed)`}},
	{tool: reassignTool, args: "--bootstrap-server @ --generate --topics-to-move-json-file FOLDER/topics.json --broker-list 0", want: []string{`Proposed partition reassignment configuration`}},
	{tool: reassignTool, args: "--bootstrap-server @ --execute --reassignment-json-file FOLDER/reassign.json", want: []string{`Successfully started partition reassignments`}},
	{tool: reassignTool, args: "--bootstrap-server @ --verify --reassignment-json-file FOLDER/reassign.json", want: []string{`Reassignment of partition tools-0 is completed`}},
	{tool: reassignTool, args: "--bootstrap-server @ --list", want: []string{`No partition reassignments found`}},
	{tool: transactionsTool, args: "--bootstrap-server @ list", want: []string{`hanging\s+0\s+\d+\s+Ongoing`}},
	{tool: transactionsTool, args: "--bootstrap-server @ describe --transactional-id hanging", want: []string{`hanging\s+\d+\s+\d+\s+Ongoing.*open-0`}},
	{tool: transactionsTool, args: "--bootstrap-server @ describe-producers --topic open --partition 0", want: []string{`(?m)^\d+\s+\d+`}},
	{tool: transactionsTool, args: "--bootstrap-server @ find-hanging --broker-id 0"},
	{tool: transactionsTool, args: "--bootstrap-server @ abort --topic open --partition 0 --start-offset 0"},
	{tool: transactionsTool, args: "--bootstrap-server @ forceTerminateTransaction --transactionalId hanging", want: nil},
	{tool: consumerTool, args: "--bootstrap-server @ --topic open --from-beginning --isolation-level read_committed --max-messages 1 --timeout-ms 10000", want: []string{`after`}},
	{tool: producePerfTool, args: "--bootstrap-server @ --topic perf --num-records 20000 --record-size 200 --throughput -1 --command-property compression.type=lz4", want: []string{`20000 records sent`}},
	{tool: consumePerfTool, args: "--bootstrap-server @ --topic perf --num-records 20000 --timeout 20000", want: []string{`20000`}},
	{tool: topicsTool, args: "--bootstrap-server @ --delete --topic tools"},
	{tool: topicsTool, args: "--bootstrap-server @ --describe --topic tools", want: []string{`does not exist`}, fails: true},
}

func TestConsoleToolsOfKafkaWork(t *testing.T) {
	t.Parallel()
	s := start(t, process.Options{})
	folder := t.TempDir()
	for name, text := range toolFiles {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hanging := connect(t, s.Ready.Kafka, kgo.TransactionalID("hanging"), kgo.TransactionTimeout(5*time.Minute))
	if err := hanging.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, hanging, "open", makeRecords("open", 1))
	sendAll(t, connect(t, s.Ready.Kafka), "open", []record{{key: "after", value: "after"}})
	p := startTools(t)
	replace := strings.NewReplacer("@", s.Ready.Kafka, "FOLDER", folder)
	for i, c := range toolCalls {
		name := fmt.Sprintf("%02d %s", i, c.tool[strings.LastIndexByte(c.tool, '.')+1:])
		t.Run(name, func(t *testing.T) {
			args := slices.Collect(strings.FieldsSeq(replace.Replace(c.args)))
			code, out := p.run(t, c.tool, c.input, args...)
			if (code != 0) != c.fails {
				t.Errorf("%s: got code %d, want failure %v:\n%s", c.args, code, c.fails, out)
			}
			for _, want := range c.want {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("%s: got\n%s\nwant %s", c.args, out, want)
				}
			}
		})
	}
	t.Run("a stream with a closed shard says why it takes nothing", func(t *testing.T) {
		putWithBoto3(t, s, "resharded", 1, []keyed{{"key", "before the split"}})
		split(t, s, "resharded")
		_, out := p.run(t, producePerfTool, "", "--bootstrap-server", s.Ready.Kafka, "--topic", "resharded",
			"--num-records", "1", "--record-size", "10", "--throughput", "-1") // the console producer tells only its log
		if !strings.Contains(out, "PolicyViolationException") || !strings.Contains(out, "closed shard") {
			t.Errorf("got %s, want POLICY_VIOLATION and the reason", out)
		}
	})
}
