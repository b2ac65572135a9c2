package hot

import "millrace/internal/api"

// dynamodb makes the codecs of the operations that carry items, for a service whose values have that form; nil: they are text.
var dynamodb = map[string]func(*api.Form) *Codec{
	"PutItem":    forTables((*tables).putItem, answers.sizeOfPut, answers.put),
	"GetItem":    forTables((*tables).getItem, answers.sizeOfGet, answers.get),
	"UpdateItem": forTables((*tables).updateItem, answers.sizeOfUpdate, answers.update),
	"DeleteItem": forTables((*tables).deleteItem, answers.sizeOfDelete, answers.del),
	"Query":      forTables((*tables).queryTable, answers.sizeOfQuery, answers.query),
	"Scan":       forTables((*tables).scanTable, answers.sizeOfScan, answers.scan),

	"BatchGetItem":       forTables((*tables).batchGetItem, answers.sizeOfBatchGet, answers.batchGet),
	"BatchWriteItem":     forTables((*tables).batchWriteItem, answers.sizeOfBatchWrite, answers.batchWrite),
	"TransactGetItems":   forTables((*tables).transactGetItems, answers.sizeOfTransactGet, answers.transactGet),
	"TransactWriteItems": forTables((*tables).transactWriteItems, answers.sizeOfTransactWrite, answers.transactWrite),
}

// forTables makes a codec of typed functions.
func forTables[I, O any](decode func(*tables, []byte) *I, size func(answers, *O) int, encode func(answers, []byte, *O) []byte) func(*api.Form) *Codec {
	return func(form *api.Form) *Codec {
		a := answers{form}
		return &Codec{
			Decode: func(body []byte, s *Scratch) any {
				if s.tables == nil {
					s.tables = new(tables)
				}
				s.tables.use(form)
				s.tables.begin()
				if in := decode(s.tables, body); in != nil {
					return in
				}
				s.tables.release()
				return nil
			},
			Size:   func(out any) int { return size(a, out.(*O)) },
			Append: func(b []byte, out any) []byte { return encode(a, b, out.(*O)) },
		}
	}
}
