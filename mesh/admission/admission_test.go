package admission

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/virga-mesh/virga/mesh"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func full(role Role) Grant {
	return Grant{Role: role, Verbs: AllVerbs, NotAfter: now.Add(time.Hour)}
}

var narrow = Grant{
	Role: Client, Verbs: Read | Call, Namespaces: []string{"default", "shop"},
	KeyPrefixes: []string{"cart/", "user/"}, Functions: []string{"square"}, NotAfter: now.Add(time.Minute),
}

func token(t testing.TB, root Root, grant Grant, bootstrap ...string) Token {
	t.Helper()
	out, err := root.NewToken(grant, bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func join(t testing.TB, from Token) Credential {
	t.Helper()
	c, err := from.Join(NewKey(), now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantDenied(t *testing.T, err error, reason string) {
	t.Helper()
	if mesh.KindOf(err) != mesh.Denied || !strings.Contains(err.Error(), reason) {
		t.Errorf("%v: expected Denied with %q", err, reason)
	}
}

func TestJoinersAreMembers(t *testing.T) {
	root := NewRoot()
	for _, grant := range []Grant{full(Node), full(Client), narrow} {
		tok := token(t, root, grant)
		first, second := join(t, tok), join(t, tok) // a token admits more than one
		if first.ID() == second.ID() {
			t.Fatal("two joiners have one id")
		}
		for _, c := range []Credential{first, second} {
			m, err := Verify(c.Chain(), root.MeshID(), c.ID(), now)
			if err != nil {
				t.Fatal(err)
			}
			if m.ID != c.ID() || m.Role != grant.Role || !m.NotAfter.Equal(grant.NotAfter) || m.Token != tok.ID() || m.Grant.Verbs != grant.Verbs {
				t.Errorf("member %+v of grant %+v", m, grant)
			}
			if own, err := c.Member(now); err != nil || own.ID != m.ID || c.MeshID() != root.MeshID() {
				t.Errorf("its own view: %+v, %v", own, err)
			}
		}
	}
}

func TestNodeIDIsTheLibp2pPeerID(t *testing.T) {
	key := NewKey()
	theirs, err := crypto.UnmarshalEd25519PublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(theirs)
	if err != nil || mesh.NodeID(id) != NodeIDOf(key.Public().(ed25519.PublicKey)) {
		t.Errorf("libp2p says %s, %v", id, err)
	}
}

func TestVerifySaysWhichCheckFailed(t *testing.T) {
	root, other := NewRoot(), NewRoot()
	tok := token(t, root, full(Node))
	c, another := join(t, tok), join(t, tok)
	forged := token(t, other, full(Node))
	forged.delegation.root = root.public() // says so, but the signature is the other root's
	forged.delegation.raw = append(slices.Clone([]byte(root.public())), forged.delegation.raw[ed25519.PublicKeySize:]...)
	for name, test := range map[string]struct {
		chain  []byte
		peer   mesh.NodeID
		at     time.Time
		reason string
	}{
		"none":         {nil, c.ID(), now, "no membership certificate"},
		"garbage":      {[]byte("garbage"), c.ID(), now, "damaged"},
		"longer":       {append(slices.Clone(c.Chain()), 0), c.ID(), now, "too many"},
		"huge":         {make([]byte, MaxChain+1), c.ID(), now, "expected at most"},
		"other mesh":   {join(t, token(t, other, full(Node))).Chain(), c.ID(), now, "another mesh"},
		"another peer": {another.Chain(), c.ID(), now, "another peer"},
		"expired":      {c.Chain(), c.ID(), now.Add(time.Hour + time.Second), "expired"},
		"forged root":  {chainOf(forged, c.key, full(Node)), c.ID(), now, "not signed by the mesh's root"},
		"other token":  {chainOf(Token{key: NewKey(), delegation: tok.delegation}, c.key, full(Node)), c.ID(), now, "not signed by its token"},
	} {
		_, err := Verify(test.chain, root.MeshID(), test.peer, test.at)
		t.Run(name, func(t *testing.T) { wantDenied(t, err, test.reason) })
	}
	if _, err := Verify(c.Chain(), root.MeshID(), c.ID(), now.Add(time.Hour)); err != nil {
		t.Errorf("at the last second: %v", err)
	}
}

// chainOf makes a chain without the checks of JoinAs.
func chainOf(t Token, key ed25519.PrivateKey, grant Grant) []byte {
	cert := newCertificate(t.delegation, t.key, key.Public().(ed25519.PublicKey), grant)
	return slices.Concat([]byte{formatVersion}, t.delegation.raw, cert.raw)
}

func TestEveryChangedBitIsDenied(t *testing.T) {
	root := NewRoot()
	c := join(t, token(t, root, narrow))
	for i := range len(c.Chain()) * 8 {
		chain := slices.Clone(c.Chain())
		chain[i/8] ^= 1 << (i % 8)
		if _, err := Verify(chain, root.MeshID(), c.ID(), now); mesh.KindOf(err) != mesh.Denied || err == nil {
			t.Fatalf("bit %d changed: %v, want Denied", i, err)
		}
	}
	for n := range c.Chain() {
		if _, err := Verify(c.Chain()[:n], root.MeshID(), c.ID(), now); mesh.KindOf(err) != mesh.Denied || err == nil {
			t.Fatalf("first %d bytes: %v, want Denied", n, err)
		}
	}
}

func TestChainsOnlyNarrow(t *testing.T) {
	root := NewRoot()
	change := func(f func(*Grant)) Grant {
		g := narrow
		f(&g)
		return g
	}
	for name, test := range map[string]struct {
		grant  Grant
		reason string // empty: allowed
	}{
		"the same":          {narrow, ""},
		"fewer verbs":       {change(func(g *Grant) { g.Verbs = Read }), ""},
		"one namespace":     {change(func(g *Grant) { g.Namespaces = []string{"shop"} }), ""},
		"a longer prefix":   {change(func(g *Grant) { g.KeyPrefixes = []string{"cart/7/"} }), ""},
		"a later expiry":    {change(func(g *Grant) { g.NotAfter = now.Add(24 * time.Hour) }), ""},
		"a node":            {change(func(g *Grant) { g.Role = Node }), "role node"},
		"more verbs":        {change(func(g *Grant) { g.Verbs |= Write }), "verbs write"},
		"another namespace": {change(func(g *Grant) { g.Namespaces = append(slices.Clone(g.Namespaces), "more") }), "namespaces"},
		"all namespaces":    {change(func(g *Grant) { g.Namespaces = nil }), "namespaces (all)"},
		"a shorter prefix":  {change(func(g *Grant) { g.KeyPrefixes = []string{"cart"} }), "key prefixes"},
		"all keys":          {change(func(g *Grant) { g.KeyPrefixes = nil }), "key prefixes (all)"},
		"another function":  {change(func(g *Grant) { g.Functions = []string{"squares"} }), "functions"},
		"all functions":     {change(func(g *Grant) { g.Functions = nil }), "functions (all)"},
	} {
		t.Run(name, func(t *testing.T) {
			tok, key := token(t, root, narrow), NewKey()
			c, err := tok.JoinAs(key, test.grant, now)
			if test.reason != "" {
				wantDenied(t, err, test.reason)
				_, err := Verify(chainOf(tok, key, test.grant), root.MeshID(), NodeIDOf(key.Public().(ed25519.PublicKey)), now)
				wantDenied(t, err, test.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m, err := c.Member(now); err != nil || m.NotAfter.After(narrow.NotAfter) {
				t.Errorf("until %v, %v: expected at most %v", m.NotAfter, err, narrow.NotAfter)
			}
		})
	}
	asClient := full(Client)
	if _, err := token(t, root, full(Node)).JoinAs(NewKey(), asClient, now); err != nil {
		t.Errorf("a client by a node's token: %v", err)
	}
}

func TestExpiredTokensAdmitNobody(t *testing.T) {
	_, err := token(t, NewRoot(), full(Node)).Join(NewKey(), now.Add(2*time.Hour))
	wantDenied(t, err, "expired")
}

func TestAllow(t *testing.T) {
	client := Member{ID: "c", Role: Client, Grant: narrow}
	everything := Member{ID: "c", Role: Client, Grant: full(Client)}
	node := Member{ID: "n", Role: Node, Grant: full(Node)}
	for _, test := range []struct {
		member          Member
		verbs           Verbs
		namespace, name string
		reason          string // empty: allowed
	}{
		{client, Read, "default", "cart/1", ""},
		{client, Read, "shop", "user/", ""},
		{client, Call, "default", "square", ""},
		{client, Write, "default", "cart/1", "expected write"},
		{client, Read | Write, "default", "cart/1", "expected write"},
		{client, Deploy, "default", "square", "expected deploy"},
		{client, Read, "other", "cart/1", "namespaces"},
		{client, Read, "default", "secret", "key prefixes"},
		{client, Read, "default", "", "key prefixes"},
		{client, Call, "default", "cube", "functions"},
		{client, Read, mesh.SystemNamespace, "cart/1", "for nodes only"},
		{everything, AllVerbs, "anything", "at all", ""},
		{everything, Read, mesh.SystemNamespace, "functions", "for nodes only"},
		{node, Write, mesh.SystemNamespace, "functions", ""},
		{node, AllVerbs, "anything", "at all", ""},
		{Member{}, Read, "default", "x", "expected read"},
	} {
		err := test.member.Allow(test.verbs, test.namespace, test.name)
		if test.reason != "" {
			wantDenied(t, err, test.reason)
		} else if err != nil {
			t.Errorf("%s %s/%s: %v", test.verbs, test.namespace, test.name, err)
		}
	}
}

func TestTokenText(t *testing.T) {
	root := NewRoot()
	tok := token(t, root, narrow, "127.0.0.1:7000", "[::1]:7001", "node.example:7002")
	text := tok.Text()
	for name, variant := range map[string]string{"as is": text, "capitals": strings.ToUpper(text), "space around": "\n " + text + "\t\n"} {
		got, err := ParseToken(variant)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.MeshID() != root.MeshID() || got.ID() != tok.ID() || !slices.Equal(got.Bootstrap, tok.Bootstrap) || got.Text() != text {
			t.Errorf("%s: %v with %q", name, got, got.Bootstrap)
		}
		if _, err := got.Join(NewKey(), now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if strings.Contains(text, tok.String()) || !strings.Contains(tok.String(), "token") || (Token{}).String() != "no token" {
		t.Errorf("String gives %q", tok)
	}
}

func TestMangledTokensAreInvalid(t *testing.T) {
	text := token(t, NewRoot(), narrow, "127.0.0.1:7000").Text()
	for i := range text {
		for _, c := range []string{"", "a", "b", "1", "!", "é"} {
			mangled := text[:i] + c + text[i+1:]
			if mangled == text {
				continue
			}
			if _, err := ParseToken(mangled); mesh.KindOf(err) != mesh.Invalid || err == nil {
				t.Fatalf("with %q at %d: %v, want Invalid", c, i, err)
			}
		}
		if _, err := ParseToken(text[:i]); mesh.KindOf(err) != mesh.Invalid || err == nil {
			t.Fatalf("first %d characters: %v, want Invalid", i, err)
		}
	}
	for text, reason := range map[string]string{
		"":                          "does not begin with",
		"virga2abc":                 "does not begin with",
		"virga1ab0":                 "'0' at position 9",
		text[:len(text)-9]:          "", // any reason
		text[:40] + "q" + text[40:]: "",
	} {
		if _, err := ParseToken(text); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.50q: %v: expected %q", text, err, reason)
		}
	}
}

func TestForgedTokensAreDenied(t *testing.T) {
	tok := token(t, NewRoot(), full(Node))
	tok.delegation.raw = slices.Clone(tok.delegation.raw)
	tok.delegation.raw[2*ed25519.PublicKeySize+1] = byte(Read) // the verbs; the checksum is right
	_, err := ParseToken(tok.Text())
	wantDenied(t, err, "not signed by the root")
	stolen := token(t, NewRoot(), full(Node))
	stolen.key = NewKey()
	_, err = ParseToken(stolen.Text())
	wantDenied(t, err, "not signed by the root")
}

func TestBadGrantsMakeNoToken(t *testing.T) {
	for name, change := range map[string]func(*Grant){
		"no role":             func(g *Grant) { g.Role = 0 },
		"no verbs":            func(g *Grant) { g.Verbs = 0 },
		"unknown verbs":       func(g *Grant) { g.Verbs = 0x80 },
		"no expiry":           func(g *Grant) { g.NotAfter = time.Time{} },
		"bad namespace":       func(g *Grant) { g.Namespaces = []string{"Not This"} },
		"empty prefix":        func(g *Grant) { g.KeyPrefixes = []string{""} },
		"bad function":        func(g *Grant) { g.Functions = []string{"a/b"} },
		"too many namespaces": func(g *Grant) { g.Namespaces = make([]string, MaxNamespaces+1) },
		"too many functions":  func(g *Grant) { g.Functions = make([]string, MaxNames+1) },
	} {
		g := full(Client)
		change(&g)
		if _, err := NewRoot().NewToken(g, nil); mesh.KindOf(err) != mesh.Invalid || err == nil {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	for _, addrs := range [][]string{{"nowhere"}, make([]string, MaxBootstrap+1)} {
		if _, err := NewRoot().NewToken(full(Client), addrs); mesh.KindOf(err) != mesh.Invalid || err == nil {
			t.Errorf("bootstrap %q: %v, want Invalid", addrs, err)
		}
	}
}

func TestFilesKeepTheirSecretsApart(t *testing.T) {
	root := NewRoot()
	back, err := ParseRoot(root.Marshal())
	if err != nil || back.MeshID() != root.MeshID() {
		t.Errorf("root: %v, %v", back.MeshID(), err)
	}
	c := join(t, token(t, root, narrow))
	file := c.Marshal()
	got, err := ParseCredential(file)
	if err != nil || got.ID() != c.ID() || !bytes.Equal(got.Chain(), c.Chain()) {
		t.Errorf("credential: %v, %v", got.ID(), err)
	}
	if at := bytes.Index(file, []byte("-----BEGIN "+chainBlock)); at < 0 || bytes.Contains(file[at:], []byte(keyBlock)) {
		t.Errorf("the certificate is not a block of its own:\n%s", file)
	}
	for name, parse := range map[string]func([]byte) error{
		"root":       func(b []byte) error { _, err := ParseRoot(b); return err },
		"credential": func(b []byte) error { _, err := ParseCredential(b); return err },
	} {
		for _, bad := range [][]byte{nil, []byte("text"), file[:len(file)/2], file[bytes.Index(file, []byte("-----BEGIN "+chainBlock)):]} {
			if err := parse(bad); mesh.KindOf(err) != mesh.Invalid || err == nil {
				t.Errorf("%s from %d other bytes: %v, want Invalid", name, len(bad), err)
			}
		}
	}
	if (Credential{}).IsZero() != true || c.IsZero() {
		t.Error("IsZero")
	}
}

func TestTextForms(t *testing.T) {
	id := NewRoot().MeshID()
	if got, err := ParseMeshID(id.String()); got != id || err != nil {
		t.Errorf("mesh id: %v, %v", got, err)
	}
	if got, err := ParseVerbs(AllVerbs.String()); got != AllVerbs || err != nil {
		t.Errorf("verbs: %v, %v", got, err)
	}
	for _, role := range []Role{Node, Client} {
		if got, err := ParseRole(role.String()); got != role || err != nil {
			t.Errorf("role: %v, %v", got, err)
		}
	}
	for name, parse := range map[string]func(string) error{
		"mesh id": func(s string) error { _, err := ParseMeshID(s); return err },
		"verbs":   func(s string) error { _, err := ParseVerbs(s); return err },
		"role":    func(s string) error { _, err := ParseRole(s); return err },
	} {
		if err := parse("nonsense"); mesh.KindOf(err) != mesh.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

// FuzzVerify feeds any bytes as a chain: it must not panic, and denies what it did not sign.
func FuzzVerify(f *testing.F) {
	root := NewRoot()
	c := join(f, token(f, root, narrow))
	f.Add(c.Chain())
	f.Add(c.Chain()[:100])
	f.Fuzz(func(t *testing.T, chain []byte) {
		_, err := Verify(chain, root.MeshID(), c.ID(), now)
		if err == nil && !bytes.Equal(chain, c.Chain()) {
			t.Error("another chain was accepted")
		}
	})
}

// FuzzParseToken feeds any text: what parses must come out as it went in.
func FuzzParseToken(f *testing.F) {
	f.Add(token(f, NewRoot(), narrow, "127.0.0.1:7000").Text())
	f.Add("virga1")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := ParseToken(text)
		if err == nil && tok.Text() != strings.ToLower(strings.TrimSpace(text)) {
			t.Errorf("%q became %q", text, tok.Text())
		}
	})
}

// ExampleToken shows how a peer is admitted and verified.
func ExampleToken() {
	root := NewRoot() // once a mesh, kept off the nodes
	grant := Grant{Role: Client, Verbs: Read | Call, NotAfter: time.Now().Add(time.Hour)}
	tok, err := root.NewToken(grant, []string{"127.0.0.1:7000"})
	if err != nil {
		panic(err)
	}
	credential, err := tok.Join(NewKey(), time.Now()) // by the joiner, offline
	if err != nil {
		panic(err)
	}
	member, err := Verify(credential.Chain(), root.MeshID(), credential.ID(), time.Now()) // by any peer
	if err != nil {
		panic(err)
	}
	fmt.Println(errors.Is(member.Allow(Write, "default", "key"), mesh.Denied)) // it may only read and call
	// Output: true
}
