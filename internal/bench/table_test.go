package bench

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTablesAreWrittenForPeopleAndPrograms(t *testing.T) {
	r := Report{Tables: []Table{{
		Name: "losses", Columns: []string{"lax", "strict"},
		Rows: []TableRow{{Name: "keys", Counts: []int{3, 0}, Barred: []bool{false, true}, Note: "of ten"}},
	}}}
	var text strings.Builder
	if err := r.WriteTables(&text); err != nil {
		t.Fatal(err)
	}
	if want := "losses  lax  strict  \nkeys    3    [0]     of ten\n\n"; text.String() != want {
		t.Errorf("%q, want %q", text.String(), want)
	}
	raw, err := json.Marshal(&r)
	if want := `"tables":[{"name":"losses","columns":["lax","strict"],"rows":[{"name":"keys","counts":[3,0],"barred":[false,true],"note":"of ten"}]}]`; err != nil || !strings.Contains(string(raw), want) {
		t.Errorf("%s, %v", raw, err)
	}
}
