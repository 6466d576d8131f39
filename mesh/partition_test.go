package mesh

import (
	"fmt"
	"testing"
)

func TestPartitionsCoverTheSpace(t *testing.T) {
	for p := range Partition(Partitions) {
		first := p.ID()
		if first.Partition() != p {
			t.Fatalf("partition %v begins in partition %v", p, first.Partition())
		}
		last := first
		last[1] |= 0xff >> (PartitionBits - 8)
		for i := 2; i < len(last); i++ {
			last[i] = 0xff
		}
		if last.Partition() != p {
			t.Fatalf("partition %v ends in partition %v", p, last.Partition())
		}
	}
	if s := Partition(10).String(); s != "00a" {
		t.Errorf("String = %q, want 00a", s)
	}
}

func TestKeysSpreadOverPartitions(t *testing.T) {
	const keys = 8 * Partitions
	var count [Partitions]int
	for i := range keys {
		count[Key{DefaultNamespace, fmt.Sprint("k", i)}.Partition()]++
	}
	for p, n := range count {
		if n > 40 { // of 8 expected; by chance once in 10^15
			t.Errorf("partition %v has %d of %d keys", Partition(p), n, keys)
		}
	}
}
