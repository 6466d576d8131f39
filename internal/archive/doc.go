// Package archive is the format of a backup: a folder of files of records,
// each with a checksum, and a manifest that is written last. A folder without
// a manifest is no backup.
//
// It knows no mesh: what the records are taken from, and merged into, is the
// affair of its caller.
package archive
