// Package jsonform is how people write and read what the mesh holds as JSON:
// arguments that refer to keys and runs, values, keys of any kind, and errors.
// The command line and the gateway for HTTP share it, so that one text means
// the same to both.
package jsonform
