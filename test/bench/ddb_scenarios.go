package main

import "fmt"

// object is a JSON object.
type object = map[string]any

func str(s string) object { return object{"S": s} }

func num(n int) object { return object{"N": fmt.Sprint(n)} }

// hashed is a table with a partition key, ranged one with a sort key too.
var (
	hashed = object{
		"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}},
		"KeySchema":            []object{{"AttributeName": "pk", "KeyType": "HASH"}},
	}
	ranged = object{
		"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}},
		"KeySchema":            []object{{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}},
	}
)

const (
	itemBytes  = 1024
	tableConns = 16
	queryItems = 100
)

// changed is the key of an item that one request after the other writes with another content: a server may leave out a write
// that changes nothing.
func changed(worker, variant int) string { return ours(worker, variant/2) }

// ours is the key of one of a worker's items.
func ours(worker, variant int) string { return fmt.Sprintf("item-%02d-%03d", worker, variant) }

// kibibyte is an item of 1 KiB as DynamoDB counts: names and values.
func kibibyte(pk string) object {
	return object{"pk": str(pk), "data": str(letters(itemBytes - len("pk") - len(pk) - len("data")))}
}

func everyItem() (all []object) {
	for worker := range tableConns {
		for variant := range tableVariants {
			all = append(all, kibibyte(ours(worker, variant)))
		}
	}
	return all
}

// tableScenarios are those with the peers. Bars: where the project stands against them, measured in one run.
func tableScenarios() []tableScenario {
	put := func(w, v int) tableCall { return tableCall{"PutItem", object{"Item": kibibyte(changed(w, v))}} }
	return []tableScenario{
		{
			name: "ddb-put", connections: tableConns, table: hashed, request: put, floor: (*server).putRecord,
			bars: []tableBar{{dynamodbLocal, true, 1 / 2.8}, {floorName, true, 1.8}, {dynoxideOnDisk, false, 6}},
		},
		{
			name: "ddb-get", connections: tableConns, table: hashed, fill: everyItem(), request: get(false), reads: true,
			bars: []tableBar{{dynamodbLocal, true, 0.4}},
		},
		{
			name: "ddb-get-consistent", connections: tableConns, table: hashed, fill: everyItem(), request: get(true), reads: true,
			bars: []tableBar{{dynamodbLocal, true, 0.4}},
		},
		{
			name: "ddb-counter-hot", connections: 4 * tableConns, table: hashed, request: counter(func(int, int) string { return "hot" }),
			bars: []tableBar{{floorName, false, 0.5}},
		},
		{name: "ddb-counter-many", connections: 4 * tableConns, table: hashed, request: counter(ours)},
		{name: "ddb-query", connections: tableConns, table: ranged, fill: collections(), request: query, reads: true},
		{name: "ddb-batch", connections: tableConns, table: hashed, request: batch},
		{
			name: "ddb-transact", connections: tableConns, table: hashed, request: transact,
			bars: []tableBar{{dynamodbLocal, true, 0.3}},
		},
	}
}

func get(consistent bool) func(w, v int) tableCall {
	return func(w, v int) tableCall {
		return tableCall{"GetItem", object{"Key": object{"pk": str(ours(w, v))}, "ConsistentRead": consistent}}
	}
}

func counter(key func(w, v int) string) func(w, v int) tableCall {
	return func(w, v int) tableCall {
		return tableCall{"UpdateItem", object{
			"Key": object{"pk": str(key(w, v))}, "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": object{":one": num(1)},
		}}
	}
}

// collections are item collections of 100 items of some 100 bytes, one for each worker.
func collections() (all []object) {
	for worker := range tableConns {
		for i := range queryItems {
			all = append(all, object{"pk": str(ours(worker, 0)), "sk": num(i), "data": str(letters(80))})
		}
	}
	return all
}

func query(w, _ int) tableCall {
	return tableCall{"Query", object{"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": object{":pk": str(ours(w, 0))}}}
}

// batch puts 25 items of 1 KiB.
func batch(w, v int) tableCall {
	var puts []object
	for i := range 25 {
		puts = append(puts, object{"PutRequest": object{"Item": kibibyte(fmt.Sprint(changed(w, v), "-", i))}})
	}
	return tableCall{"BatchWriteItem", object{"RequestItems": puts}}
}

// transact puts one item, counts another up, asks that a third is not there, and puts or deletes a fourth, in turn.
func transact(w, v int) tableCall {
	key := func(part string) object { return object{"pk": str(changed(w, v) + part)} }
	fourth := object{"Put": object{"Item": kibibyte(changed(w, v) + "-now-and-then")}}
	if v%2 == 1 {
		fourth = object{"Delete": object{"Key": key("-now-and-then")}}
	}
	return tableCall{"TransactWriteItems", object{"TransactItems": []object{
		{"Put": object{"Item": kibibyte(changed(w, v))}},
		{"Update": object{"Key": key("-n"), "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": object{":one": num(1)}}},
		{"ConditionCheck": object{"Key": key("-none"), "ConditionExpression": "attribute_not_exists(pk)"}},
		fourth,
	}}}
}
