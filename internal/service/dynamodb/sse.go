package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/field"
)

// The KMS key of a table is kept and shown; there is no KMS, and every key that is well formed exists. A table that has one is sealed at
// rest under a data key of the store (vault.go), which the root key of this millrace wraps.

const (
	// sseChanges of a table's key may follow each other within sseWindow, and then one each sseRest. Source: UpdateTable's own
	// text, as recorded by public clients' tests against AWS in autumn 2026, like the other texts here.
	sseChanges = 4
	sseWindow  = 24 * time.Hour
	sseRest    = 6 * time.Hour
)

// sse is a table's key. Its zero value is that of a table under the service's own key, of which nothing is shown.
type sse struct {
	key      string // ARN; "": the service's own
	next     string // what it becomes when the change ends
	changing bool

	began, last int64 // ms: the first change of the window, and the last one
	changes     int64 // in the window
}

// Forms of a KMS key: its id (of a multi-region key too), an alias, and the ARN of either.
var (
	keyID  = regexp.MustCompile(`^([0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|mrk-[0-9a-f]{32})$`)
	keyARN = regexp.MustCompile(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:(?:key/([0-9a-zA-Z-]+)|(alias/[a-zA-Z0-9/_-]+))$`)
	alias  = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)
)

// checkSSE checks what does not depend on the table.
func checkSSE(in *dynamodbapi.SSESpecification) error {
	switch {
	case in == nil:
		return nil
	case !isTrue(in.Enabled) && in.SSEType != nil:
		return errParameter("SSEType can not be specified if Enabled is false")
	case !isTrue(in.Enabled) && in.KMSMasterKeyId != nil:
		return errParameter("KMSMasterKeyId can not be specified if Enabled is false")
	case in.SSEType != nil && *in.SSEType != dynamodbapi.SSETypeKms:
		return errParameter("SSEType " + string(*in.SSEType) + " is not supported")
	case in.SSEType == nil && in.KMSMasterKeyId != nil:
		return errParameter("SSEType KMS is required if KMSMasterKeyId is specified")
	}
	return nil
}

// keyOfSSE is the ARN of the key that a request means; "" when it means the service's own.
func keyOfSSE(in *dynamodbapi.SSESpecification, p place) (string, error) {
	if in == nil || !isTrue(in.Enabled) {
		return "", nil
	}
	if in.KMSMasterKeyId == nil {
		return p.keyARN(idOfAlias(p, "alias/aws/dynamodb")), nil
	}
	name := *in.KMSMasterKeyId
	parts := keyARN.FindStringSubmatch(name)
	switch {
	case keyID.MatchString(name):
		return p.keyARN(name), nil
	case alias.MatchString(name):
		return p.keyARN(idOfAlias(p, name)), nil
	case parts == nil || parts[2] != "" && !keyID.MatchString(parts[2]):
		return "", errKMS("Invalid keyId " + name) // our own text
	case parts[1] != p.region:
		return "", errKMS("Invalid arn " + parts[1])
	case parts[3] != "":
		return p.keyARN(idOfAlias(p, parts[3])), nil
	}
	return strings.Clone(name), nil
}

func errKMS(text string) error {
	return errInvalid("KMS validation error: com.amazonaws.services.kms.model.NotFoundException: " + text)
}

func (p place) keyARN(id string) string {
	return "arn:aws:kms:" + p.region + ":" + p.account + ":key/" + id
}

// idOfAlias is the id of the key behind an alias, which is always the same one.
func idOfAlias(p place, name string) string {
	sum := sha256.Sum256([]byte(p.account + "\x00" + p.region + "\x00" + name))
	id := [16]byte(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // as a UUID of version 4
	return uuid(id)
}

// change begins to put the table under another key.
//
// Errors: ValidationException, LimitExceededException.
func (e *sse) change(in *dynamodbapi.SSESpecification, p place, now int64) error {
	key, err := keyOfSSE(in, p)
	if err != nil {
		return err
	}
	was := e.wanted()
	switch {
	case key == "" && was == "":
		return errParameter("Table is already encrypted by default")
	case key != "" && key == was && in.KMSMasterKeyId != nil && *in.KMSMasterKeyId == key:
		return errParameter("Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key")
	}
	if now >= e.began+sseWindow.Milliseconds() {
		e.began, e.changes = now, 0
	}
	if e.changes >= sseChanges && now < e.last+sseRest.Milliseconds() {
		return dynamodbapi.LimitExceededException(fmt.Sprintf("Subscriber limit exceeded: Encryption mode changes are limited in the 24h window ending at %s. "+
			"After the first %d change, each subsequent change in the same window can be performed at most once every %d seconds. "+
			"Number of updates today: %d. Last change at %s. Next changes can be made at %s.", zulu(e.began+sseWindow.Milliseconds()),
			sseChanges, int(sseRest.Seconds()), e.changes, zulu(e.last), zulu(min(e.last+sseRest.Milliseconds(), e.began+sseWindow.Milliseconds()))))
	}
	e.next, e.changing, e.last = key, true, now
	e.changes++
	return nil
}

// zulu is a time in ms as texts of AWS show it.
func zulu(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// wanted is the key that the table has been asked to be under.
func (e *sse) wanted() string {
	if e.changing {
		return e.next
	}
	return e.key
}

// settle ends a change.
func (e *sse) settle() {
	if e.changing {
		e.key, e.next, e.changing = e.next, "", false
	}
}

// describe is what is shown; nil of a table under the service's own key.
func (e *sse) describe() *dynamodbapi.SSEDescription {
	d := &dynamodbapi.SSEDescription{Status: new(dynamodbapi.SSEStatusEnabled), SSEType: new(dynamodbapi.SSETypeKms), KMSMasterKeyArn: new(e.key)}
	if e.changing {
		d.Status = new(dynamodbapi.SSEStatusUpdating)
		if e.next != "" {
			d.KMSMasterKeyArn = new(e.next)
		}
	}
	if *d.KMSMasterKeyArn == "" {
		return nil
	}
	return d
}

// append adds the table's field; none of a table that never had a key.
func (e *sse) append(v []byte) []byte {
	if *e == (sse{}) {
		return v
	}
	changing := uint64(0)
	if e.changing {
		changing = 1
	}
	var p []byte
	for _, n := range []uint64{uint64(e.began), uint64(e.last), uint64(e.changes), changing, uint64(len(e.key))} {
		p = binary.AppendUvarint(p, n)
	}
	return appendField(v, fieldSSE, append(append(p, e.key...), e.next...))
}

// decode reads what append wrote; false when it is something else.
func (e *sse) decode(p []byte) bool {
	d := field.Reader{B: p}
	*e = sse{began: int64(d.Uvarint()), last: int64(d.Uvarint()), changes: int64(d.Uvarint())}
	changing := d.Uvarint()
	e.key = d.TextVar()
	e.next, e.changing = string(d.B), changing == 1
	return !d.Bad && changing <= 1 && min(e.began, e.last, e.changes) >= 0 && (e.changing || e.next == "") && *e != sse{}
}
