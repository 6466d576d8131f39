package mesh

import (
	"bytes"
	"errors"
	"testing"
)

func TestValueRoundTrip(t *testing.T) {
	for _, v := range []Value{{Raw, nil}, {Text, []byte("hello")}, {CBOR, []byte{0x02}}, {Protobuf, []byte{1, 2}}} {
		got, err := DecodeValue(v.AppendBinary(nil))
		if err != nil || got.Format != v.Format || !bytes.Equal(got.Data, v.Data) {
			t.Errorf("%v came back as %v, %v", v, got, err)
		}
	}
}

func TestDecodeValueRefusesWhatIsNone(t *testing.T) {
	for _, b := range [][]byte{nil, {0}, {6}, {255, 1}} {
		if _, err := DecodeValue(b); !errors.Is(err, Invalid) {
			t.Errorf("DecodeValue(%v) = %v, want Invalid", b, err)
		}
	}
}

func TestParseDurability(t *testing.T) {
	for d := DefaultDurability; d <= Synced; d++ {
		if got, err := ParseDurability(d.String()); err != nil || got != d {
			t.Errorf("ParseDurability(%q) = %v, %v", d, got, err)
		}
	}
	if _, err := ParseDurability("forever"); !errors.Is(err, Invalid) {
		t.Errorf("ParseDurability(forever) = %v, want Invalid", err)
	}
}
