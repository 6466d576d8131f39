package mesh

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// A large collection is stored as one key, which its users know, and up to
// Parts others beside it, each with the elements or fields whose names hash to
// its number. The key of a part is the whole key's with a suffix that no name
// of a user's key has. It lies in the same partition.
const Parts = 1024

// partSuffix is how long the suffix is: a zero byte and the part's number, in
// two characters of six bits each.
const partSuffix = 3

// partDigit is the first of the characters that stand for 0 to 63.
const partDigit = '0'

// PartOf is the number of the part in which an element or field of a
// collection is stored: some bits of the SHA-256 of its name.
func PartOf(name string) uint16 {
	var buf [256]byte
	sum := sha256.Sum256(append(buf[:0], name...))
	return binary.BigEndian.Uint16(sum[:]) % Parts
}

// Part is the key of a part of k, by its number below Parts.
func (k Key) Part(n uint16) Key {
	k.Name += string([]byte{0, partDigit + byte(n>>6), partDigit + byte(n&63)})
	return k
}

// PartPrefix begins the names of all parts of k, and no others.
func (k Key) PartPrefix() string { return k.Name + "\x00" }

// Whole is the key that k is a part of, and the part's number; a key that is
// no part is given as it is.
func (k Key) Whole() (whole Key, n uint16, isPart bool) {
	at := len(k.Name) - partSuffix
	if at < 0 || k.Name[at] != 0 {
		return k, 0, false
	}
	n = uint16(k.Name[at+1]-partDigit)<<6 | uint16(k.Name[at+2]-partDigit)
	return Key{Namespace: k.Namespace, Name: k.Name[:at]}, n, true
}

// ValidateStored is Validate for keys as nodes store them and name them to
// one another: parts are allowed, too.
func (k Key) ValidateStored() error {
	if whole, n, isPart := k.Whole(); isPart && n < Parts && whole.Part(n) == k {
		return whole.Validate()
	}
	return k.Validate()
}

// hasZero reports whether a name is not a user's key's.
func hasZero(name string) bool { return strings.IndexByte(name, 0) >= 0 }
