//go:build !linux

package nemesis

// SetApart is for Linux; elsewhere it does nothing.
func SetApart() error { return nil }
