package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

const anyLength = 1<<32 - 1

func TestHeaderLayout(t *testing.T) {
	h := Header{Length: 0x01020304, Type: 0x0506, Flags: Reply, ID: 0x0708090a0b0c0d0e, Timeout: 0x0f101112 * time.Microsecond}
	var got [HeaderSize]byte
	h.Put(got[:])
	want := []byte{1, 2, 3, 4, 5, 6, 1, 0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	if !bytes.Equal(got[:], want) {
		t.Errorf("header is\n%v, want\n%v", got, want)
	}
}

func TestHeadersComeBack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		h := Header{
			Length: random.Uint32(), Type: Type(random.Uint32()), Flags: Flags(random.IntN(4)),
			ID: random.Uint64(), Timeout: time.Duration(random.Uint32()) * time.Microsecond,
		}
		var raw [HeaderSize]byte
		h.Put(raw[:])
		if got, err := ParseHeader(raw[:], anyLength); got != h || err != nil {
			t.Fatalf("%+v, %v: expected %+v", got, err, h)
		}
	}
}

func TestTimeoutsNeverBecomeForEver(t *testing.T) {
	for _, test := range []struct{ give, want time.Duration }{
		{0, 0}, {-time.Second, 0}, {1, time.Microsecond}, {time.Microsecond, time.Microsecond},
		{time.Microsecond + 1, 2 * time.Microsecond}, {time.Minute, time.Minute},
		{MaxTimeout, MaxTimeout}, {24 * time.Hour, MaxTimeout},
	} {
		var raw [HeaderSize]byte
		Header{Timeout: test.give}.Put(raw[:])
		if got, err := ParseHeader(raw[:], 0); got.Timeout != test.want || err != nil {
			t.Errorf("%v became %v, %v: expected %v", test.give, got.Timeout, err, test.want)
		}
	}
}

