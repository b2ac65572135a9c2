package codec

import (
	"reflect"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/api/kinesisapi"
)

func TestValuesThatStayJSONArePiecesOfTheBody(t *testing.T) {
	dynamodb := dynamodbapi.Bind(dynamodbapi.Unimplemented{})
	op := dynamodb.Operations["PutItem"]
	deep := strings.Repeat(`{"M":{"n":`, 40) + `{"S":"x"}` + strings.Repeat(`}}`, 40)
	item := `{ "a" : ` + deep + ` }`
	in := op.New().(*dynamodbapi.PutItemInput)
	body := `{"Item": ` + item + ` ,"TableName":"t","ExpressionAttributeValues":null,"Expected":{"a":{"AttributeValueList":[{"S":"x"},{"N":"1"}]}}}`
	if err := DecodeJSON([]byte(body), op.Input, in); err != nil {
		t.Fatal(err)
	}
	if string(in.Item) != item || in.ExpressionAttributeValues != nil || in.TableName != "t" {
		t.Errorf("%s\nis read as item %s, values %s, table %q", body, in.Item, in.ExpressionAttributeValues, in.TableName)
	}
	if l := in.Expected["a"].AttributeValueList; len(l) != 2 || string(l[1]) != `{"N":"1"}` {
		t.Errorf("list of values: %s", l)
	}
	if err := api.Validate(op.Input, in); err != nil {
		t.Errorf("valid input is refused: %v", err)
	}
	if err := api.Validate(op.Input, &dynamodbapi.PutItemInput{TableName: "t"}); err == nil || !strings.Contains(err.Message, "Value null at 'item'") {
		t.Errorf("input without an item: %v", err)
	}
	out := &dynamodbapi.ScanOutput{Items: []api.JSON{api.JSON(`{"a":{"S":"x"}}`), nil}, LastEvaluatedKey: api.JSON(`{"k":{"N":"1"}}`)}
	got := string(AppendJSON(nil, dynamodb.Operations["Scan"].Output, out))
	if want := `{"Items":[{"a":{"S":"x"}},{}],"LastEvaluatedKey":{"k":{"N":"1"}}}`; got != want {
		t.Errorf("answer %s, want %s", got, want)
	}
}

func TestValuesThatStayJSONMustBeJSON(t *testing.T) {
	op := dynamodbapi.Bind(dynamodbapi.Unimplemented{}).Operations["GetItem"]
	for _, key := range []string{`{"a":}`, `{`, `nope`, `{"a":1,}`, strings.Repeat("[", 2000) + strings.Repeat("]", 2000)} {
		if err := DecodeJSON([]byte(`{"TableName":"t","Key":`+key+`}`), op.Input, op.New()); err == nil {
			t.Errorf("key %.40s is read", key)
		}
	}
}

func TestNoValueStaysJSONInCBOR(t *testing.T) {
	shape := &api.Shape{Kind: api.KindJSON}
	in := &kinesisapi.PutRecordInput{}
	s := *kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["PutRecord"].Input
	s.Members = append([]api.Member(nil), s.Members...)
	for i := range s.Members {
		if s.Members[i].Name == "Data" {
			s.Members[i].Shape = shape
		}
	}
	if err := DecodeCBOR([]byte("\xa1\x64Data\x61x"), &s, in); err == nil {
		t.Errorf("read as %q", in.Data)
	}
}

func TestEveryShapeOfDynamoDBSurvivesJSON(t *testing.T) {
	for _, b := range []*api.Binding{dynamodbapi.Bind(dynamodbapi.Unimplemented{}), dynamodbstreamsapi.Bind(dynamodbstreamsapi.Unimplemented{})} {
		for name, shape := range shapesOf(b) {
			want, got := reflect.New(shape.Type), reflect.New(shape.Type)
			fill(shape, want.Elem(), 1)
			body := AppendJSON(nil, shape, want.Interface())
			if err := DecodeJSON(body, shape, got.Interface()); err != nil {
				t.Errorf("%s: %v\nbody %q", name, err, body)
			} else if !reflect.DeepEqual(got.Interface(), want.Interface()) {
				t.Errorf("%s\n got %+v\nwant %+v", name, got.Interface(), want.Interface())
			}
		}
	}
}
