package hot

import (
	"bytes"
	"math"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// tables is what a decoded input of DynamoDB lives in. What calls repeat is kept between them: texts, and the maps of names.
type tables struct {
	put    dynamodbapi.PutItemInput
	get    dynamodbapi.GetItemInput
	update dynamodbapi.UpdateItemInput
	del    dynamodbapi.DeleteItemInput
	query  dynamodbapi.QueryInput
	scan   dynamodbapi.ScanInput

	batchGet   dynamodbapi.BatchGetItemInput
	batchWrite dynamodbapi.BatchWriteItemInput
	readTx     dynamodbapi.TransactGetItemsInput
	writeTx    dynamodbapi.TransactWriteItemsInput

	gets     map[string]dynamodbapi.KeysAndAttributes
	writes   map[string][]dynamodbapi.WriteRequest
	keys     []api.JSON
	requests []dynamodbapi.WriteRequest
	puts     []dynamodbapi.PutRequest
	deletes  []dynamodbapi.DeleteRequest
	reads    []dynamodbapi.TransactGetItem
	readOf   []dynamodbapi.Get
	actions  []dynamodbapi.TransactWriteItem
	actionOf []actionOf

	texts   [keptTexts]string // in the order in which a call has them: the same caller sends the same ones
	used    int               // of texts
	counts  [4]int32
	counted int
	names   [keptNames]namesOf
	named   int // of names

	form  *api.Form      // of the service that forms reads for
	forms api.FormReader // nil: values stay text
}

// use has values read into a service's form; nil: they stay text.
func (t *tables) use(form *api.Form) {
	if t.form == form {
		return
	}
	t.form, t.forms = form, nil
	if form != nil {
		t.forms = form.NewReader()
	}
}

// actionOf has room for each kind of action.
type actionOf struct {
	check  dynamodbapi.ConditionCheck
	put    dynamodbapi.Put
	del    dynamodbapi.Delete
	update dynamodbapi.Update
	text   *string // an expression that must be there
}

// namesOf is a map of names with the text that it was read from.
type namesOf struct {
	text  string
	names map[string]string
}

const (
	keptTexts = 32
	keptNames = 4
	// keptText is the longest text that is kept, as long as an expression may be.
	keptText = 4 << 10
)

// begin forgets what the last call had.
func (t *tables) begin() {
	t.used, t.counted, t.named = 0, 0, 0
	t.keys, t.requests, t.puts, t.deletes = t.keys[:0], t.requests[:0], t.puts[:0], t.deletes[:0]
	t.reads, t.readOf, t.actions, t.actionOf = t.reads[:0], t.readOf[:0], t.actions[:0], t.actionOf[:0]
}

// release lets go of the body, of forms, and of more than calls usually need.
func (t *tables) release() {
	t.put, t.get, t.update, t.del = dynamodbapi.PutItemInput{}, dynamodbapi.GetItemInput{}, dynamodbapi.UpdateItemInput{}, dynamodbapi.DeleteItemInput{}
	t.query, t.scan = dynamodbapi.QueryInput{}, dynamodbapi.ScanInput{}
	t.batchGet, t.batchWrite = dynamodbapi.BatchGetItemInput{}, dynamodbapi.BatchWriteItemInput{}
	t.readTx, t.writeTx = dynamodbapi.TransactGetItemsInput{}, dynamodbapi.TransactWriteItemsInput{}
	clear(t.gets)
	clear(t.writes)
	clear(t.keys)
	clear(t.requests)
	clear(t.puts)
	clear(t.deletes)
	clear(t.reads)
	clear(t.readOf)
	clear(t.actions)
	clear(t.actionOf)
	if cap(t.keys) > maxKeptKeys {
		t.keys = nil
	}
	if t.forms != nil {
		t.forms.Reset()
	}
}

// maxKeptKeys is enough for batches of ten tables.
const maxKeptKeys = 1000

// reading is a decoder on its way through a body. Each method reads a member's value into a place that is still empty, and gives
// false for what is not known and for a member that was there before.
type reading struct {
	scanner
	*tables
}

// value takes an object in the service's form or, if it does not know that, as it stands.
func (r *reading) value(to *api.JSON) bool {
	if *to != nil {
		return false
	}
	if r.forms != nil {
		r.next()
		if form, end, ok := r.forms.Read(r.data, r.pos); ok {
			*to, r.pos = form, end
			return true
		}
	}
	b, ok := r.object()
	*to = b
	return ok
}

// words takes a text without escapes of at least low and at most high bytes, and so of at most as many characters.
func (r *reading) words(low, high int) (*string, bool) {
	b, ok := r.text()
	if !ok || len(b) < low || len(b) > high {
		return nil, false
	}
	return r.own(b), true
}

// own is a string of its own for b.
func (t *tables) own(b []byte) *string {
	if t.used == keptTexts || len(b) > keptText {
		return new(string(b))
	}
	t.used++
	return keep(&t.texts[t.used-1], b)
}

// table takes the name or ARN of a table.
func (r *reading) table(to *string) bool {
	if *to != "" {
		return false
	}
	s, ok := r.words(1, maxTableName)
	if ok {
		*to = *s
	}
	return ok
}

const maxTableName = 1024

// isTable says that a name may be that of a table or its ARN. Others are left to the general codec: the error of a batch with such a
// name shows the batch as it was sent.
func isTable(b []byte) bool {
	if len(b) < 3 || len(b) > maxTableName {
		return false
	}
	return bytes.HasPrefix(b, []byte("arn:")) || len(b) <= 255 && allNameBytes(b)
}

// expression takes a text that may be absent.
func (r *reading) expression(to **string) bool {
	if *to != nil {
		return false
	}
	var ok bool
	*to, ok = r.words(0, math.MaxInt)
	return ok
}

func (r *reading) index(to **string) bool {
	if !r.expression(to) {
		return false
	}
	return len(**to) >= 3 && len(**to) <= 255 && allNameBytes(**to)
}

func allNameBytes[T string | []byte](s T) bool {
	for i := range len(s) {
		if !nameByte[s[i]] {
			return false
		}
	}
	return true
}

var yes, no = true, false

func (r *reading) flag(to **bool) bool {
	if *to != nil {
		return false
	}
	v, ok := r.boolean()
	*to = &no
	if v {
		*to = &yes
	}
	return ok
}

// number takes a count of at least low and at most high.
func (r *reading) number(to **int32, low, high int32) bool {
	if *to != nil || r.counted == len(r.counts) {
		return false
	}
	n, ok := r.count()
	r.counts[r.counted] = n
	*to = &r.counts[r.counted]
	r.counted++
	return ok && n >= low && n <= high
}

// oneOf takes one of the values of an enum.
func oneOf[T ~string](r *reading, to **T, values []T) bool {
	b, ok := r.text()
	if !ok || *to != nil {
		return false
	}
	for i := range values {
		if string(b) == string(values[i]) {
			*to = &values[i]
			return true
		}
	}
	return false
}

// The values of the enums.
var (
	returnValues = []dynamodbapi.ReturnValue{dynamodbapi.ReturnValueNone, dynamodbapi.ReturnValueAllOld, dynamodbapi.ReturnValueUpdatedOld, dynamodbapi.ReturnValueAllNew, dynamodbapi.ReturnValueUpdatedNew}
	capacities   = []dynamodbapi.ReturnConsumedCapacity{dynamodbapi.ReturnConsumedCapacityIndexes, dynamodbapi.ReturnConsumedCapacityTotal, dynamodbapi.ReturnConsumedCapacityNone}
	collections  = []dynamodbapi.ReturnItemCollectionMetrics{dynamodbapi.ReturnItemCollectionMetricsSize, dynamodbapi.ReturnItemCollectionMetricsNone}
	onFailures   = []dynamodbapi.ReturnValuesOnConditionCheckFailure{dynamodbapi.ReturnValuesOnConditionCheckFailureAllOld, dynamodbapi.ReturnValuesOnConditionCheckFailureNone}
	selects      = []dynamodbapi.Select{dynamodbapi.SelectAllAttributes, dynamodbapi.SelectAllProjectedAttributes, dynamodbapi.SelectSpecificAttributes, dynamodbapi.SelectCount}
)

// aliases takes ExpressionAttributeNames. A map that was read from the same text is used again: nobody changes it.
func (r *reading) aliases(to *map[string]string) bool {
	b, ok := r.object()
	if !ok || *to != nil {
		return false
	}
	var kept *namesOf
	if r.named < keptNames {
		kept = &r.names[r.named]
		r.named++
		if kept.names != nil && kept.text == string(b) {
			*to = kept.names
			return true
		}
	}
	if *to, ok = readNames(b); ok && kept != nil && len(b) <= keptText {
		*kept = namesOf{string(b), *to}
	}
	return ok
}

// maxAttributeName is the longest name that the model allows.
const maxAttributeName = 65535

func readNames(body []byte) (map[string]string, bool) {
	names := make(map[string]string)
	c := &scanner{data: body}
	ok := c.members(func(alias []byte) bool {
		b, ok := c.text()
		if _, twice := names[string(alias)]; twice || !ok || len(b) > maxAttributeName {
			return false
		}
		names[string(alias)] = string(b)
		return true
	})
	return names, ok
}
