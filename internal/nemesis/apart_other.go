//go:build !linux

package nemesis

// MountApart is for Linux; elsewhere it does nothing.
func MountApart() error { return nil }