func TestBadHeadersAreInvalid(t *testing.T) {
	var good [HeaderSize]byte
	Header{Length: 10, Type: 1}.Put(good[:])
	change := func(at int, to byte) []byte {
		out := bytes.Clone(good[:])
		out[at] = to
		return out
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "a byte short": good[:HeaderSize-1], "too long a body": change(3, 11),
		"a much too long body": change(0, 0xff), "unknown flags": change(6, 8), "a fresh reply": change(6, 5), "fresh and one way": change(6, 6), "the reserved byte": change(7, 1),
	} {
		if _, err := ParseHeader(raw, 10); mesh.KindOf(err) != mesh.Invalid || err == nil {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	if _, err := ParseHeader(good[:], 10); err != nil {
		t.Error(err)
	}
}

func TestAFrameTellsHowFreshItMustBe(t *testing.T) {
	sent := Header{Flags: Fresh, ID: 7, Sent: 1<<32 - 5, Within: 250 * time.Millisecond}
	frame, err := AppendFrame(nil, sent, &pb.Probe{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseHeader(frame, anyLength)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := got.CutFresh(frame[HeaderSize:])
	if err != nil || len(rest) != 0 || got.Sent != sent.Sent || got.Within != sent.Within || got.Length != 8 {
		t.Errorf("%+v and a body of %d bytes, %v: expected %+v and none", got, len(rest), err, sent)
	}
	if _, err := got.CutFresh(frame[HeaderSize : len(frame)-1]); mesh.KindOf(err) != mesh.Invalid || err == nil {
		t.Errorf("a byte short: %v, want Invalid", err)
	}
}

func TestEveryMessageMakesAFrame(t *testing.T) {
	for number, prototype := range prototypes {
		m := sample(prototype)
		frame, err := AppendFrame([]byte("before"), Header{ID: 9, Flags: OneWay, Timeout: time.Second}, m)
		if err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		frame, found := bytes.CutPrefix(frame, []byte("before"))
		h, err := ParseHeader(frame, anyLength)
		if !found || err != nil || h.Type != number || h.ID != 9 || h.Flags != OneWay || h.Timeout != time.Second || int(h.Length) != len(frame)-HeaderSize {
			t.Fatalf("%T: header %+v, %v", m, h, err)
		}
		got, err := ParseBody(h.Type, frame[HeaderSize:])
		if err != nil || !proto.Equal(got, m) {
			t.Fatalf("%T: came back as %v, %v", m, got, err)
		}
	}
}

// A body that is cut anywhere gives an Invalid error or a message with less in it, and never panics.
func TestEveryMessageCutAtEveryByte(t *testing.T) {
	for number, prototype := range prototypes {
		body, err := proto.Marshal(sample(prototype))
		if err != nil {
			t.Fatal(err)
		}
		for n := range body {
			m, err := ParseBody(number, body[:n])
			if err != nil && mesh.KindOf(err) != mesh.Invalid {
				t.Errorf("%T cut after %d of %d bytes: %v, want Invalid", prototype, n, len(body), err)
			}
			if err == nil && proto.Equal(m, sample(prototype)) {
				t.Errorf("%T cut after %d of %d bytes lost nothing", prototype, n, len(body))
			}
		}
	}
}

func TestMessagesHoldCopies(t *testing.T) {
	body, err := proto.Marshal(&pb.Put{Op: []byte("operation")})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseBody(TypeOf(&pb.Put{}), body)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	if op := m.(*pb.Put).Op; string(op) != "operation" {
		t.Errorf("changing the body changed the message to %q", op)
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	newer := []byte{0xfa, 0x3f, 3, 'n', 'e', 'w'} // field 1023: of a later version
	m, err := ParseBody(TypeOf(&pb.Ping{}), newer)
	if err != nil {
		t.Fatal(err)
	}
	again, err := proto.Marshal(m)
	if err != nil || !bytes.Equal(again, newer) {
		t.Errorf("%v, %v: expected %v", again, err, newer)
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	before := []byte("before")
	out, err := AppendFrame(before, Header{}, &pb.Key{})
	if mesh.KindOf(err) != mesh.Internal || !bytes.Equal(out, before) {
		t.Errorf("a message that is no frame: %q, %v", out, err)
	}
	out, err = AppendFrame(before, Header{}, &pb.GetDAG{Name: "\xff"})
	if mesh.KindOf(err) != mesh.Invalid || !bytes.Equal(out, before) {
		t.Errorf("text that is not UTF-8: %q, %v", out, err)
	}
	if _, err := ParseBody(65535, nil); mesh.KindOf(err) != mesh.Invalid {
		t.Errorf("an unknown type: %v, want Invalid", err)
	}
}

// FuzzParseHeader checks that what is read as a header is written the same.
func FuzzParseHeader(f *testing.F) {
	f.Add(make([]byte, HeaderSize))
	f.Add(bytes.Repeat([]byte{0xff}, HeaderSize))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := ParseHeader(raw, 1<<20)
		if err != nil {
			return
		}
		var again [HeaderSize]byte
		h.Put(again[:])
		if h.Length > 1<<20 || !bytes.Equal(again[:], raw[:HeaderSize]) {
			t.Errorf("%v was read as %+v", raw, h)
		}
	})
}

// FuzzParseBody feeds any bytes to every message type: what is read can be
// sent, and comes back the same.
func FuzzParseBody(f *testing.F) {
	for number, prototype := range prototypes {
		body, err := proto.Marshal(sample(prototype))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(number), body)
	}
	f.Fuzz(func(t *testing.T, number uint16, body []byte) {
		m, err := ParseBody(Type(number), body)
		if err != nil {
			return
		}
		frame, err := AppendFrame(nil, Header{}, m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseBody(Type(number), frame[HeaderSize:]); err != nil || !proto.Equal(m, again) {
			t.Errorf("%v came back as %v, %v", m, again, err)
		}
	})
}

// FuzzConversions feeds any bytes to what turns messages into words: it must not panic.
func FuzzConversions(f *testing.F) {
	for _, m := range []Message{sample((*pb.CreateDAG)(nil)), sample((*pb.DeployReply)(nil)), sample((*pb.Error)(nil)), sample((*pb.InvokeReply)(nil))} {
		body, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var (
			dag    pb.CreateDAG
			deploy pb.DeployReply
			failed pb.Error
			result pb.InvokeReply
			get    pb.Get
		)
		for _, m := range []Message{&dag, &deploy, &failed, &result, &get} {
			proto.Unmarshal(body, m) // what it read before an error is as good an input
		}
		ToDAG(dag.Dag)
		ToFuncInfo(deploy.Info)
		ToError(&failed)
		ToValue(result.Result)
		ToKey(get.Key)
		ToRunID(body)
	})
}
