// Package storetest holds what every driver of store.Store has to pass.
//
// [Run] is the suite: each promise of the contract is a test with a sentence as its name. A driver's
// test hands in how to open an empty store, and if it can, how to close and open it again:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, open, storetest.WithReopen("AfterClose", reopen))
//	}
//
// Beside examples there are random runs, each with its seed in the message: concurrent histories that are
// replayed in the order of their commits (history.go), calls on single keys and partitions that must be
// linearizable (linear.go), and calls that must get the same answers as on the model, with the store
// reopened in between (compare.go). [Bench] measures a driver.
//
// [NewModel] is the reference driver: everything in memory under one mutex, on the same pure rules.
// Random histories are run on it and on a driver, and must give the same answers. Services may
// use it in their tests too.
package storetest
