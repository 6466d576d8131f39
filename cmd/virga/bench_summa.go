package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/virga-mesh/virga/sdk"
)

// SUMMA (van de Geijn and Watts, 1997): the product of two matrices on a grid
// of actors, of which each has one block of both and computes one of the
// product. In step k the actors of column k send their block of the left
// matrix along their row, and those of row k theirs of the right one along
// their column.
const (
	summaGrid  = 3
	summaBlock = 64 // rows and columns of a block
)

// block is a square matrix, row by row.
type block []float64

// summaPart is what an actor starts with.
type summaPart struct {
	cast
	Left, Right block
}

// summaMessage is a block for step Step.
type summaMessage struct {
	Step  int
	Side  int // 0: of the left matrix, 1: of the right one
	Block block
}

func summa(ctx context.Context, in summaPart) (block, error) {
	row, column := in.Self/summaGrid, in.Self%summaGrid
	if err := in.send(ctx, row, column); err != nil {
		return nil, err
	}
	var blocks [summaGrid][2]block
	blocks[column][0], blocks[row][1] = in.Left, in.Right
	missing := 2 * (summaGrid - 1)
	err := hear(ctx, func(m summaMessage) bool {
		blocks[m.Step][m.Side] = m.Block
		missing--
		return missing == 0
	})
	if err != nil {
		return nil, err
	}
	product := make(block, summaBlock*summaBlock)
	for _, pair := range blocks {
		multiplyInto(product, pair[0], pair[1], summaBlock)
	}
	return product, nil
}

// send sends this actor's blocks along its row and its column.
func (p summaPart) send(ctx context.Context, row, column int) error {
	for i := range summaGrid {
		if i != column {
			if err := p.tell(ctx, row*summaGrid+i, summaMessage{column, 0, p.Left}); err != nil {
				return err
			}
		}
		if i != row {
			if err := p.tell(ctx, i*summaGrid+column, summaMessage{row, 1, p.Right}); err != nil {
				return err
			}
		}
	}
	return nil
}

// multiplyInto adds the product of two matrices of n rows and columns.
func multiplyInto(sum, left, right []float64, n int) {
	for i := range n {
		for k := range n {
			x := left[i*n+k]
			for j := range n {
				sum[i*n+j] += x * right[k*n+j]
			}
		}
	}
}

// summaProblem is two matrices and their product, computed here.
type summaProblem struct{ left, right, product []float64 }

const summaSize = summaGrid * summaBlock

func newSummaProblem() summaProblem {
	p := summaProblem{make([]float64, summaSize*summaSize), make([]float64, summaSize*summaSize), make([]float64, summaSize*summaSize)}
	for i := range p.left {
		p.left[i], p.right[i] = float64(i%7), float64(i%5) // whole numbers: sums are exact
	}
	multiplyInto(p.product, p.left, p.right, summaSize)
	return p
}

// blockOf cuts the block of an actor out of a matrix.
func blockOf(matrix []float64, actor int) block {
	cut := make(block, 0, summaBlock*summaBlock)
	top, start := actor/summaGrid*summaBlock, actor%summaGrid*summaBlock
	for row := top; row < top+summaBlock; row++ {
		cut = append(cut, matrix[row*summaSize+start:][:summaBlock]...)
	}
	return cut
}

func (b *benchRun) summa(ctx context.Context) error {
	const actors = summaGrid * summaGrid
	problem, nodes := newSummaProblem(), b.mesh.spread(actors)
	args := sdk.Args{}
	for i := range actors {
		args[actorStage(i)] = []any{summaPart{cast{i, nodes}, blockOf(problem.left, i), blockOf(problem.right, i)}}
	}
	return b.actors(ctx, summaCase, nativeSumma, nodes, args, func(results sdk.Results) error {
		for i := range actors {
			got, err := sdk.Result[block](results, actorStage(i))
			if err != nil {
				return err
			}
			if !slices.Equal(got, blockOf(problem.product, i)) {
				return fmt.Errorf("block %d of the product is wrong", i)
			}
		}
		return nil
	})
}
