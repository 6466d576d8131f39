package main

import "strings"

// splitWords splits a line into words, as a shell does: blanks separate them,
// what is within single quotes is as it stands, and within double quotes and
// outside of quotes a backslash takes the next character as it is. A # that
// begins a word begins a comment.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun, quote := false, rune(0)
	escaped := false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		begun = false
		word.Reset()
	}
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			begun, escaped = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			begun, quote = true, c
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			end()
		case c == '#' && !begun:
			return words, nil
		default:
			begun = true
			word.WriteRune(c)
		}
	}
	if quote != 0 {
		return nil, usagef("a quote %c is open at the end of the line: expected another", quote)
	}
	if escaped {
		return nil, usagef("the line ends with a backslash: expected a character after it")
	}
	end()
	return words, nil
}
