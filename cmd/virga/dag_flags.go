package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// parseStage reads what --stage takes: "NAME", "NAME=FUNCTION", and options
// after blanks.
func parseStage(namespace, text string) (mesh.Stage, error) {
	words := splitOptions(text)
	if len(words) == 0 {
		return mesh.Stage{}, usagef("--stage %q: expected NAME[=FUNCTION] [OPTION]...", text)
	}
	name, function, named := strings.Cut(words[0], "=")
	if !named {
		function = name
	}
	ref, err := parseFuncIn(namespace, function)
	if err != nil {
		return mesh.Stage{}, mesh.AsError("stage "+name, err)
	}
	stage := mesh.Stage{Name: name, Func: ref}
	if err := setOptions(&stage.StageOptions, words[1:]); err != nil {
		return stage, usagef("--stage %q: %s", text, mesh.AsError("", err).Text())
	}
	return stage, nil
}

// parseStageOptions reads what --stage takes of a function that is called
// alone: options after blanks.
func parseStageOptions(text string) (o mesh.StageOptions, err error) {
	words := splitOptions(text)
	if err = setOptions(&o, words); err == nil {
		err = o.Validate("")
	}
	switch {
	case err != nil:
		return o, usagef("--stage %q: %s", text, mesh.AsError("", err).Text())
	case len(words) == 0:
		return o, usagef("--stage %q: expected OPTION..., such as retry=3", text)
	case o.Any != nil:
		return o, usagef("--stage %q: any and invalid choose among results of parents, which a function that is called alone has not", text)
	}
	return o, nil
}

// setOptions sets options, each of which is there once; invalid may be there
// several times, and label for several keys.
func setOptions(o *mesh.StageOptions, words []string) error {
	seen := map[string]bool{}
	for _, word := range words {
		name, rest, _ := strings.Cut(word, "=")
		if name == "label" {
			key, _, _ := strings.Cut(rest, "=")
			name += "=" + key
		}
		if seen[name] && name != "invalid" {
			return mesh.Errorf(mesh.Invalid, "", "option %s is there twice: expected it once", name)
		}
		seen[name] = true
		if err := setOption(o, word); err != nil {
			return err
		}
	}
	return nil
}

// splitOptions splits at blanks that are not within a JSON text.
func splitOptions(text string) (words []string) {
	start, quoted := 0, false
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == ' ' && !quoted:
			if i > start {
				words = append(words, text[start:i])
			}
			start = i + 1
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		}
	}
	return words
}

// stageOptionNames lists the options, for errors and help.
const stageOptionNames = "any, invalid=JSON, batch=SIZE, within=TIME, map=PARALLEL, retry=ATTEMPTS, backoff=TIME, longest=TIME, hedge[=TIME], timeout=TIME, colocate=GROUP or label=KEY=VALUE"

// stageOptionHelp describes those that a function has, too, that is called alone.
const stageOptionHelp = `  retry=N backoff=TIME longest=TIME   run it up to N times in all, with growing pauses
  timeout=TIME                        of each attempt
  map=N                               for each element of the last argument, N at once
  batch=N within=TIME                 once for up to N invocations that come within a time
  hedge or hedge=TIME                 a second copy elsewhere when the first takes long
  label=KEY=VALUE                     only on nodes with the label
  colocate=GROUP                      on one node with the others of the group, copies and elements included
`

// setOption sets one option of a stage.
func setOption(o *mesh.StageOptions, word string) error {
	name, value, given := strings.Cut(word, "=")
	if flag := name == "any" || name == "hedge" && !given; flag && given || !flag && !given {
		return mesh.Errorf(mesh.Invalid, "", "option %q: expected %s", word, stageOptionNames)
	}
	switch name {
	case "any":
		addInvalid(o)
	case "invalid":
		v, err := resultJSON(value)
		if err != nil {
			return err
		}
		addInvalid(o, v)
	case "batch":
		return setCount(&o.Batch.Size, word, value, 2)
	case "within":
		return setDuration(&o.Batch.Within, word, value)
	case "map":
		return setCount(&o.Map.Parallel, word, value, 1)
	case "retry":
		return setCount(&o.Retry.Attempts, word, value, 2)
	case "backoff":
		return setDuration(&o.Retry.Backoff, word, value)
	case "longest":
		return setDuration(&o.Retry.Longest, word, value)
	case "hedge":
		if o.Hedge.On = true; given {
			return setDuration(&o.Hedge.After, word, value)
		}
	case "timeout":
		return setDuration(&o.Timeout, word, value)
	case "colocate":
		o.Colocate = value
	case "label":
		return setLabel(o, word, value)
	default:
		return mesh.Errorf(mesh.Invalid, "", "option %q: expected %s", word, stageOptionNames)
	}
	return nil
}

func addInvalid(o *mesh.StageOptions, values ...mesh.Value) {
	if o.Any == nil {
		o.Any = &mesh.AnyOf{}
	}
	o.Any.Invalid = append(o.Any.Invalid, values...)
}

// resultJSON encodes JSON as a function returns it: a text as text.
func resultJSON(text string) (mesh.Value, error) {
	v, err := parseArg(text)
	if err != nil {
		return v, err
	}
	var plain any
	if err := codec.Decode(v, &plain); err != nil {
		return v, err
	}
	return codec.Encode(plain)
}

func setCount(into *int, word, value string, least int) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < least {
		return mesh.Errorf(mesh.Invalid, "", "option %q: expected a whole number from %d on", word, least)
	}
	*into = n
	return nil
}

func setDuration(into *time.Duration, word, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil {
		return mesh.Errorf(mesh.Invalid, "", "option %q: expected a duration, such as 5s or 100ms", word)
	}
	*into = d
	return nil
}

func setLabel(o *mesh.StageOptions, word, text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return mesh.Errorf(mesh.Invalid, "", "option %q: expected label=KEY=VALUE", word)
	}
	if o.Labels == nil {
		o.Labels = map[string]string{}
	}
	o.Labels[key] = value
	return nil
}

// parseEdge reads "FROM:TO" or "FROM:TO when CONDITION".
func parseEdge(text string) (mesh.Edge, error) {
	ends, condition, conditional := strings.Cut(strings.TrimSpace(text), " ")
	from, to, ok := strings.Cut(ends, ":")
	if !ok || from == "" || to == "" {
		return mesh.Edge{}, usagef("edge %q: expected FROM:TO, or FROM:TO when CONDITION", text)
	}
	edge := mesh.Edge{From: from, To: to}
	if !conditional {
		return edge, nil
	}
	condition, when := strings.CutPrefix(strings.TrimSpace(condition), "when ")
	if !when {
		return mesh.Edge{}, usagef("edge %q: expected FROM:TO, or FROM:TO when CONDITION", text)
	}
	var err error
	edge.When, err = mesh.ParseCondition(condition)
	return edge, err
}

// edgeText writes what parseEdge reads.
func edgeText(e mesh.Edge) string {
	if e.When.IsZero() {
		return e.From + ":" + e.To
	}
	return e.From + ":" + e.To + " when " + e.When.String()
}
