// Package hook runs the command with which an operator starts and stops
// nodes when the mesh wants another number of them: for a bounded time, one
// at a time, with what it prints in the log.
//
// What is wanted, and when, is not its business: see node/elastic.
package hook
