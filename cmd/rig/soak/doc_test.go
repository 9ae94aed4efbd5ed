// Package soak holds faults with real processes: the built binary as headquarters
// and as branches, faultproxy on every link, load through the API as any program
// would make it, and an auditor that afterwards reads every site's database.
//
// Rules: a fault is done to a process, a folder or a cable, never to the code. A
// worker that gets no answer asks again with the same request id until it has one,
// as a desk would; so at the end the number of records is known exactly.
//
// It promises that each fault really happened (a fault that did not is a failure
// of the test) and proves nothing about power loss: kill -9 leaves the page cache.
//
// The tests whose name ends in Soak run long, and only under BRANCHLINE_SOAK=1.
package soak
