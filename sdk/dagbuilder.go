package sdk

import (
	"errors"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// DAGBuilder puts a DAG together. What is wrong with it is known at Build.
//
//	dag, err := sdk.NewDAG("scores").
//		Stage("load", "load", sdk.Retry(3, 100*time.Millisecond), sdk.Timeout(time.Second)).
//		Stage("alarm", "alarm").
//		Stage("store", "store@prod", sdk.Colocate("db")).
//		Edge("load", "alarm", sdk.When("score > 0.9")).
//		Edge("load", "store").
//		Build()
//	...
//	err = client.CreateDAG(ctx, dag)
type DAGBuilder struct {
	dag  mesh.DAG
	errs []error
}

// NewDAG begins a DAG without stages. Its namespace, and that of functions
// that name none, is that of the client that creates it.
func NewDAG(name string) *DAGBuilder { return &DAGBuilder{dag: mesh.DAG{Name: name}} }

// Stage adds a stage that runs a function: "square", or with a version or an
// alias "square@prod". Options given twice hold as given last.
func (b *DAGBuilder) Stage(name, function string, options ...StageOption) *DAGBuilder {
	return b.stage(name, "", function, options)
}

// StageIn is Stage for a function of another namespace.
func (b *DAGBuilder) StageIn(namespace, name, function string, options ...StageOption) *DAGBuilder {
	return b.stage(name, namespace, function, options)
}

func (b *DAGBuilder) stage(name, namespace, function string, options []StageOption) *DAGBuilder {
	ref, err := mesh.ParseFuncRef(mesh.DefaultNamespace, function)
	b.note("stage", name, err)
	ref.Namespace = namespace
	stage := mesh.Stage{Name: name, Func: ref}
	for _, option := range options {
		b.note("stage", name, option(&stage.StageOptions))
	}
	b.dag.Stages = append(b.dag.Stages, stage)
	return b
}

// Edge hands the result of a stage to another one, as an argument after those
// of the edges before it.
func (b *DAGBuilder) Edge(from, to string, options ...EdgeOption) *DAGBuilder {
	edge := mesh.Edge{From: from, To: to}
	for _, option := range options {
		b.note("edge", from+":"+to, option(&edge))
	}
	b.dag.Edges = append(b.dag.Edges, edge)
	return b
}

// Consistency sets what each run of the DAG may rely on where it reads state;
// CallOptions.Consistency can ask for more, not for less.
func (b *DAGBuilder) Consistency(level mesh.Consistency) *DAGBuilder {
	b.dag.Consistency = level
	return b
}

// note keeps an error for Build.
func (b *DAGBuilder) note(what, name string, err error) {
	if err != nil {
		e := *mesh.AsError("", err)
		e.Op, e.Msg, e.Err = "dag "+b.dag.Name+", "+what+" "+name, e.Text(), nil
		b.errs = append(b.errs, &e)
	}
}

// Build gives the DAG, or an Invalid error: of what the options said that
// cannot be, and else the first thing that mesh.DAG.Validate finds. Whether
// the functions exist is known when it is created.
func (b *DAGBuilder) Build() (*mesh.DAG, error) {
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	if err := inNamespace(&b.dag, mesh.DefaultNamespace).Validate(); err != nil {
		return nil, err
	}
	return inNamespace(&b.dag, ""), nil
}

// inNamespace gives a copy of d in which what names no namespace is in this one.
func inNamespace(d *mesh.DAG, namespace string) *mesh.DAG {
	placed := *d
	placed.Stages, placed.Edges = slices.Clone(d.Stages), slices.Clone(d.Edges)
	if placed.Namespace == "" {
		placed.Namespace = namespace
	}
	for i := range placed.Stages {
		if ref := &placed.Stages[i].Func; ref.Namespace == "" {
			ref.Namespace = namespace
		}
	}
	return &placed
}

// TypedStage is a stage of which the types are known: In is what it gets as
// its argument, Out what it gives.
type TypedStage[In, Out any] struct {
	builder *DAGBuilder
	name    string
}

// AddStage adds a stage for a function of one argument, with its types, so
// that the compiler checks the edges that Connect makes.
func AddStage[In, Out any](b *DAGBuilder, name string, f *Function[In, Out], options ...StageOption) TypedStage[In, Out] {
	b.stage(name, f.client.namespace, f.name, options)
	return TypedStage[In, Out]{b, name}
}

// Connect makes the edge by which to gets what from gives.
func Connect[A, B, C any](from TypedStage[A, B], to TypedStage[B, C], options ...EdgeOption) {
	from.builder.Edge(from.name, to.name, options...)
}
