package aws

import (
	"maps"
	"net/http"
	"strconv"
	"testing"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/wire/aws/sigv4"
)

// scoped is the header of somebody who signs for a service; sums below were recorded by dynalite (test/connection.js).
func scoped(service string) map[string]string {
	return map[string]string{
		"Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20261120/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=ab",
		"X-Amz-Date":    "20261120T190000Z",
	}
}

// also is a header with more in it, names before values.
func also(header map[string]string, more ...string) map[string]string {
	h := maps.Clone(header)
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

func TestRequestsWithoutATargetAreAnsweredInTheWordsOfWhomTheyAreFor(t *testing.T) {
	const unknown = `{"__type":"com.amazon.coral.service#UnknownOperationException"}`
	for _, netHTTPOnly := range []bool{false, true} {
		addr := serve(t, Options{netHTTPOnly: netHTTPOnly, AllowedOrigins: []string{"*"}, DefaultRegion: "us-east-1"},
			kinesisapi.Bind(kinesisapi.Unimplemented{}), dynamodbapi.Bind(&table{}))
		dynamodb := scoped("dynamodb")
		for _, c := range []struct {
			name, method string
			header       map[string]string
			body         string
			status       int
			want         string
			sum          uint32 // 0: none
		}{
			{"a GET", "GET", dynamodb, "", 200, "healthy: dynamodb.us-east-1.amazonaws.com ", 3128867991},
			{"a PUT", "PUT", dynamodb, "", 404, "<UnknownOperationException/>\n", 3552371480},
			{"a PUT with a target", "PUT", also(map[string]string{}, "X-Amz-Target", ddb+"ListTables"), "", 404, "<UnknownOperationException/>\n", 3552371480},
			{"OPTIONS without an origin", "OPTIONS", dynamodb, "", 404, "<UnknownOperationException/>\n", 3552371480},
			{"no body", "POST", dynamodb, "", 400, unknown, 1368724161},
			{"no content type", "POST", dynamodb, "hi", 404, "<UnknownOperationException/>\n", 3552371480},
			{"awsJson 1.0", "POST", also(map[string]string{}, "Content-Type", typeJSON10), "{}", 400, unknown, 1368724161},
			{"not JSON", "POST", also(map[string]string{}, "Content-Type", typeJSON10+";blah"), "hi", 400, `{"__type":"com.amazon.coral.service#SerializationException"}`, 3948637019},
			{"the operation of an unknown target", "POST", also(dynamodb, "X-Amz-Target", "DynamoDB.PutItem", "Content-Type", typeJSON10), "{}", 400, unknown, 1368724161},
			{"for Kinesis", "GET", scoped("kinesis"), "", 403, "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n", 0},
			{"awsJson 1.0 for Kinesis", "POST", also(scoped("kinesis"), "Content-Type", typeJSON10), "{}", 400, `{"__type":"UnknownOperationException"}`, 0},
			{"for nobody", "GET", nil, "", 403, "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n", 0},
			{"of a page", "OPTIONS", also(dynamodb, "Origin", "http://page"), "", 200, "", 0},
		} {
			a, got := call(t, http.DefaultClient, c.method, addr, c.header, c.body)
			sum := ""
			if c.sum != 0 {
				sum = strconv.FormatUint(uint64(c.sum), 10)
			}
			if a.StatusCode != c.status || got != c.want || a.Header.Get("X-Amz-Crc32") != sum {
				t.Errorf("%s\n got %d %q, sum %s\nwant %d %q, sum %s", c.name, a.StatusCode, got, a.Header.Get("X-Amz-Crc32"), c.status, c.want, sum)
			}
			if id := a.Header.Get("X-Amzn-Requestid"); (c.sum != 0) != longID.MatchString(id) && c.method != "OPTIONS" {
				t.Errorf("%s: request id %q", c.name, id)
			}
		}
	}
}

func TestDynamoDBIsWellAtItsRootOnly(t *testing.T) {
	addr := serve(t, Options{}, kinesisapi.Bind(kinesisapi.Unimplemented{}), dynamodbapi.Bind(&table{}))
	for path, want := range map[string]int{"": 200, "/": 200, "/?a=b": 200, "/abc": 404, "/-": 404, "//": 404} {
		if a, got := call(t, http.DefaultClient, "GET", addr+path, scoped("dynamodb"), ""); a.StatusCode != want {
			t.Errorf("GET %q: %d %q, want %d", path, a.StatusCode, got, want)
		}
	}
}

func TestDynamoDBAsksWhoSentABodyThatIsNotThere(t *testing.T) {
	addr := serve(t, Options{Credentials: sigv4.Static{"AKID": "secret"}}, kinesisapi.Bind(kinesisapi.Unimplemented{}), dynamodbapi.Bind(&table{}))
	const coral = "com.amazon.coral.service#"
	for _, c := range []struct {
		name, query, auth, date string
		want                    string
		sum                     string
	}{
		{"nothing", "", "", "", coral + "MissingAuthenticationTokenException", "2088342776"},
		{"another scheme", "", "AWS4", "", coral + "MissingAuthenticationTokenException", "2088342776"},
		{"no parameters", "", "AWS4-", "", coral + "IncompleteSignatureException", "1828866742"},
		{"no signed headers", "", "AWS4- Signature=b, Credential=a", "a", coral + "IncompleteSignatureException", "164353342"},
		{"both places", "?X-Amz-Algorithm", "X", "", coral + "InvalidSignatureException", "2139606068"},
		{"an empty query", "?X-Amz-Algorithm", "", "", coral + "IncompleteSignatureException", "2900502663"},
	} {
		h := also(map[string]string{}, "X-Amz-Target", ddb+"ListTables")
		if c.auth != "" {
			h["Authorization"] = c.auth
		}
		if c.date != "" {
			h["Date"] = c.date
		}
		a, got := call(t, http.DefaultClient, "POST", addr+"/"+c.query, h, "")
		if a.StatusCode != 400 || a.Header.Get("X-Amz-Crc32") != c.sum || a.Header.Get("Content-Type") != typeDeprecated {
			t.Errorf("%s\n got %d %s %q, sum %s\nwant %s, sum %s", c.name, a.StatusCode, a.Header.Get("Content-Type"), got, a.Header.Get("X-Amz-Crc32"), c.want, c.sum)
		}
	}
}
