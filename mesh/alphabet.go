package mesh

// alphabet is the bytes that a name may have.
type alphabet [256]bool

const lowerBytes = "abcdefghijklmnopqrstuvwxyz0123456789-_."

var (
	namespaceBytes  = alphabetOf(lowerBytes)
	identifierBytes = alphabetOf(lowerBytes + "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	hexDigits       = alphabetOf("0123456789abcdef")
)

func alphabetOf(bytes string) *alphabet {
	a := &alphabet{}
	for i := range len(bytes) {
		a[bytes[i]] = true
	}
	return a
}

// spells reports whether a name has no other bytes.
func (a *alphabet) spells(name string) bool {
	for i := range len(name) {
		if !a[name[i]] {
			return false
		}
	}
	return true
}
