package main

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/mesh"
)

func (d *dagDocument) readStage(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode { // the name alone
		return d.addStage(node.Line, mesh.Stage{Name: node.Value}, node.Value)
	}
	var stage mesh.Stage
	var function string
	known := d.optionFields(&stage.StageOptions)
	known["name"] = d.text("name", &stage.Name)
	known["function"] = d.text("function", &function)
	if err := d.fields(node, "a stage", known); err != nil {
		return err
	}
	if stage.Name == "" {
		return d.errorf(node.Line, "a stage without a name: expected the field name")
	}
	if function == "" {
		function = stage.Name
	}
	return d.addStage(node.Line, stage, function)
}

func (d *dagDocument) addStage(line int, stage mesh.Stage, function string) (err error) {
	if stage.Func, err = parseFuncIn(d.dag.Namespace, function); err != nil {
		return d.at(line, err)
	}
	d.dag.Stages, d.stages = append(d.dag.Stages, stage), append(d.stages, line)
	return nil
}

// parseFuncIn reads "name", "name@version" or "namespace/name" for a DAG of a namespace.
func parseFuncIn(namespace, text string) (mesh.FuncRef, error) {
	if before, after, other := strings.Cut(text, "/"); other {
		namespace, text = before, after
	}
	return mesh.ParseFuncRef(namespace, text)
}

// funcIn writes what parseFuncIn reads.
func funcIn(namespace string, ref mesh.FuncRef) string {
	same := ref.Namespace == namespace
	ref.Namespace, namespace = "", ref.Namespace
	if same {
		return ref.String()
	}
	return namespace + "/" + ref.String()
}

// optionFields reads mesh.StageOptions.
func (d *dagDocument) optionFields(o *mesh.StageOptions) map[string]field {
	return map[string]field{
		"any":      func(n *yaml.Node) error { return d.readAny(n, o) },
		"batch":    func(n *yaml.Node) error { return d.readBatch(n, &o.Batch) },
		"map":      d.short(d.count("map", &o.Map.Parallel, 1), "map", map[string]field{"parallel": d.count("parallel", &o.Map.Parallel, 1)}),
		"retry":    d.readRetry(&o.Retry),
		"hedge":    func(n *yaml.Node) error { return d.readHedge(n, &o.Hedge) },
		"timeout":  d.duration("timeout", &o.Timeout),
		"colocate": d.text("colocate", &o.Colocate),
		"labels":   func(n *yaml.Node) error { return d.readLabels(n, o) },
	}
}

// short reads either a scalar, or fields.
func (d *dagDocument) short(scalar field, what string, known map[string]field) field {
	return func(node *yaml.Node) error {
		if node.Kind == yaml.ScalarNode {
			return scalar(node)
		}
		return d.fields(node, what, known)
	}
}

func (d *dagDocument) readRetry(r *mesh.Retry) field {
	return d.short(d.count("retry", &r.Attempts, 2), "retry", map[string]field{
		"attempts": d.count("attempts", &r.Attempts, 2),
		"backoff":  d.duration("backoff", &r.Backoff),
		"longest":  d.duration("longest", &r.Longest),
	})
}

func (d *dagDocument) readBatch(node *yaml.Node, b *mesh.Batch) error {
	err := d.fields(node, "batch", map[string]field{
		"size":   d.count("size", &b.Size, 2),
		"within": d.duration("within", &b.Within),
	})
	if err == nil && b.Size == 0 {
		return d.errorf(node.Line, "batch without a size: expected 2 to %d", mesh.MaxBatch)
	}
	return err
}

func (d *dagDocument) readAny(node *yaml.Node, o *mesh.StageOptions) error {
	var on bool
	some := mesh.AnyOf{}
	err := d.short(d.bool("any", &on), "any", map[string]field{"invalid": d.list("invalid", func(n *yaml.Node) error {
		v, err := d.value(n)
		some.Invalid = append(some.Invalid, v)
		return err
	})})(node)
	if on || node.Kind == yaml.MappingNode {
		o.Any = &some
	}
	return err
}

func (d *dagDocument) readHedge(node *yaml.Node, h *mesh.Hedge) error {
	scalar := d.bool("hedge", &h.On)
	if node.ShortTag() != "!!bool" {
		scalar = d.duration("hedge", &h.After)
	}
	err := d.short(scalar, "hedge", map[string]field{"after": d.duration("after", &h.After)})(node)
	if node.ShortTag() != "!!bool" {
		h.On = true
	}
	return err
}

func (d *dagDocument) readLabels(node *yaml.Node, o *mesh.StageOptions) error {
	if node.Kind != yaml.MappingNode {
		return d.errorf(node.Line, "labels is %s: expected a mapping", kindOf(node))
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		var key, value string
		if err := d.text("label", &key)(node.Content[i]); err != nil {
			return err
		}
		if err := d.text("label "+key, &value)(node.Content[i+1]); err != nil {
			return err
		}
		if _, twice := o.Labels[key]; twice {
			return d.errorf(node.Content[i].Line, "label %q is there twice", key)
		}
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[key] = value
	}
	return nil
}

// readEdge reads "FROM:TO", "FROM:TO when CONDITION", or fields.
func (d *dagDocument) readEdge(node *yaml.Node) error {
	var edge mesh.Edge
	var when string
	err := d.short(func(n *yaml.Node) (err error) {
		if edge, err = parseEdge(n.Value); err != nil {
			return d.at(n.Line, err)
		}
		return nil
	}, "an edge", map[string]field{
		"from": d.text("from", &edge.From), "to": d.text("to", &edge.To), "when": d.text("when", &when),
	})(node)
	if err == nil && when != "" {
		if edge.When, err = mesh.ParseCondition(when); err != nil {
			err = d.at(node.Line, err)
		}
	}
	if err == nil && (edge.From == "" || edge.To == "") {
		err = d.errorf(node.Line, "an edge without from or to: expected both, or FROM:TO")
	}
	d.dag.Edges, d.edges = append(d.dag.Edges, edge), append(d.edges, node.Line)
	return err
}

// text reads a scalar as it is written.
func (f dagFile) text(what string, into *string) field {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
			return f.errorf(node.Line, "%s is %s: expected a text", what, kindOf(node))
		}
		*into = node.Value
		return nil
	}
}

func (f dagFile) bool(what string, into *bool) field {
	return func(node *yaml.Node) error {
		if node.ShortTag() != "!!bool" {
			return f.errorf(node.Line, "%s is %s: expected true or false, or fields", what, kindOf(node))
		}
		*into = node.Value == "true"
		return nil
	}
}

// count reads a whole number, not below least.
func (f dagFile) count(what string, into *int, least int) field {
	return func(node *yaml.Node) error {
		n, err := strconv.Atoi(node.Value)
		if node.Kind != yaml.ScalarNode || err != nil || n < least {
			return f.errorf(node.Line, "%s is %s: expected a whole number from %d on", what, kindOf(node), least)
		}
		*into = n
		return nil
	}
}

func (f dagFile) duration(what string, into *time.Duration) field {
	return func(node *yaml.Node) error {
		d, err := time.ParseDuration(node.Value)
		if node.Kind != yaml.ScalarNode || err != nil {
			return f.errorf(node.Line, "%s is %s: expected a duration, such as 5s or 100ms", what, kindOf(node))
		}
		*into = d
		return nil
	}
}
