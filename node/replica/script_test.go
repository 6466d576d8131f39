package replica

import (
	"strings"
)

// argument finds the value of "name=value" in a command; "" if there is none.
func argument(command, name string) string {
	for word := range strings.FieldsSeq(command) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
	}
	return ""
}
