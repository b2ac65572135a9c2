package dynamodb

// Limits. Source: developer guide, "Service, account, and table quotas" and "Constraints" (read 2026-11), unless said otherwise.
const (
	maxUnits = 1_000_000_000_000 // read or write units that a request can ask for; dynalite, test/createTable.js

	accountUnits = 80_000 // units of an account in a region
	tableUnits   = 40_000 // units of one table

	maxHashKey  = 2048      // bytes of a partition key
	maxSortKey  = 1024      // bytes of a sort key
	maxItemSize = 400 << 10 // bytes of an item, names included, exact to the byte

	maxListTables = 100 // names on a page of ListTables

	maxGlobal   = 20  // global indexes of a table
	maxLocal    = 5   // local indexes of a table
	maxIncluded = 100 // attributes that its indexes include, each counted in each index
)

const (
	maxBatchGet   = 100      // keys of a BatchGetItem
	maxBatchBytes = 16 << 20 // bytes of items that a BatchGetItem answers
	maxBatchWrite = 25       // requests of a BatchWriteItem
	maxTransact   = 4 << 20  // bytes of items in a transaction
)
