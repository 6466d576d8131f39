// Command command is a plain WASI command: what it does is its first argument.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	var lines []string
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		lines = append(lines, in.Text())
	}
	switch lines[0] {
	case `"join"`:
		fmt.Println(strings.Join(lines[1:], " "))
	case `"binary"`:
		os.Stdout.Write([]byte{0xff, '\n'})
	case `"fail"`:
		fmt.Fprintln(os.Stderr, "what went wrong")
		os.Exit(3)
	case `"exit0"`:
		fmt.Print("done")
		os.Exit(0)
	case `"spin"`:
		for {
		}
	case `"hog"`:
		for all := [][]byte{}; ; all = append(all, make([]byte, 1<<20)) {
		}
	case `"flood"`:
		for {
			fmt.Print(strings.Repeat("x", 1<<16))
		}
	case `"open"`:
		_, err := os.ReadFile("/etc/passwd")
		fmt.Print(err)
	}
}
