// Package web serves the functions of package tweets to people: a page, and
// the JSON that it is made of. It holds no state but a count of the violations
// that it has handed out.
//
//	GET  /                                the page
//	GET  /api/users                       all names
//	POST /api/users                       {"name": "ada"}
//	GET  /api/users/NAME                  the profile
//	POST /api/users/NAME/follows          {"others": ["bob"], "stop": false}
//	GET  /api/users/NAME/timeline?n=20    the timeline
//	POST /api/users/NAME/tweets           {"text": "hello", "reply_to": ""}
//	GET  /api/violations                  replies handed out without their original, by level
//
// Each but the last takes ?consistency=LEVEL, of which causal-session is the
// default. It is for a loopback address: it asks nobody who they are.
package web
