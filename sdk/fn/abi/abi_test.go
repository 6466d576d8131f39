package abi_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

var values = []mesh.Value{
	{Format: mesh.Text, Data: []byte("text")},
	{},
	{Format: mesh.Raw, Data: []byte{}},
	{Format: mesh.CBOR, Data: bytes.Repeat([]byte{1}, 300)},
}

func TestArgsThereAndBack(t *testing.T) {
	b := abi.AppendArgs(nil, values)
	if len(b) != abi.ArgsSize(values) {
		t.Errorf("%d bytes, announced were %d", len(b), abi.ArgsSize(values))
	}
	back, err := abi.ReadArgs(b)
	if err != nil || !reflect.DeepEqual(back, values) {
		t.Errorf("came back as %v, error %v", back, err)
	}
	for cut := range b {
		if cut == 0 {
			continue
		}
		if part, err := abi.ReadArgs(b[:cut]); err == nil && !reflect.DeepEqual(part, values[:len(part)]) {
			t.Errorf("the first %d bytes read as %v", cut, part)
		} else if err != nil && !errors.Is(err, mesh.Invalid) {
			t.Errorf("the first %d bytes: %v, expected Invalid", cut, err)
		}
	}
}

func TestMessagesThereAndBack(t *testing.T) {
	var messages []abi.Message
	for _, v := range values {
		messages = append(messages, abi.Message{From: "somewhere", Body: v})
	}
	b := abi.AppendMessages(nil, messages)
	back, err := abi.ReadMessages(b)
	if err != nil || !reflect.DeepEqual(back, messages) {
		t.Errorf("came back as %v, error %v", back, err)
	}
	if _, err := abi.ReadMessages(b[:len(b)-1]); !errors.Is(err, mesh.Invalid) {
		t.Errorf("without the last byte: %v, expected Invalid", err)
	}
}

func TestAnswersKeepKindAndText(t *testing.T) {
	for kind := mesh.Internal; kind <= mesh.Conflict; kind++ {
		_, broken, err := abi.ReadAnswer(abi.AppendError(nil, mesh.Errorf(kind, "op", "what was wrong")))
		if broken || !errors.Is(err, kind) || !strings.Contains(err.Error(), "what was wrong") {
			t.Errorf("%v came back as %v", kind, err)
		}
	}
	payload, broken, err := abi.ReadAnswer(abi.AppendPayload(nil, []byte("x")))
	if string(payload) != "x" || broken || err != nil {
		t.Errorf("%q, %v, %v", payload, broken, err)
	}
	for _, v := range values {
		payload, _, err := abi.ReadAnswer(abi.AppendResult(nil, v))
		back, readErr := abi.ReadValue(payload)
		if errors.Join(err, readErr) != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%v came back as %v", v, back)
		}
	}
	for _, b := range [][]byte{nil, {byte(mesh.Conflict) + 2}, {255}} {
		if _, broken, err := abi.ReadAnswer(b); !broken || !errors.Is(err, mesh.Invalid) {
			t.Errorf("%x: %v, %v; expected a broken answer", b, broken, err)
		}
	}
}

func TestKeys(t *testing.T) {
	for text, want := range map[string]mesh.Key{
		"k":          {Namespace: "own", Name: "k"},
		"\x00k":      {Namespace: "own", Name: "k"},
		"other\x00k": {Namespace: "other", Name: "k"},
	} {
		if key, err := abi.ReadKey([]byte(text), "own"); err != nil || key != want {
			t.Errorf("%q is %v, %v; expected %v", text, key, err, want)
		}
	}
	for _, text := range []string{"", "\x00", "NS\x00k", "ns\x00", "\x00a\x00b"} {
		if _, err := abi.ReadKey([]byte(text), "own"); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%q: %v, expected Invalid", text, err)
		}
	}
}

func TestSpans(t *testing.T) {
	if offset, size := abi.UnpackSpan(abi.PackSpan(0xffff0000, 0x80000001)); offset != 0xffff0000 || size != 0x80000001 {
		t.Errorf("%x, %x", offset, size)
	}
}

func FuzzLists(f *testing.F) {
	f.Add(abi.AppendArgs(nil, values))
	f.Fuzz(func(t *testing.T, b []byte) {
		args, err := abi.ReadArgs(b)
		if err == nil && !bytes.Equal(abi.AppendArgs(nil, args), b) {
			t.Errorf("%x is not what was read from it", b)
		}
		if _, err := abi.ReadMessages(b); err != nil && !errors.Is(err, mesh.Invalid) {
			t.Error(err)
		}
		if _, _, err := abi.ReadAnswer(b); err != nil && mesh.KindOf(err) > mesh.Conflict {
			t.Error(err)
		}
	})
}
