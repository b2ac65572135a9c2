//go:build system

package sdk

import (
	"testing"

	"millrace/test/process"
	"millrace/test/program"
)

// followSteps are what the programs of indexes, streams and expiry report in each language.
var followSteps = []string{"create", "indexes", "added", "capacity", "follow", "expiry", "delete"}

func TestUnchangedClientsUseIndexesStreamsAndExpiry(t *testing.T) {
	t.Parallel() // each waits for its item to expire
	endpoint := *endpointFlag
	if endpoint == "" {
		endpoint = start(t, process.Options{}).Endpoint()
	}
	for name, play := range map[string]func(t *testing.T, endpoint, table string){
		"go": playFollowGo, "awscli": playFollowCLI,
		"boto3": func(t *testing.T, endpoint, table string) {
			play(t, followSteps, nil, program.Part(t, "python", "venv", "bin", "python"), "clients/dynamodb_follow.py", endpoint, table)
		},
		"javascript": func(t *testing.T, endpoint, table string) {
			play(t, followSteps, nil, "node", "--no-warnings", "clients/dynamodb_follow.mjs", program.Part(t, "node"), endpoint, table)
		},
		"java": func(t *testing.T, endpoint, table string) {
			classPath := compile(t, program.Part(t, "java-dynamodb", "lib", "*"), "clients/Follow.java", "clients/Steps.java")
			play(t, followSteps, nil, "java", "-Xmx256m", "-cp", classPath, "Follow", endpoint, table)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, endpoint, "follow-"+name)
		})
	}
}
