// Package tweets is Retwis, a small Twitter, as functions of a mesh: people
// sign up, follow one another, post and reply, and read timelines. It is the
// application that Cloudburst was measured with (PVLDB 13(11), section 6.3.2).
//
// The functions are written once, and run in a process that embeds a node, in
// a worker or as WebAssembly. Package web serves them to people.
//
// All state is in four kinds of keys, under "retwis/":
//
//	user/NAME      who signed up when: a register
//	follows/NAME   the names that someone follows: an or-set
//	posts/NAME     the ids of someone's tweets: an or-set
//	tweet/ID       a tweet: a register
//
// and in one set, "names", of all that signed up. A tweet is written before its
// id is added to the posts of its author, and a reply after its original was
// read. So who sees a reply sees its original, if reads are causal; else a
// timeline may have a reply whose original cannot be read, and says so.
package tweets
