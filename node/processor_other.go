//go:build !unix

package node

// processorSeconds is not told here: nodes are as busy as their places.
func processorSeconds() float64 { return 0 }
