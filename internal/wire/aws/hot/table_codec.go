package hot

import "millrace/internal/api/dynamodbapi"

// dynamodb are the operations that carry items.
var dynamodb = map[string]*Codec{
	"PutItem":    forTables((*tables).putItem, sizeOfPut, appendPut),
	"GetItem":    forTables((*tables).getItem, sizeOfGet, appendGet),
	"UpdateItem": forTables((*tables).updateItem, sizeOfUpdate, appendUpdate),
	"DeleteItem": forTables((*tables).deleteItem, sizeOfDelete, appendDelete),
	"Query":      forTables((*tables).queryTable, sizeOfQuery, appendQuery),
	"Scan":       forTables((*tables).scanTable, sizeOfScan, appendScan),

	"BatchGetItem":       forTables((*tables).batchGetItem, sizeOfBatchGet, appendBatchGet),
	"BatchWriteItem":     forTables[dynamodbapi.BatchWriteItemInput, dynamodbapi.BatchWriteItemOutput]((*tables).batchWriteItem, nil, nil),
	"TransactGetItems":   forTables((*tables).transactGetItems, sizeOfTransactGet, appendTransactGet),
	"TransactWriteItems": forTables[dynamodbapi.TransactWriteItemsInput, dynamodbapi.TransactWriteItemsOutput]((*tables).transactWriteItems, nil, nil),
}

// forTables makes a codec of typed functions; answers without an encoder are written by the general codec.
func forTables[I, O any](decode func(*tables, []byte) *I, size func(*O) int, encode func([]byte, *O) []byte) *Codec {
	c := &Codec{Decode: func(body []byte, s *Scratch) any {
		if s.tables == nil {
			s.tables = new(tables)
		}
		s.tables.begin()
		if in := decode(s.tables, body); in != nil {
			return in
		}
		s.tables.release()
		return nil
	}}
	if encode != nil {
		c.Size = func(out any) int { return size(out.(*O)) }
		c.Append = func(b []byte, out any) []byte { return encode(b, out.(*O)) }
	}
	return c
}
