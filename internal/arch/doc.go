// Package arch holds the layering of the project as a test: which room may
// import which. docs/architecture.md draws the same picture.
package arch
