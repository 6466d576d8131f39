package sdk_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// What is read element by element, or page by page, is what is read whole,
// for collections of both sides of the size at which they are divided.
func TestLargeCollectionsAreReadInPieces(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		for _, size := range []int{3, 600} {
			ctx, name := t.Context(), fmt.Sprint("set of ", size)
			set := sdk.ORSet[int](client, name)
			members := make([]int, size)
			for i := range members {
				members[i] = i
			}
			for chunk := range slices.Chunk(members, 100) {
				if err := set.Add(ctx, chunk...); err != nil {
					t.Fatal(err)
				}
			}
			if err := set.Remove(ctx, 1); err != nil {
				t.Fatal(err)
			}
			all, err := set.All(ctx)
			if err != nil || len(all) != size-1 {
				t.Errorf("All gives %d of %d, %v", len(all), size-1, err)
			}
			var each []int
			for n, err := range set.Each(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				each = append(each, n)
			}
			slices.Sort(all)
			slices.Sort(each)
			if !slices.Equal(each, all) {
				t.Errorf("Each gives %d elements, All %d", len(each), len(all))
			}
			for n, held := range map[int]bool{0: true, 1: false, size - 1: true, size: false} {
				got, err := set.Contains(ctx, n)
				if err != nil || got != held {
					t.Errorf("%d in the %s: %v, %v", n, name, got, err)
				}
			}
		}
	})
}

func TestLargeMapsAreReadInPieces(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx, squares := t.Context(), sdk.Map[int](client, "squares")
		const size = 400
		for i := range size {
			if err := squares.Put(ctx, fmt.Sprint(i), i*i); err != nil {
				t.Fatal(err)
			}
		}
		if err := squares.Drop(ctx, "7"); err != nil {
			t.Fatal(err)
		}
		count := 0
		for field, err := range squares.Each(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(field.Value) != square10(field.Name) {
				t.Errorf("field %s is %d", field.Name, field.Value)
			}
			count++
		}
		if count != size-1 {
			t.Errorf("Each gives %d fields, want %d", count, size-1)
		}
		got, err := squares.Get(ctx, "399")
		want(t, got, err, 399*399)
		_, err = squares.Get(ctx, "7")
		wantKind(t, err, mesh.NotFound)
	})
}

func square10(digits string) string {
	var n int
	fmt.Sscan(digits, &n)
	return fmt.Sprint(n * n)
}

func TestPiecesOfWhatIsNoCollection(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx := t.Context()
		if err := sdk.Register[int](client, "n").Put(ctx, 1); err != nil {
			t.Fatal(err)
		}
		_, err := client.Element(ctx, "n", "e")
		wantKind(t, err, mesh.Invalid)
		_, err = client.Element(ctx, "missing", "e")
		wantKind(t, err, mesh.NotFound)
		for _, err := range sdk.Set[int](client, "missing").Each(ctx) {
			wantKind(t, err, mesh.NotFound)
		}
	})
}
