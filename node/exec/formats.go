package exec

import (
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// readable gives values in formats that a module reads: JSON becomes CBOR and
// the reverse where it reads only the other. Nothing else is converted.
func readable(values []mesh.Value, formats uint32) ([]mesh.Value, error) {
	for i, v := range values {
		if v.IsZero() || formats&(1<<v.Format) != 0 {
			continue
		}
		out := append([]mesh.Value(nil), values...)
		for j := i; j < len(out); j++ {
			var err error
			if out[j], err = readableValue(out[j], formats); err != nil {
				return nil, mesh.Errorf(mesh.Invalid, "", "argument %d: %s", j+1, mesh.AsError("", err).Text())
			}
		}
		return out, nil
	}
	return values, nil
}

func readableValue(v mesh.Value, formats uint32) (mesh.Value, error) {
	switch {
	case v.IsZero() || formats&(1<<v.Format) != 0:
		return v, nil
	case v.Format == mesh.JSON && formats&(1<<mesh.CBOR) != 0:
		return codec.FromJSON(v.Data)
	case v.Format == mesh.CBOR && formats&(1<<mesh.JSON) != 0:
		text, err := codec.ToJSON(v, "")
		return mesh.Value{Format: mesh.JSON, Data: text}, err
	}
	return mesh.Value{}, mesh.Errorf(mesh.Invalid, "", "a %v value, which the module does not read", v.Format)
}
