// Package gateway lets programs use a mesh by HTTP: they call functions and
// DAGs, and read and write keys, with JSON.
//
//	POST   /v1/call/FUNCTION   [1, {"$ref": "KEY"}]      the result
//	POST   /v1/dag/DAG         {"stage": [1]}            the results by sink
//	GET    /v1/kv/KEY                                    {"key", "kind", "value"}
//	PUT    /v1/kv/KEY          any JSON, or bytes        {"key", "replicas", "durability"}
//	DELETE /v1/kv/KEY
//
// Calls take ?consistency=LEVEL among others; docs/http.md has all. It is for
// a loopback address: it asks nobody who they are, and refuses what a page of
// another site has a browser send.
package gateway
